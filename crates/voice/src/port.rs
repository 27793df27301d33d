//! What the platform needs of a voice provider.

use crate::CallDetail;
use async_trait::async_trait;
use bytes::Bytes;
use callfairy_core::{Secret, Timestamp};
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// The metadata key that carries [`CallOrder::call_id`].
pub const CALL_ID_KEY: &str = "callfairy_call_id";
/// The metadata key that carries [`CallOrder::attempt_id`].
pub const ATTEMPT_ID_KEY: &str = "callfairy_attempt_id";
/// The metadata key that carries [`CallOrder::attempt`].
pub const ATTEMPT_KEY: &str = "callfairy_attempt";

/// A provider that dials. Every method makes at most one request to the provider that has an effect, and
/// repeats none.
#[async_trait]
pub trait VoiceProvider: Send + Sync + 'static {
    /// Asks for a call to be dialed. The error says what is certain; see [`PlaceError`].
    async fn place(&self, account: &Account, order: &CallOrder) -> Result<Placed, PlaceError>;

    /// Looks for the call of an attempt whose answer was lost: among the calls to `to` created at `since` or
    /// later, the one whose metadata carries `attempt_id`. `Ok(None)` only if every candidate was seen.
    async fn find(
        &self,
        account: &Account,
        to: &str,
        attempt_id: Uuid,
        since: Timestamp,
    ) -> Result<Option<CallDetail>, LookupError>;

    /// `Ok(None)` if the provider says that it does not know the call: a 404 from somebody else in between is an error.
    async fn get(&self, account: &Account, provider_call_id: &str) -> Result<Option<CallDetail>, LookupError>;

    /// Ends a call, or cancels it before it rings.
    async fn stop(&self, account: &Account, provider_call_id: &str) -> Result<(), StopError>;

    /// Streams a recording from the URL of [`CallDetail::recording_url`]. URLs outside the provider's own
    /// origin must be https and lead to a public address: what a webhook says is not trusted to name a host.
    /// [`LookupError::Gone`] if there is no such recording.
    async fn recording(&self, account: &Account, url: &str) -> Result<Recording, LookupError>;

    /// Whether `body`, as it came, was signed with `secret`. `headers` have lower-case names. An empty
    /// secret verifies nothing.
    fn verify_webhook(&self, secret: &Secret, headers: &BTreeMap<String, String>, body: &[u8]) -> bool;

    /// Reads a webhook's body. Call [`Self::verify_webhook`] first.
    fn parse_webhook(&self, body: &[u8]) -> Result<WebhookEvent, ParseError>;
}

/// Whose money is spent: the organisation's own account, or the platform's.
#[derive(Debug, Clone)]
pub struct Account {
    pub api_key: Secret,
    pub base_url: Url,
}

/// One call to be dialed.
#[derive(Debug, Clone, Default)]
pub struct CallOrder {
    pub call_id: Uuid,
    pub attempt_id: Uuid,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// E.164.
    pub to: String,
    /// E.164; absent: the provider's choice.
    pub from: Option<String>,
    /// What the assistant is to do, in prose.
    pub task: String,
    pub first_sentence: Option<String>,
    pub voice: Option<String>,
    pub model: Option<String>,
    pub language: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    pub max_duration_minutes: Option<u32>,
    pub record: bool,
    pub wait_for_greeting: bool,
    pub voicemail: Option<Voicemail>,
    pub summary_prompt: Option<String>,
    /// The words of which the provider picks one for how the call went; empty: its own.
    pub dispositions: Vec<String>,
    /// In the provider's own form.
    pub tools: Vec<serde_json::Value>,
    /// What the task's placeholders stand for.
    pub request_data: BTreeMap<String, String>,
    /// Comes back with every report. The keys above are ours and win.
    pub metadata: BTreeMap<String, String>,
    pub webhook_url: Option<String>,
}

/// What to do when a machine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voicemail {
    pub action: VoicemailAction,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoicemailAction {
    HangUp,
    LeaveMessage,
    Ignore,
}

/// The provider took the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub provider_call_id: String,
}

/// Why there is no [`Placed`]. Messages are the provider's, cut short; no key is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It is certain that no byte of the request left. May be tried again.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Final. `suppress`: the number is on the provider's do-not-call list and must not be called at all.
    #[error("refused: {message}")]
    Refused { message: String, suppress: bool },
    /// Key wrong, account flagged, no balance: no call of this account gets through until people act.
    #[error("the provider account is blocked: {message}")]
    AccountBlocked { message: String },
    /// Not dialed; too many calls at present.
    #[error("the provider asks to slow down: {message}")]
    SlowDown { retry_after: Option<Duration>, message: String },
    /// Not dialed; this number was called a moment ago.
    #[error("the number was called too recently")]
    NumberTooSoon { retry_after: Duration },
    /// May have dialed. Never to be repeated before [`VoiceProvider::find`] has looked.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Why a question to the provider has no answer. Nothing has changed by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No connection, a timeout, a 5xx. May be tried again.
    #[error("the provider is out of reach: {0}")]
    Unreachable(String),
    #[error("the provider account is blocked: {message}")]
    AccountBlocked { message: String },
    #[error("the provider asks to slow down: {message}")]
    SlowDown { retry_after: Option<Duration>, message: String },
    /// The answer is larger than is read.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// There are more calls to look through than are looked at, so "not found" cannot be said.
    #[error("more than {limit} calls to look through")]
    TooMany { limit: usize },
    /// The answer is not what the provider's documentation says.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
    /// Final: a recording that the provider does not have, or no longer.
    #[error("gone: {0}")]
    Gone(String),
    /// Final, such as a URL that is not allowed.
    #[error("refused: {0}")]
    Refused(String),
}

/// Why a call may not have been stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// Unknown to the provider, or over already.
    #[error("there is no such active call: {0}")]
    NotActive(String),
    #[error("the provider account is blocked: {message}")]
    AccountBlocked { message: String },
    #[error("the provider asks to slow down: {message}")]
    SlowDown { retry_after: Option<Duration>, message: String },
    /// No answer: it may or may not have ended. Stopping again does no harm.
    #[error("the provider is out of reach: {0}")]
    Unreachable(String),
    #[error("refused: {0}")]
    Refused(String),
}

/// A recording on its way.
pub struct Recording {
    /// As the server says, not verified.
    pub content_type: String,
    /// Ends with [`LookupError::TooLarge`] when the limit is passed.
    pub bytes: BoxStream<'static, Result<Bytes, LookupError>>,
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookEvent {
    /// A call and its state, normally its end. May come late, twice, or never.
    PostCall(Box<CallDetail>),
    /// Something that happened during a call.
    Live(LiveEvent),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    pub provider_call_id: String,
    pub message: String,
    pub category: Option<String>,
    pub level: Option<String>,
}

/// A webhook's body that says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the body names no call")]
    NoCall,
}
