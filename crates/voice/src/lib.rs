//! The voice provider: what the platform needs of one ([`VoiceProvider`]), the client of Bland AI
//! ([`Bland`]), and a simulator that speaks Bland's HTTP API ([`simulator`]).
//!
//! Owns: the words of a provider and their translation into ours, and into the contract's (`report`); what is certain and what is unknown
//! after a failed request. Refuses: deciding whether, when or how often to dial; storing anything.
//! Nothing here repeats a request: whoever calls decides, because a request that failed may have dialed.
//!
//! To add a provider: a module with one type that implements [`VoiceProvider`]; its mapping of answers as
//! a pure function with a test for each row of the provider's error table; a server that speaks its API in
//! [`simulator`], so that the client is tried over a socket.

mod address;
pub mod bland;
mod call;
pub mod http;
mod port;
mod report;
pub mod simulator;

pub use address::is_public;
pub use bland::Bland;
pub use call::{AnsweredBy, CallDetail, Failure, Outcome, Progress, Speaker, Turn};
pub use port::{
    ATTEMPT_ID_KEY, ATTEMPT_KEY, Account, CALL_ID_KEY, CallOrder, LiveEvent, LookupError, ParseError, PlaceError,
    Placed, Recording, StopError, VoiceProvider, Voicemail, VoicemailAction, WebhookEvent,
};
