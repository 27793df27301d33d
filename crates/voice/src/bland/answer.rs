//! What an answer that is not a success means: Bland's three error shapes, and one table.

use crate::http::{BodyError, MAX_ANSWER_BYTES, clean, read_body, retry_after};
use crate::{LookupError, PlaceError, Placed, StopError};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// How long to leave a number alone when the provider says it was called too recently and not for how long.
const SAME_NUMBER_WAIT: Duration = Duration::from_secs(10);

/// An answer, read as far as it could be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    /// `Null` if the body is not JSON, too large, or broke off.
    pub body: Value,
}

impl Answer {
    /// Whatever of it can be read: where the body cannot, the status alone decides.
    pub async fn read(response: Response) -> Self {
        let head = Self::head(&response);
        let body = read_body(response, MAX_ANSWER_BYTES).await.unwrap_or_default();
        head.with(&body)
    }

    /// The whole of it, or why not: where the body is what was asked for.
    pub async fn try_read(response: Response) -> Result<Self, LookupError> {
        let head = Self::head(&response);
        match read_body(response, MAX_ANSWER_BYTES).await {
            Ok(body) => Ok(head.with(&body)),
            Err(BodyError::TooLarge) => Err(LookupError::TooLarge { limit: MAX_ANSWER_BYTES }),
            Err(BodyError::Broken(error)) => Err(LookupError::Unreachable(error)),
        }
    }

    fn head(response: &Response) -> Self {
        Self { status: response.status(), retry_after: retry_after(response), body: Value::Null }
    }

    fn with(self, body: &[u8]) -> Self {
        Self { body: serde_json::from_slice(body).unwrap_or_default(), ..self }
    }

    /// All that the body says of the error, on one line, whichever shape it has:
    /// 1. `{"status": "error", "message": str, "errors": [str]?}`
    /// 2. `{"data": null, "errors": [{"error": CODE, "message": str}]}`
    /// 3. `{"error": str, "details"?}`
    pub fn message(&self) -> String {
        let mut parts = Vec::new();
        for key in ["message", "error", "details"] {
            match &self.body[key] {
                Value::Null => {}
                Value::String(text) => parts.push(text.clone()),
                other => parts.push(other.to_string()),
            }
        }
        for error in self.body["errors"].as_array().into_iter().flatten() {
            match error {
                Value::String(text) => parts.push(text.clone()),
                error => parts.extend(["error", "message"].iter().filter_map(|key| Some(error[key].as_str()?.into()))),
            }
        }
        if parts.is_empty() { format!("HTTP {}", self.status.as_u16()) } else { clean(&parts.join(": ")) }
    }

    fn says(&self, words: &str) -> bool {
        self.message().to_ascii_lowercase().contains(words)
    }

    fn is_do_not_call(&self) -> bool {
        self.body["status"].as_str().is_some_and(|status| status.to_ascii_lowercase().contains("dnc"))
    }

    /// The answer to `POST /v1/calls`. What the table does not know is unknown: it may have dialed.
    pub fn placed(&self) -> Result<Placed, PlaceError> {
        let message = self.message();
        Err(match self.status.as_u16() {
            200..=299 => match self.body["call_id"].as_str() {
                Some(id) if is_call_id(id) => return Ok(Placed { provider_call_id: id.to_owned() }),
                _ => PlaceError::Unknown(format!("accepted without a call id: {message}")),
            },
            401..=403 => PlaceError::AccountBlocked { message },
            429 if self.says("blacklisted") => PlaceError::Refused { message, suppress: false },
            429 if self.says("same number") => {
                PlaceError::NumberTooSoon { retry_after: self.retry_after.unwrap_or(SAME_NUMBER_WAIT) }
            }
            429 => PlaceError::SlowDown { retry_after: self.retry_after, message },
            // Said by whatever stands in between, which may have passed the request on.
            408 | 425 | 499 => PlaceError::Unknown(message),
            400..=499 => PlaceError::Refused { message, suppress: self.is_do_not_call() },
            _ => PlaceError::Unknown(message),
        })
    }

    /// The answer to a GET: the body, or `None` where there is no such thing.
    pub fn found(self) -> Result<Option<Value>, LookupError> {
        let message = self.message();
        Err(match self.status.as_u16() {
            200..=299 if self.body.is_object() => return Ok(Some(self.body)),
            200..=299 => LookupError::Unreadable("not a JSON object".to_owned()),
            // Errors of the provider's own are JSON objects. Any other 404 speaks for whatever stands in between.
            404 if self.body.is_object() => return Ok(None),
            404 => LookupError::Unreadable("404, and not in the provider's words".to_owned()),
            400 if self.says("not found") => return Ok(None),
            401..=403 => LookupError::AccountBlocked { message },
            429 => LookupError::SlowDown { retry_after: self.retry_after, message },
            408 | 425 | 500.. => LookupError::Unreachable(message),
            _ => LookupError::Refused(message),
        })
    }

    /// The answer to `POST /v1/calls/{id}/stop`.
    pub fn stopped(&self) -> Result<(), StopError> {
        let message = self.message();
        Err(match self.status.as_u16() {
            // Which status "SID not found" has is not documented; 200 with an error inside is possible.
            _ if self.says("sid not found") => StopError::NotActive(message),
            400 if self.says("not found") => StopError::NotActive(message),
            200..=299 if self.body["status"] == "error" => StopError::Refused(message),
            200..=299 => return Ok(()),
            404 => StopError::NotActive(message),
            401..=403 => StopError::AccountBlocked { message },
            429 => StopError::SlowDown { retry_after: self.retry_after, message },
            408 | 425 | 500.. => StopError::Unreachable(message),
            _ => StopError::Refused(message),
        })
    }
}

/// Whether this may be a call's id. It becomes part of a path.
pub(crate) fn is_call_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }
    }

    fn refused(message: &str, suppress: bool) -> Result<Placed, PlaceError> {
        Err(PlaceError::Refused { message: message.into(), suppress })
    }

    fn blocked(message: &str) -> Result<Placed, PlaceError> {
        Err(PlaceError::AccountBlocked { message: message.into() })
    }

    fn slow(message: &str) -> Result<Placed, PlaceError> {
        Err(PlaceError::SlowDown { retry_after: None, message: message.into() })
    }

    #[test]
    fn every_row_of_the_table() {
        let coded = |code: &str| json!({"data": null, "errors": [{"error": code, "message": "Stop"}]});
        let soon = "Calls can only be sent every 10 seconds to the same number. Please wait.";
        for (status, body, expected) in [
            (400, json!({"status": "error", "message": "Bad", "errors": ["a", "b"]}), refused("Bad: a: b", false)),
            (400, json!({"status": "DNC Error", "message": "On the list"}), refused("On the list", true)),
            (401, coded("AUTH_FAILURE"), blocked("AUTH_FAILURE: Stop")),
            (
                402,
                json!({"error": "Insufficient balance", "details": {"balance": 0}}),
                blocked("Insufficient balance: {\"balance\":0}"),
            ),
            (403, json!({"status": "error", "message": "Flagged"}), blocked("Flagged")),
            (404, json!({"status": "error", "message": "No such pathway"}), refused("No such pathway", false)),
            (429, json!({"error": "Rate limit exceeded"}), slow("Rate limit exceeded")),
            (429, coded("CALL_RL_PLAN_CONCURRENCY"), slow("CALL_RL_PLAN_CONCURRENCY: Stop")),
            (429, coded("CALL_RL_PLAN_DAILY_MINUTES"), slow("CALL_RL_PLAN_DAILY_MINUTES: Stop")),
            (429, Value::Null, slow("HTTP 429")),
            (
                429,
                json!({"status": "error", "message": soon}),
                Err(PlaceError::NumberTooSoon { retry_after: Duration::from_secs(10) }),
            ),
            (
                429,
                json!({"status": "error", "message": "This number is blacklisted."}),
                refused("This number is blacklisted.", false),
            ),
            (500, json!({"error": "Oops"}), Err(PlaceError::Unknown("Oops".into()))),
            (503, Value::Null, Err(PlaceError::Unknown("HTTP 503".into()))),
            (408, Value::Null, Err(PlaceError::Unknown("HTTP 408".into()))),
            (302, Value::Null, Err(PlaceError::Unknown("HTTP 302".into()))),
            (422, Value::Null, refused("HTTP 422", false)),
            (200, json!({"status": "success", "call_id": "1f-2"}), Ok(Placed { provider_call_id: "1f-2".into() })),
        ] {
            assert_eq!(answer(status, body.clone()).placed(), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_success_without_a_usable_id_is_unknown() {
        for body in [Value::Null, json!({}), json!({"call_id": 7}), json!({"call_id": "../x"}), json!({"call_id": ""})]
        {
            assert!(matches!(answer(200, body.clone()).placed(), Err(PlaceError::Unknown(_))), "{body}");
        }
    }

    #[test]
    fn a_wait_that_comes_is_honoured() {
        let wait = Some(Duration::from_secs(3));
        let with = |body| Answer { retry_after: wait, ..answer(429, body) }.placed();
        assert!(matches!(with(Value::Null), Err(PlaceError::SlowDown { retry_after, .. }) if retry_after == wait));
        let too_soon = with(json!({"message": "Calls can only be sent every 10 seconds to the same number"}));
        assert_eq!(too_soon, Err(PlaceError::NumberTooSoon { retry_after: Duration::from_secs(3) }));
    }

    #[test]
    fn lookups() {
        assert_eq!(answer(200, json!({"a": 1})).found(), Ok(Some(json!({"a": 1}))));
        assert_eq!(answer(404, json!({"status": "error", "message": "No such call"})).found(), Ok(None));
        assert!(matches!(answer(404, Value::Null).found(), Err(LookupError::Unreadable(_))));
        assert_eq!(answer(400, json!({"message": "Call not found"})).found(), Ok(None));
        assert!(matches!(answer(200, json!([])).found(), Err(LookupError::Unreadable(_))));
        assert!(matches!(answer(400, Value::Null).found(), Err(LookupError::Refused(_))));
        assert!(matches!(answer(401, Value::Null).found(), Err(LookupError::AccountBlocked { .. })));
        assert!(matches!(answer(429, Value::Null).found(), Err(LookupError::SlowDown { .. })));
        assert!(matches!(answer(502, Value::Null).found(), Err(LookupError::Unreachable(_))));
    }

    #[test]
    fn stops() {
        let gone = json!({"status": "error", "message": "SID not found for the given c_id."});
        assert_eq!(answer(200, json!({"status": "success", "message": "Call ended successfully."})).stopped(), Ok(()));
        for status in [200, 400, 404, 500] {
            assert!(matches!(answer(status, gone.clone()).stopped(), Err(StopError::NotActive(_))), "{status}");
        }
        assert!(matches!(answer(401, Value::Null).stopped(), Err(StopError::AccountBlocked { .. })));
        assert!(matches!(answer(429, Value::Null).stopped(), Err(StopError::SlowDown { .. })));
        assert!(matches!(answer(500, Value::Null).stopped(), Err(StopError::Unreachable(_))));
        assert!(matches!(answer(400, Value::Null).stopped(), Err(StopError::Refused(_))));
    }
}
