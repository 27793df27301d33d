//! Rows and queries; each written once for both databases.

pub mod assistants;
pub mod attempts;
pub mod call_events;
pub mod calls;
pub mod campaigns;
pub mod contact_batch;
pub mod contacts;
pub mod imports;
pub mod pacing;
pub mod schema;
pub mod stream;
pub mod suppressions;
pub mod transitions;
pub mod webhook_inbox;
