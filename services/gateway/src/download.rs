//! Answers that are files.

use crate::rpc::in_time;
use access::Replies;
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use callfairy_core::Problem;
use futures_util::{Stream, StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proto::types::Download;

/// What needs no encoding in RFC 5987's `value-chars`, besides letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Characters of a file's name.
const MAX_NAME: usize = 200;
const NAMELESS: &str = "download";

/// Answers with the pieces as they come. The first decides, whether there is an answer and what it says of itself; a
/// failure after it can only break the answer off.
pub async fn answer(mut replies: Replies<Download>) -> Result<HttpResponse, Problem> {
    let first = in_time(async { replies.next().await.transpose() }).await?;
    let Some(first) = first else {
        tracing::error!("a download has no first piece");
        return Err(Problem::internal());
    };
    let kind = HeaderValue::from_str(&first.content_type).ok().filter(|kind| !kind.is_empty());
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream"))))
        .insert_header((CONTENT_DISPOSITION, disposition(&first.filename)));
    let size = first.size;
    let pieces = stream::iter([Ok(first)]).chain(replies).map(|piece| piece.map(|piece| Bytes::from(piece.data)));
    Ok(match size {
        0 => response.streaming(pieces.inspect(log)),
        size => response.body(SizedStream::new(size, exactly(size, pieces).inspect(log))),
    })
}

/// Fails when there is more or less than was said, so that nobody takes a part for the whole.
fn exactly<S>(size: u64, pieces: S) -> impl Stream<Item = Result<Bytes, Problem>>
where
    S: Stream<Item = Result<Bytes, Problem>> + Unpin,
{
    stream::unfold((pieces, Some(size)), |(mut pieces, left)| async move {
        let wrong = || {
            tracing::error!("a download is not as long as it said");
            Problem::internal()
        };
        // Without `left`, it has failed before.
        let left = left?;
        match pieces.next().await {
            Some(Ok(piece)) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), (pieces, Some(left)))),
                None => Some((Err(wrong()), (pieces, None))),
            },
            Some(Err(problem)) => Some((Err(problem), (pieces, None))),
            None if left > 0 => Some((Err(wrong()), (pieces, None))),
            None => None,
        }
    })
}

fn log(piece: &Result<Bytes, Problem>) {
    if let Err(problem) = piece {
        tracing::warn!(%problem, "a download broke off");
    }
}

/// `attachment`, with the name in ASCII for old clients and in full for the others (RFC 6266).
fn disposition(name: &str) -> String {
    let kept = |c: &char| !c.is_control() && !"/\\\"<>:|?*%;".contains(*c);
    let name: String = name.chars().filter(kept).take(MAX_NAME).collect();
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let name = if name.is_empty() { NAMELESS } else { name };
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    if ascii == name {
        return format!("attachment; filename=\"{ascii}\"");
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ENCODED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_names() {
        for (name, header) in [
            ("calls.csv", "attachment; filename=\"calls.csv\""),
            ("../../etc/passwd", "attachment; filename=\"etcpasswd\""),
            ("a\"; filename=\"b.exe", "attachment; filename=\"a filename=b.exe\""),
            ("a\r\nSet-Cookie: x=1", "attachment; filename=\"aSet-Cookie x=1\""),
            (
                "Anrufe für Jörg.csv",
                "attachment; filename=\"Anrufe f_r J_rg.csv\"; filename*=UTF-8''Anrufe%20f%C3%BCr%20J%C3%B6rg.csv",
            ),
            ("", "attachment; filename=\"download\""),
            (" .. ", "attachment; filename=\"download\""),
        ] {
            assert_eq!(disposition(name), header);
        }
        assert!(disposition(&"x".repeat(10_000)).len() < 300);
    }

    #[tokio::test]
    async fn as_long_as_it_said() {
        let lengths = async |size, pieces: &'static [&'static [u8]]| {
            let pieces = stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece))));
            exactly(size, pieces).map(|piece| piece.ok().map(|piece| piece.len())).collect::<Vec<_>>().await
        };
        assert_eq!(lengths(5, &[b"ab", b"cde"]).await, [Some(2), Some(3)]);
        assert_eq!(lengths(5, &[b"ab"]).await, [Some(2), None]);
        assert_eq!(lengths(5, &[b"ab", b"cdef"]).await, [Some(2), None]);
    }
}
