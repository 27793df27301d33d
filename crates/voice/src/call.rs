//! A call as a provider reports it, in our own terms.

use callfairy_core::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// What is known of a call. Whatever the provider did not say, or said in a way that is not understood, is
/// `None` here and still in `raw`.
#[derive(Debug, Clone, PartialEq)]
pub struct CallDetail {
    pub provider_call_id: String,
    /// Ours, from the metadata that [`crate::VoiceProvider::place`] sent along.
    pub call_id: Option<Uuid>,
    pub attempt_id: Option<Uuid>,
    pub to: Option<String>,
    pub from: Option<String>,
    pub progress: Progress,
    /// Present exactly when `progress` is [`Progress::Ended`].
    pub outcome: Option<Outcome>,
    /// Why it failed, where the provider's message is one of the known ones.
    pub failure: Option<Failure>,
    pub answered_by: Option<AnsweredBy>,
    pub duration: Option<Duration>,
    /// Millionths of a US dollar.
    pub price_micro_usd: Option<i64>,
    pub created_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub transcript: Vec<Turn>,
    /// The whole conversation as one text.
    pub transcript_text: Option<String>,
    pub summary: Option<String>,
    pub recording_url: Option<String>,
    pub error_message: Option<String>,
    /// The provider's word for how it went, such as `DO_NOT_CONTACT`.
    pub disposition: Option<String>,
    pub transferred_to: Option<String>,
    /// The provider's answer as it came.
    pub raw: serde_json::Value,
}

/// How far a call is. Ordered: a call never moves back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    Queued,
    Ringing,
    InProgress,
    Ended,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Completed,
    NoAnswer,
    Busy,
    Failed,
    /// A machine answered.
    Voicemail,
    Canceled,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no such number; dialing it again is useless.
    NumberNotFound,
    /// Switched off or out of reach for now.
    Unavailable,
    Busy,
    /// The caller's own number is taken for spam: another caller id is needed.
    CallerBlocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnsweredBy {
    Human,
    Voicemail,
    NoAnswer,
    Unknown,
}

/// One utterance, in the order spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub speaker: Speaker,
    pub text: String,
    pub at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The called person.
    Person,
    Assistant,
    /// Not speech: something the assistant did, such as a transfer.
    Action,
}
