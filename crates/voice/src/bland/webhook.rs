//! Bland's webhooks: whether one is genuine, and what it says.

use super::detail::{call_detail, call_id, text};
use crate::{LiveEvent, ParseError, WebhookEvent};
use callfairy_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::BTreeMap;

/// In lower case, as headers come here.
pub const SIGNATURE_HEADER: &str = "x-webhook-signature";

/// What only the object of a call has. A live event has none of these.
const CALL_FIELDS: [&str; 9] = [
    "completed",
    "status",
    "queue_status",
    "call_length",
    "corrected_duration",
    "transcripts",
    "concatenated_transcript",
    "answered_by",
    "disposition_tag",
];

/// The signature of `body`: HMAC-SHA256 in lower-case hex.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    mac(secret, body).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
}

/// Whether `body`, as it came, was signed with `secret`. `headers` have lower-case names. An empty secret verifies
/// nothing.
pub fn verify_webhook(secret: &Secret, headers: &BTreeMap<String, String>, body: &[u8]) -> bool {
    let Some(signature) = headers.get(SIGNATURE_HEADER).and_then(|text| hex::decode(text.trim()).ok()) else {
        return false;
    };
    // `verify_slice` takes the same time wherever the difference is.
    !secret.is_empty() && mac(secret, body).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

/// HMAC takes keys of every length, so this is always present.
fn mac(secret: &Secret, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

/// Reads a webhook's body. Call [`verify_webhook`] first.
pub fn parse_webhook(body: &[u8]) -> Result<WebhookEvent, ParseError> {
    let raw: Value = serde_json::from_slice(body).map_err(|_| ParseError::NotAnObject)?;
    if !raw.is_object() {
        return Err(ParseError::NotAnObject);
    }
    let is_call = CALL_FIELDS.iter().any(|field| raw.get(field).is_some());
    if let (false, Some(message)) = (is_call, text(&raw, "message")) {
        return Ok(WebhookEvent::Live(LiveEvent {
            provider_call_id: call_id(&raw).ok_or(ParseError::NoCall)?,
            message,
            category: text(&raw, "category"),
            level: text(&raw, "log_level"),
        }));
    }
    call_detail(raw).map(|call| WebhookEvent::PostCall(Box::new(call))).ok_or(ParseError::NoCall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn check(secret: &str, signature: &str, body: &str) -> bool {
        let headers = [(SIGNATURE_HEADER.to_owned(), signature.to_owned())].into();
        verify_webhook(&Secret::new(secret), &headers, body.as_bytes())
    }

    #[test]
    fn signature_vectors() {
        // RFC 4231, case 2, and the vector known from many descriptions of HMAC.
        for (secret, body, signature) in [
            (
                "Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "key",
                "The quick brown fox jumps over the lazy dog",
                "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
            ),
        ] {
            assert_eq!(sign(&Secret::new(secret), body.as_bytes()), signature);
            assert!(check(secret, signature, body));
            assert!(!check("other", signature, body));
            assert!(!check(secret, signature, &format!("{body} ")));
            assert!(!check(secret, &signature[..62], body));
            assert!(!check(secret, &format!("{signature}00"), body));
        }
    }

    #[test]
    fn nothing_passes_without_secret_or_signature() {
        let signed_with_nothing = sign(&Secret::new(""), b"{}");
        assert!(!check("", &signed_with_nothing, "{}"));
        for signature in ["", "zz", "é"] {
            assert!(!check("key", signature, "{}"));
        }
        assert!(!verify_webhook(&Secret::new("key"), &BTreeMap::new(), b"{}"));
    }

    #[test]
    fn tells_events_apart_by_shape() {
        let live =
            parse_webhook(br#"{"message": "Handling", "call_id": "c-1", "category": "call", "log_level": "info"}"#);
        let Ok(WebhookEvent::Live(live)) = live else { panic!("{live:?}") };
        assert_eq!((live.provider_call_id.as_str(), live.message.as_str()), ("c-1", "Handling"));
        assert_eq!((live.category.as_deref(), live.level.as_deref()), (Some("call"), Some("info")));

        // A call's object may carry a message too.
        let post = parse_webhook(br#"{"call_id": "c-1", "message": "done", "status": "completed", "completed": true}"#);
        let Ok(WebhookEvent::PostCall(call)) = post else { panic!("{post:?}") };
        assert_eq!(call.outcome, Some(Outcome::Completed));
        assert!(matches!(parse_webhook(br#"{"call_id": "c-1"}"#), Ok(WebhookEvent::PostCall(_))));
    }

    #[test]
    fn refuses_what_says_nothing() {
        let deep = "[".repeat(100_000);
        for body in ["", "7", "[]", "null", "{", "\u{0}", &deep] {
            assert_eq!(parse_webhook(body.as_bytes()), Err(ParseError::NotAnObject));
        }
        assert_eq!(parse_webhook(&[0xff, 0xfe]), Err(ParseError::NotAnObject));
        for body in ["{}", r#"{"message": "x"}"#, r#"{"status": "completed"}"#, r#"{"call_id": 7}"#] {
            assert_eq!(parse_webhook(body.as_bytes()), Err(ParseError::NoCall), "{body}");
        }
    }
}
