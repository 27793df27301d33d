//! Where a call stands, and where it may go from there.

use proto::telephony as api;

db::text_enum!(
    /// The states of a call; see `may_become`.
    pub enum CallStatus {
        Queued = "queued",
        Dialing = "dialing",
        Ringing = "ringing",
        InProgress = "in_progress",
        Completed = "completed",
        NoAnswer = "no_answer",
        Busy = "busy",
        Failed = "failed",
        Voicemail = "voicemail",
        Canceled = "canceled",
        /// It may have been dialed; its outcome is being found out.
        Unknown = "unknown",
        /// The gate refused it for good.
        Blocked = "blocked",
    }
);

/// What a campaign counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    Queued,
    Active,
    Completed,
    NoAnswer,
    Busy,
    Voicemail,
    Failed,
    Canceled,
    Blocked,
    Unknown,
}

impl CallStatus {
    /// Nothing changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed
                | Self::NoAnswer
                | Self::Busy
                | Self::Failed
                | Self::Voicemail
                | Self::Canceled
                | Self::Blocked
        )
    }

    /// The only transitions there are. Whatever comes late or twice finds no way back.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Dialing | Self::Canceled | Self::Blocked),
            // Back to the queue when it was certainly not dialed.
            Self::Dialing => {
                matches!(next, Self::Queued | Self::Ringing | Self::InProgress | Self::Unknown) || next.is_outcome()
            }
            Self::Ringing => matches!(next, Self::InProgress | Self::Unknown) || next.is_outcome(),
            Self::InProgress => matches!(next, Self::Unknown) || next.is_outcome(),
            Self::Unknown => matches!(next, Self::Dialing | Self::Ringing | Self::InProgress) || next.is_outcome(),
            Self::Completed
            | Self::NoAnswer
            | Self::Busy
            | Self::Failed
            | Self::Voicemail
            | Self::Canceled
            | Self::Blocked => false,
        }
    }

    /// How a call that was handed over can end.
    const fn is_outcome(self) -> bool {
        matches!(self, Self::Completed | Self::NoAnswer | Self::Busy | Self::Failed | Self::Voicemail | Self::Canceled)
    }

    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Queued => Bucket::Queued,
            Self::Dialing | Self::Ringing | Self::InProgress => Bucket::Active,
            Self::Completed => Bucket::Completed,
            Self::NoAnswer => Bucket::NoAnswer,
            Self::Busy => Bucket::Busy,
            Self::Failed => Bucket::Failed,
            Self::Voicemail => Bucket::Voicemail,
            Self::Canceled => Bucket::Canceled,
            Self::Unknown => Bucket::Unknown,
            Self::Blocked => Bucket::Blocked,
        }
    }

    pub const fn to_api(self) -> api::CallStatus {
        match self {
            Self::Queued => api::CallStatus::Queued,
            Self::Dialing => api::CallStatus::Dialing,
            Self::Ringing => api::CallStatus::Ringing,
            Self::InProgress => api::CallStatus::InProgress,
            Self::Completed => api::CallStatus::Completed,
            Self::NoAnswer => api::CallStatus::NoAnswer,
            Self::Busy => api::CallStatus::Busy,
            Self::Failed => api::CallStatus::Failed,
            Self::Voicemail => api::CallStatus::Voicemail,
            Self::Canceled => api::CallStatus::Canceled,
            Self::Unknown => api::CallStatus::Unknown,
            Self::Blocked => api::CallStatus::Blocked,
        }
    }

    /// `None` for the unspecified one.
    pub fn from_api(status: api::CallStatus) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.to_api() == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_final_state() {
        for from in CallStatus::ALL.iter().filter(|s| s.is_final()) {
            assert!(CallStatus::ALL.iter().all(|to| !from.may_become(*to)), "{from}");
        }
    }

    #[test]
    fn every_state_that_is_not_final_can_end() {
        for from in CallStatus::ALL.iter().filter(|s| !s.is_final()) {
            assert!(CallStatus::ALL.iter().any(|to| to.is_final() && from.may_become(*to)), "{from}");
        }
    }

    /// Whatever happens, a call that may have been dialed is never queued again.
    #[test]
    fn what_may_have_been_dialed_does_not_return_to_the_queue() {
        for from in [CallStatus::Ringing, CallStatus::InProgress, CallStatus::Unknown] {
            assert!(!from.may_become(CallStatus::Queued), "{from}");
        }
    }

    #[test]
    fn reads_what_the_api_writes() {
        for status in CallStatus::ALL {
            assert_eq!(CallStatus::from_api(status.to_api()), Some(*status));
        }
        assert_eq!(CallStatus::from_api(api::CallStatus::Unspecified), None);
    }
}
