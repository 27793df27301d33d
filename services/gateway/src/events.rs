//! Answers that go on: server-sent events.

use access::Replies;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use bytes::Bytes;
use callfairy_core::Problem;
use futures_util::{StreamExt, stream};
use runtime::Shutdown;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::timeout;

/// Keeps proxies and clients from taking silence for a dead connection.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// Answers with the messages as they come, each in JSON, until they end or the shutdown begins. A client that comes back
/// with the last id goes on from there, so a failure just ends the answer: the next request is told of it.
pub fn answer(replies: Replies<Vec<u8>>, keep_alive: Duration, shutdown: Shutdown) -> HttpResponse {
    let events = stream::unfold((replies, shutdown), move |(mut replies, shutdown)| async move {
        let reply = tokio::select! {
            () = shutdown.wait() => return None,
            reply = timeout(keep_alive, replies.next()) => reply,
        };
        let text = match reply {
            Err(_) => KEEP_ALIVE,
            Ok(reply) => reply?.and_then(|json| event(&json)).inspect_err(log).ok()?,
        };
        Some((Ok::<_, Infallible>(text), (replies, shutdown)))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events)
}

/// What every message of a stream has (the contract's build sees to it).
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

fn event(json: &[u8]) -> Result<Bytes, Problem> {
    let envelope = serde_json::from_slice::<Envelope>(json).map_err(|error| {
        tracing::error!(%error, "an event has no id or no type");
        Problem::internal()
    })?;
    let mut text = Vec::with_capacity(json.len() + 128);
    // JSON has no line breaks of its own; in the other fields one would begin a new field.
    for (name, value) in [("id: ", envelope.id.as_bytes()), ("\nevent: ", envelope.kind.as_bytes()), ("\ndata: ", json)]
    {
        text.extend_from_slice(name.as_bytes());
        text.extend(value.iter().filter(|byte| !b"\r\n\0".contains(byte)));
    }
    text.extend_from_slice(b"\n\n");
    Ok(text.into())
}

fn log(problem: &Problem) {
    tracing::warn!(%problem, "an event stream broke off");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_four_lines() {
        let text = event(br#"{"id":"7\ndata: x","type":"call","note":"a\nb"}"#).unwrap();
        let json = r#"{"id":"7\ndata: x","type":"call","note":"a\nb"}"#;
        assert_eq!(text, format!("id: 7data: x\nevent: call\ndata: {json}\n\n"));
        assert!(event(b"{}").is_err());
    }
}
