//! What a provider's report means for a call.

use crate::domain::call_status::CallStatus;
use proto::jobs::{CallOutcome, CallProgress, CallReport};

/// Where the report says that the call stands.
pub fn status(report: &CallReport) -> CallStatus {
    match report.progress() {
        CallProgress::Unspecified | CallProgress::Queued => CallStatus::Dialing,
        CallProgress::Ringing => CallStatus::Ringing,
        CallProgress::InProgress => CallStatus::InProgress,
        CallProgress::Ended => match report.outcome() {
            CallOutcome::Completed => CallStatus::Completed,
            CallOutcome::NoAnswer => CallStatus::NoAnswer,
            CallOutcome::Busy => CallStatus::Busy,
            CallOutcome::Voicemail => CallStatus::Voicemail,
            CallOutcome::Canceled => CallStatus::Canceled,
            // It ended, and nobody said how.
            CallOutcome::Failed | CallOutcome::Unspecified => CallStatus::Failed,
        },
    }
}

/// The provider's word for somebody who must not be called again.
pub fn is_opt_out(report: &CallReport) -> bool {
    report.disposition == "DO_NOT_CONTACT"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_without_an_outcome_is_a_failure() {
        let report = CallReport { progress: CallProgress::Ended.into(), ..CallReport::default() };
        assert_eq!(status(&report), CallStatus::Failed);
    }

    #[test]
    fn every_outcome_is_final() {
        for outcome in 0..=6 {
            let report = CallReport { progress: CallProgress::Ended.into(), outcome, ..CallReport::default() };
            assert!(status(&report).is_final());
        }
    }
}
