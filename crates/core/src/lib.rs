//! The vocabulary of every crate: ids, time, pages, the closed error codes, secrets.
//!
//! Owns: what several services must spell alike. Refuses: input and output of any kind, and anything
//! that only one service needs.
//!
//! To add an error code: a variant in [`ErrorCode`], then the compiler asks for its gRPC status
//! (`proto::status`) and its HTTP status (`gateway::problem`).

mod error;
mod id;
mod once;
mod page;
mod secret;
mod time;

pub use error::{ErrorCode, FieldError, Problem};
pub use id::{Id, IdError, Organisation, OrganisationId, User, UserId};
pub use once::OnceKey;
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, PageToken};
pub use secret::Secret;
pub use time::{Clock, SystemClock, Timestamp, TimestampError};
