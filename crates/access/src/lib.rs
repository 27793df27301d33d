//! Who calls, what they may do, and the guard that stands before every handler.
//!
//! Owns: tokens as verifiers see them, service identities, the snapshot of a caller's access, the enforcement of the
//! contract's access options for people and for API keys, and typed calls to a service, over the wire or in this process. Refuses: facts. Who is
//! whose agent is told by the authority (tenancy), who has which account by auth.
//!
//! A handler takes a [`Call`], which only the guard can make, after it has checked; a query of an organisation's data
//! takes an [`OrgScope`], which only a checked call can give. So no handler can forget the check:
//!
//! ```compile_fail
//! fn forge() -> access::OrgScope {
//!     access::OrgScope { organisation_id: callfairy_core::OrganisationId::new() }
//! }
//! ```
//!
//! To add a kind of rule: a field in the option `Access` of the contract, a variant in `proto::Access`, a line in
//! `guard::Guard::decide`.

mod authority;
mod call;
mod caller;
mod client;
mod guard;
mod identity;
mod keys;
mod latest_change;
mod meta;
mod permissions;
mod refusals;
mod scope;
mod services;
mod snapshots;
mod token;
mod wire;

#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/services.rs"));
}

pub use authority::{AsOf, Changes, KeyHash, Relation, RemoteAuthority, Snapshot, SnapshotSource, WorkingKey};
pub use call::{Call, Replies, Scoped, SignedIn, StreamCall};
pub use caller::{ApiKey, Caller, User};
pub use client::{Client, LocalSlot};
pub use generated::*;
pub use guard::Guard;
pub use identity::{InternalKey, ServiceIdentity};
pub use keys::{AuthKeys, KeySource, VerificationKeys};
pub use latest_change::LatestChange;
pub use meta::{MAX_REQUEST_TIME, Meta, Origin};
pub use permissions::PermissionSet;
pub use refusals::{Door, REFUSALS_WINDOW, Refusal, Refusals, Refused};
pub use scope::{OrgScope, SystemScope};
pub use services::Services;
pub use snapshots::{LEASE, Snapshots};
pub use token::{ACCESS_TOKEN_TYPE, AUDIENCE, AccessClaims, ISSUER, TokenVerifier};
pub use wire::WireServices;
