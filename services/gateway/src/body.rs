//! Reading a request's body: its type, its size, its time.

use access::MAX_REQUEST_TIME;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpMessage, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use callfairy_core::{ErrorCode, Problem};
use futures_util::StreamExt;

/// The whole body, at most `limit` bytes of it.
pub async fn read(headers: &HeaderMap, mut payload: web::Payload, limit: usize) -> Result<Bytes, Problem> {
    check_length(headers, limit as u64, limit as u64)?;
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| broken_off())?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit as u64));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(MAX_REQUEST_TIME, all).await.unwrap_or_else(|_| Err(too_slow()))
}

/// Refuses what is too large before any of it is read; `limit` is what the answer says.
pub fn check_length(headers: &HeaderMap, most: u64, limit: u64) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) { Err(too_large(limit)) } else { Ok(()) }
}

/// Whether a body that is not empty may be read as JSON.
pub fn check_json(request: &HttpRequest) -> Result<(), Problem> {
    let mime = request.mime_type().ok().flatten();
    let is_json = mime.is_some_and(|mime| {
        let utf8 = mime.get_param("charset").is_none_or(|charset| charset.as_str().eq_ignore_ascii_case("utf-8"));
        mime.type_() == "application"
            && (mime.subtype() == "json" || mime.suffix().is_some_and(|s| s == "json"))
            && utf8
    });
    if is_json { check_encoding(request.headers()) } else { Err(unsupported("send the body as application/json")) }
}

/// Whether the body is a form with a file in it.
pub fn check_form(request: &HttpRequest) -> Result<(), Problem> {
    let mime = request.mime_type().ok().flatten();
    if !mime.as_ref().is_some_and(|mime| mime.type_() == "multipart" && mime.subtype() == "form-data") {
        return Err(unsupported("send the body as multipart/form-data"));
    }
    if mime.is_none_or(|mime| mime.get_param("boundary").is_none_or(|boundary| boundary.as_str().is_empty())) {
        return Err(Problem::new(ErrorCode::InvalidArgument, "the content type has no boundary"));
    }
    check_encoding(request.headers())
}

/// Bodies come as they are: a small one that unpacks to a large one would go around the limits.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(unsupported("send the body without a content encoding")),
        _ => Ok(()),
    }
}

pub fn broken_off() -> Problem {
    Problem::new(ErrorCode::InvalidArgument, "the body broke off")
}

pub fn too_slow() -> Problem {
    Problem::new(ErrorCode::DeadlineExceeded, "the body did not come in time")
}

pub fn too_large(limit: u64) -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(ErrorCode::UnsupportedMediaType, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest;
    use actix_web::dev::Payload;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use futures_util::Stream;
    use futures_util::stream::{self, LocalBoxStream};

    async fn read_all(
        limit: usize,
        chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> Result<Bytes, ErrorCode> {
        let request = TestRequest::default().to_http_request();
        let chunks: LocalBoxStream<'static, _> = Box::pin(chunks);
        let mut payload = Payload::from(chunks);
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        read(request.headers(), payload, limit).await.map_err(|problem| problem.code)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_whole_in_time_and_within_its_limit() {
        let chunks = |count| stream::iter((0..count).map(|_| Ok(Bytes::from_static(b"abc"))));
        assert_eq!(read_all(6, chunks(2)).await, Ok(Bytes::from_static(b"abcabc")));
        assert_eq!(read_all(6, chunks(3)).await, Err(ErrorCode::PayloadTooLarge));
        let broken = chunks(1).chain(stream::iter([Err(PayloadError::Incomplete(None))]));
        assert_eq!(read_all(6, broken).await, Err(ErrorCode::InvalidArgument));
        assert_eq!(read_all(6, chunks(1).chain(stream::pending())).await, Err(ErrorCode::DeadlineExceeded));
    }
}
