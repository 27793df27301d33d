//! The RPCs, one function each.

mod accounts;
mod email_domains;
mod google;
mod invitations;
mod keys;
mod membership_mail;
mod passwords;
mod sessions;
mod signing_in;
mod totp;
mod users;

pub use accounts::Accounts;
pub use email_domains::AllowedEmailDomains;
pub use google::GoogleSignIn;
pub use invitations::UserInvitations;
pub use keys::Keys;
pub use membership_mail::MembershipMail;
pub use passwords::Passwords;
pub use sessions::Sessions;
pub use totp::Totp;
pub use users::Users;

use crate::Error;
use crate::domain::throttle::Counter;
use crate::hasher::Hasher;
use crate::keys::Signers;
use crate::store::link::{self, Asked};
use crate::store::user::{self, UserRow};
use crate::store::{attempts, session};
use crate::tenancy::Tenancy;
use crate::vault::Vault;
use access::User;
use audit::Entry;
use callfairy_core::{Clock, Problem, Secret, Timestamp, UserId};
use db::{Db, Pool};
use proto::auth::Role;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct State {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    pub vault: Vault,
    pub hasher: Hasher,
    pub signers: Signers,
    pub tenancy: Tenancy,
}

impl State {
    /// Tells tenancy how the account stands, so that an answer comes after its effect. What cannot be told now is told from
    /// the outbox.
    async fn tell(&self, id: UserId) {
        let now = self.clock.now();
        let told = async {
            let fact = move |db: &mut Db| Ok::<_, Error>((user::find(db, id)?, session::ended(db, id, now)?));
            match self.pool.read(fact).await? {
                (Some(user), ended) => self.tenancy.report(&user, &ended).await,
                (None, _) => Ok(()),
            }
        };
        if let Err(problem) = told.await {
            tracing::debug!(%problem, "an account was not reported at once");
        }
    }

    /// What is no part of a change.
    async fn record(&self, entry: Entry) -> Result<(), Problem> {
        let now = self.clock.now();
        Ok(self.pool.write(move |db| Ok::<_, Error>(audit::record(db, &entry, now)?)).await?)
    }

    /// The same work whether or not the address is known.
    async fn ask_for_link(&self, asked: Asked, trace: &BTreeMap<String, String>) -> Result<(), Problem> {
        let trace = trace.clone();
        Ok(self.pool.write(move |db| Ok::<_, Error>(link::ask(db, &asked, &trace)?)).await?)
    }

    /// The caller's account.
    async fn account(&self, caller: User) -> Result<UserRow, Problem> {
        let row = self.pool.read(move |db| Ok::<_, Error>(user::find(db, caller.id)?)).await?;
        row.ok_or_else(no_account)
    }

    /// Refuses a wrong password; the problem names the field.
    async fn check_password(&self, user: &UserRow, field: &str, password: String) -> Result<(), Problem> {
        let (counter, hash) = (Counter::of_user(user.id.0), Some(user.password_hash.clone()));
        if !self.verify_counted(vec![counter.clone()], Secret::new(password), hash).await? {
            return Err(Problem::field(field, "is not your password"));
        }
        Ok(self.pool.write(move |db| Ok::<_, Error>(attempts::forget(db, &counter)?)).await?)
    }

    /// Whether the password has this hash, if few enough were tried. A right one is still counted.
    async fn verify_counted(
        &self,
        counters: Vec<Counter>,
        password: Secret,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        self.count_attempt(counters.clone(), self.clock.now()).await?;
        let verified = self.hasher.verify(password, hash).await;
        if verified.is_err() {
            // Nobody has looked at it.
            let take_back = move |db: &mut Db| {
                counters.iter().try_for_each(|counter| attempts::take_back(db, counter)).map_err(Error::from)
            };
            self.pool.write(take_back).await?;
        }
        Ok(verified?)
    }

    /// Before a password is looked at.
    async fn count_attempt(&self, counters: Vec<Counter>, now: Timestamp) -> Result<(), Problem> {
        let counted = self.pool.write(move |db| Ok::<_, Error>(attempts::count(db, &counters, now)?));
        counted.await?.map_or(Ok(()), |wait| Err(wait.into()))
    }
}

fn no_account() -> Problem {
    Problem::unauthenticated("the account does not exist any more")
}

fn message(row: UserRow, role: Role) -> proto::auth::User {
    proto::auth::User {
        id: row.id.to_string(),
        is_active: row.is_active,
        email_verified: row.is_verified(),
        totp_enabled: row.has_totp(),
        email: row.email,
        name: row.name,
        role: role.into(),
        company: row.company,
        job_title: row.job_title,
        phone: row.phone,
        created_at: Some(row.created_at.0.into()),
    }
}
