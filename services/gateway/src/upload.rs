//! Requests that bring a file: multipart/form-data, the fields first, the file last, never held as a whole.

use crate::body::{broken_off, check_form, check_length, too_large, too_slow};
use crate::input::Fields;
use crate::rpc::Piece;
use access::MAX_REQUEST_TIME;
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::{HttpRequest, web};
use bytes::BytesMut;
use callfairy_core::{ErrorCode, Problem};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use std::borrow::Cow;
use std::future;
use tokio::sync::mpsc;

/// Bytes of a piece, as it goes to the service.
const PIECE: usize = 256 * 1024;
/// Pieces that wait for the service. A full queue stops the reading from the client.
const QUEUED: usize = 1;
/// Bytes of all fields beside the file.
const MAX_FIELDS: usize = 128 * 1024;
/// Bytes of the parts' headers, the boundaries and the fields: what a body may have beyond its file.
const MAX_AROUND: u64 = 1024 * 1024;
/// The part that is the file.
const FILE: &str = "file";
/// Fields of the request that are not the form's to give.
const OURS: [&str; 2] = ["data", "filename"];

/// Reads the form (the request's message has a `filename` and `data` for its file), and hands its fields (after `fields`, those of path and query) and its file to `call`, whose answer
/// it returns. `limit` is in bytes. When the upload breaks off or is refused, the call is dropped before its end.
pub async fn receive<'a>(
    request: &HttpRequest,
    payload: web::Payload,
    mut fields: Fields<'a>,
    limit: u64,
    call: impl FnOnce(Fields<'a>, mpsc::Receiver<Piece>) -> LocalBoxFuture<'a, Result<Vec<u8>, Problem>>,
) -> Result<Vec<u8>, Problem> {
    check_form(request)?;
    check_length(request.headers(), limit.saturating_add(MAX_AROUND), limit)?;
    let mut form = Multipart::new(request.headers(), payload);
    let (texts, file) = until_file(&mut form).await?;
    fields.add_texts(texts)?;
    if let Some(name) = filename(&file) {
        fields.add("filename", crate::input::Value::Text(name.into()));
    }

    let (sender, pieces) = mpsc::channel(QUEUED);
    let call = call(fields, pieces);
    tokio::select! {
        // An answer ends the upload, also an early one. When the sending fails, the call ends with it.
        answer = call => answer,
        problem = send(form, file, limit, &sender) => Err(problem),
    }
}

type Texts<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The fields before the file, and the file.
async fn until_file<'a>(form: &mut Multipart) -> Result<(Texts<'a>, Field), Problem> {
    let (mut texts, mut left) = (Texts::new(), MAX_FIELDS);
    while let Some(mut part) = next_part(form).await? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE {
            return Ok((texts, part));
        }
        if OURS.contains(&name.as_str()) {
            return Err(Problem::field(name, "is not a field of this request"));
        }
        let mut text = Vec::new();
        while let Some(chunk) = next_chunk(&mut part).await? {
            left = left.checked_sub(chunk.len()).ok_or_else(|| {
                let why = format!("the fields are larger than {MAX_FIELDS} bytes");
                Problem::new(ErrorCode::PayloadTooLarge, why)
            })?;
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).map_err(|_| Problem::field(name.clone(), "is not UTF-8"))?;
        texts.push((name.into(), text.into()));
    }
    Err(Problem::field(FILE, "is required"))
}

/// Sends the file and then its end, which is not before the form's. Returns only what went wrong.
async fn send(mut form: Multipart, mut file: Field, limit: u64, pieces: &mpsc::Sender<Piece>) -> Problem {
    let sent = async {
        let (mut buffer, mut left) = (BytesMut::new(), limit);
        while let Some(chunk) = next_chunk(&mut file).await? {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(|| too_large(limit))?;
            buffer.extend_from_slice(&chunk);
            while buffer.len() >= PIECE {
                pass(pieces, Piece::Data(buffer.split_to(PIECE).freeze())).await;
            }
        }
        if !buffer.is_empty() {
            pass(pieces, Piece::Data(buffer.freeze())).await;
        }
        drop(file);
        if let Some(part) = next_part(&mut form).await? {
            let name = part.name().unwrap_or_default();
            return Err(Problem::field(name, "comes after the file: put the fields first, and one file last"));
        }
        pass(pieces, Piece::End).await;
        Ok(())
    };
    match sent.await {
        Ok(()) => future::pending().await,
        Err(problem) => problem,
    }
}

/// When nobody takes pieces any more, the call has its answer, or is about to.
async fn pass(pieces: &mpsc::Sender<Piece>, piece: Piece) {
    if pieces.send(piece).await.is_err() {
        future::pending::<()>().await;
    }
}

async fn next_part(form: &mut Multipart) -> Result<Option<Field>, Problem> {
    timely(form.next()).await
}

async fn next_chunk(part: &mut Field) -> Result<Option<web::Bytes>, Problem> {
    timely(part.next()).await
}

/// A client that sends nothing for as long as a request may take has gone.
async fn timely<T>(next: impl Future<Output = Option<Result<T, MultipartError>>>) -> Result<Option<T>, Problem> {
    let next = tokio::time::timeout(MAX_REQUEST_TIME, next).await.map_err(|_| too_slow())?;
    next.transpose().map_err(|error| match error {
        MultipartError::Payload(PayloadError::Overflow) => malformed("a line is too long"),
        MultipartError::Payload(_) => broken_off(),
        MultipartError::Incomplete => malformed("it ends too early"),
        MultipartError::BoundaryMissing => malformed("a boundary is missing"),
        MultipartError::ContentDispositionMissing | MultipartError::ContentDispositionNameMissing => {
            malformed("a part has no name")
        }
        MultipartError::Nested => malformed("a part is a form itself"),
        _ => malformed("it cannot be read"),
    })
}

fn malformed(why: &str) -> Problem {
    Problem::new(ErrorCode::InvalidArgument, format!("the body is not a valid form: {why}"))
}

/// The file's own name, without the folders that some clients put before it.
fn filename(file: &Field) -> Option<String> {
    let name = file.content_disposition()?.get_filename()?;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_given_up() {
        let problem = timely::<()>(future::pending()).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::DeadlineExceeded);
    }
}
