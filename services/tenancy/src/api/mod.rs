//! The RPCs: one RPC, one function.

mod access;
mod api_keys;
mod audit_log;
mod authority;
mod changes;
mod deactivation;
mod grants;
mod invitations;
mod members;
mod organisations;
mod own_access;
mod settings;

pub use changes::Changes;
pub use own_access::OwnAccess;

use crate::vault::Vault;
use ::access::OrgScope;
use callfairy_core::{Clock, Id, Problem};
use db::Pool;
use std::sync::Arc;

/// What every handler works with.
#[derive(Clone)]
pub struct State {
    /// Shows no row that belongs to an organisation: see [`State::of`].
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    pub changes: Changes,
    pub vault: Vault,
}

impl State {
    /// The tables as one organisation's.
    fn of(&self, scope: &OrgScope) -> Pool {
        self.pool.of(scope.organisation_id())
    }

    /// The tables of all organisations: for the authority's questions, which are about a user wherever that is, and for the
    /// audit log.
    fn of_everyone(&self) -> Pool {
        self.pool.of_everyone()
    }
}

pub struct Organisations(pub State);
pub struct Deactivation(pub State);
pub struct Settings(pub State);
pub struct Access(pub State);
pub struct Grants(pub State);
pub struct Members(pub State);
pub struct MemberInvitations(pub State);
pub struct ApiKeys(pub State);
pub struct Authority(pub State);
pub struct AuditLog(pub State);

/// An id of a request; the contract's rules have seen that it is one.
fn id<T>(field: &str, text: &str) -> Result<Id<T>, Problem> {
    text.parse().map_err(|_| Problem::field(field, "is not a UUID"))
}

fn ids<T>(field: &str, texts: &[String]) -> Result<Vec<Id<T>>, Problem> {
    texts.iter().map(|text| id(field, text)).collect()
}
