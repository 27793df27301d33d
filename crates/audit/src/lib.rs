//! What every service tells the audit log.
//!
//! Owns: what an [`Entry`] may hold, and its way: it is written into the service's outbox in the transaction of the change
//! that it tells of ([`record`]), and taken from there to tenancy, which has the log ([`Trail`]). Refuses: text that
//! somebody typed. The log can never be edited, so an entry holds ids, counts, and words that stand in our code; the
//! type of a detail has no way in for anything else.
//!
//! An entry is recorded if and only if its change is committed. It is delivered at least once, for as long as it takes:
//! the outbox forgets it when tenancy has committed it, whatever dies between; and tenancy knows by its id one that
//! comes again.
//!
//! ```
//! # use access::{Call, Caller};
//! # use audit::{Action, Entry, Subject};
//! # use callfairy_core::{OrganisationId, Timestamp, UserId};
//! # use proto::Permission;
//! # fn change(db: &mut db::Db) -> db::diesel::QueryResult<()> { Ok(()) }
//! # fn grant(db: &mut db::Db, call: &Call<proto::rpc::grants::GrantUserPermission>, user: UserId, now: Timestamp)
//! #     -> db::diesel::QueryResult<()> {
//! // In the handler:
//! let entry = Entry::of(call, Action::PermissionGranted)
//!     .about(Subject::User, user)
//!     .with("permission", Permission::ViewCalls);
//! // In the transaction of the change:
//! change(db)?;
//! audit::record(db, &entry, now)?;
//! # Ok(())
//! # }
//! ```
//!
//! A service publishes its outbox's rows of the [`TOPIC`] with its [`Trail`], and runs [`refusals`] beside its RPCs, so
//! that what its guard and its handlers refuse is recorded too.
//!
//! To add an action or a kind of subject: a variant in `action.rs`.

mod action;
mod detail;
mod entry;
mod refusals;
mod trail;

pub use action::{Action, Subject};
pub use detail::Detail;
pub use entry::{Actor, Entry, TOPIC, record};
pub use refusals::refusals;
pub use trail::Trail;
