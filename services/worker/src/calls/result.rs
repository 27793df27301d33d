//! What a POST came to, in telephony's terms.

use proto::jobs::{ReportSendRequest, SendResult};
use std::time::Duration;
use voice::{PlaceError, Placed};

/// Without the attempt it belongs to.
pub fn report(placed: Result<Placed, PlaceError>) -> ReportSendRequest {
    let of = |result: SendResult, message| ReportSendRequest { result: result.into(), message, ..Default::default() };
    match placed {
        Ok(placed) => {
            ReportSendRequest { provider_call_id: placed.provider_call_id, ..of(SendResult::Accepted, String::new()) }
        }
        Err(PlaceError::NotSent(message)) => of(SendResult::NotSent, message),
        Err(PlaceError::Refused { message, suppress }) => {
            ReportSendRequest { suppress, ..of(SendResult::Refused, message) }
        }
        Err(PlaceError::AccountBlocked { message }) => of(SendResult::AccountBlocked, message),
        Err(PlaceError::SlowDown { retry_after, message }) => ReportSendRequest {
            retry_after_seconds: retry_after.map(seconds).unwrap_or_default(),
            ..of(SendResult::SlowDown, message)
        },
        Err(error @ PlaceError::NumberTooSoon { retry_after }) => ReportSendRequest {
            retry_after_seconds: seconds(retry_after),
            ..of(SendResult::SlowDown, error.to_string())
        },
        Err(PlaceError::Unknown(message)) => of(SendResult::Unknown, message),
    }
}

/// Rounded up, so that nobody comes back too soon; 0 would mean that nothing was said.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_post_has_its_result() {
        let text = || "why".to_owned();
        let wait = Duration::from_millis(1_500);
        let expected = |result: SendResult, message: &str, retry_after_seconds, suppress| ReportSendRequest {
            result: result.into(),
            message: message.to_owned(),
            retry_after_seconds,
            suppress,
            ..Default::default()
        };
        for (error, report_of_it) in [
            (PlaceError::NotSent(text()), expected(SendResult::NotSent, "why", 0, false)),
            (PlaceError::Refused { message: text(), suppress: false }, expected(SendResult::Refused, "why", 0, false)),
            (PlaceError::Refused { message: text(), suppress: true }, expected(SendResult::Refused, "why", 0, true)),
            (PlaceError::AccountBlocked { message: text() }, expected(SendResult::AccountBlocked, "why", 0, false)),
            (
                PlaceError::SlowDown { retry_after: None, message: text() },
                expected(SendResult::SlowDown, "why", 0, false),
            ),
            (
                PlaceError::SlowDown { retry_after: Some(wait), message: text() },
                expected(SendResult::SlowDown, "why", 2, false),
            ),
            (
                PlaceError::SlowDown { retry_after: Some(Duration::ZERO), message: text() },
                expected(SendResult::SlowDown, "why", 1, false),
            ),
            (
                PlaceError::NumberTooSoon { retry_after: Duration::from_secs(10) },
                expected(SendResult::SlowDown, "the number was called too recently", 10, false),
            ),
            (PlaceError::Unknown(text()), expected(SendResult::Unknown, "why", 0, false)),
        ] {
            assert_eq!(report(Err(error.clone())), report_of_it, "{error:?}");
        }
        let placed = report(Ok(Placed { provider_call_id: "c-1".into() }));
        assert_eq!((placed.result(), placed.provider_call_id.as_str()), (SendResult::Accepted, "c-1"));
    }
}
