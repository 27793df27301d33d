//! The RPCs, one function each.

mod accounts;
mod keys;
mod sessions;
mod users;

pub use accounts::Accounts;
pub use keys::Keys;
pub use sessions::Sessions;
pub use users::Users;

use crate::domain::signing_key::Signer;
use crate::hasher::Hasher;
use crate::store::user::UserRow;
use crate::tenancy::Tenancy;
use crate::vault::Vault;
use callfairy_core::Clock;
use db::Pool;
use proto::auth::{Role, User};
use std::sync::Arc;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct State {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    pub vault: Vault,
    pub hasher: Hasher,
    pub signer: Arc<Signer>,
    pub tenancy: Tenancy,
}

fn message(row: UserRow, role: Role) -> User {
    User {
        id: row.id.to_string(),
        is_active: row.is_active,
        email_verified: row.is_verified(),
        email: row.email,
        name: row.name,
        role: role.into(),
        company: row.company,
        job_title: row.job_title,
        phone: row.phone,
        created_at: Some(row.created_at.0.into()),
    }
}
