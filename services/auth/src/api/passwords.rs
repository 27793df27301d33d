//! Changing a password, and setting a new one when it is forgotten.

use super::accounts::{gone, unknown_token};
use super::{State, no_account};
use crate::Error;
use crate::domain::email::{self, Email};
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::{self, Hash, Kind};
use crate::domain::password::{self, About};
use crate::store::link::{Asked, Wanted};
use crate::store::mail::{self, MailKind, NewMail};
use crate::store::session;
use crate::store::single_use_token::{self, Purpose, Use};
use crate::store::user::{self, UserRow};
use crate::vault::Vault;
use access::Call;
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{Problem, Secret, Timestamp, UserId};
use db::Db;
use proto::rpc::passwords::{ChangePassword, ForgotPassword, ResetPassword};
use proto::types::{Detail, Empty};
use std::collections::BTreeMap;

pub struct Passwords(State);

impl Passwords {
    pub fn new(state: State) -> Self {
        Self(state)
    }

    /// The hash of a password that this user may have.
    async fn hash(&self, user: &UserRow, new_password: String) -> Result<String, Problem> {
        let email = Email { given: user.email.clone(), folded: user.email_folded.clone() };
        let about = About { email: &email, name: &user.name, company: user.company.as_deref() };
        password::check("new_password", &new_password, about)?;
        Ok(self.0.hasher.hash(Secret::new(new_password)).await?)
    }
}

impl access::Passwords for Passwords {
    async fn forgot_password(&self, call: Call<ForgotPassword>) -> Result<Detail, Problem> {
        let asked = Asked { address: email::fold(&call.request.email), wanted: Wanted::PasswordReset };
        self.0.ask_for_link(asked, call.trace()).await?;
        let detail = "If this address has an account, a mail with a link is on its way to it.";
        Ok(Detail { detail: detail.to_owned() })
    }

    async fn reset_password(&self, call: Call<ResetPassword>) -> Result<Detail, Problem> {
        let (state, now, trace) = (&self.0, self.0.clock.now(), call.trace().clone());
        let entry = Entry::of(&call, Action::PasswordReset);
        let request = call.request;
        let hash = opaque_token::read(Kind::SingleUse, &request.token).ok_or_else(unknown_token)?;
        let look = move |db: &mut Db| {
            let token = single_use_token::look_at(db, &hash, RESET, now)?;
            owner(db, token)
        };
        let owner = state.pool.read(look).await?;
        // A password that is refused does not use the token up.
        let password_hash = self.hash(&owner, request.new_password).await?;
        let (id, vault) = (owner.id.0, state.vault.clone());
        let entry = entry.by(Actor::User(id)).about(Subject::User, id);
        let reset = state.pool.write(move |db| {
            user::lock(db, id)?;
            let owner = use_up(db, &hash, now)?;
            let news = News { vault: &vault, trace: &trace, now };
            news.set(db, &owner, &password_hash, None)?;
            Ok::<_, Error>(audit::record(db, &entry, now)?)
        });
        reset.await?;
        tracing::info!(user = %id, "password reset");
        state.tell(id).await;
        Ok(Detail { detail: "The new password is set. Sign in with it.".to_owned() })
    }

    async fn change_password(&self, call: Call<ChangePassword>) -> Result<Empty, Problem> {
        let (state, now, trace) = (&self.0, self.0.clock.now(), call.trace().clone());
        let (caller, entry) = (call.user()?, Entry::of(&call, Action::PasswordChanged));
        let (entry, request) = (entry.about(Subject::User, caller.id), call.request);
        let before = state.account(caller).await?;
        state.check_password(&before, "current_password", request.current_password).await?;
        let password_hash = self.hash(&before, request.new_password).await?;
        let (id, vault) = (caller.id, state.vault.clone());
        let changed = state.pool.write(move |db| {
            let now_is = user::lock(db, id)?.ok_or_else(no_account)?;
            if now_is.password_hash != before.password_hash {
                return Err(Error::Problem(Problem::conflict("the password was changed at the same time")));
            }
            let news = News { vault: &vault, trace: &trace, now };
            news.set(db, &now_is, &password_hash, Some(SessionId::from_uuid(caller.session_id)))?;
            Ok(audit::record(db, &entry, now)?)
        });
        changed.await?;
        tracing::info!(user = %id, "password changed");
        state.tell(id).await;
        Ok(Empty {})
    }
}

const RESET: Purpose = Purpose::PasswordReset;

fn use_up(db: &mut Db, hash: &Hash, now: Timestamp) -> Result<UserRow, Error> {
    let used = single_use_token::use_up(db, hash, RESET, now)?;
    owner(db, used)
}

/// Whose password the token sets.
fn owner(db: &mut Db, token: Use) -> Result<UserRow, Error> {
    match token {
        Use::Good { user, email_folded, .. } => {
            let user = user::find(db, user)?;
            Ok(user.filter(|user| user.email_folded == email_folded && user.counts()).ok_or_else(gone)?)
        }
        Use::Gone => Err(gone().into()),
        Use::Unknown => Err(unknown_token().into()),
    }
}

/// What goes with a new password.
struct News<'a> {
    vault: &'a Vault,
    trace: &'a BTreeMap<String, String>,
    now: Timestamp,
}

impl News<'_> {
    /// With the old password goes all that came of it: sessions, but for the one that changed it, and links that would
    /// set another. Hold the user's row.
    fn set(&self, db: &mut Db, user: &UserRow, hash: &str, session: Option<SessionId>) -> Result<(), Error> {
        let id: UserId = user.id.0;
        user::set_password(db, id, hash, self.now)?;
        session::end_all(db, id, session, self.now)?;
        single_use_token::void(db, id, RESET, self.now)?;
        let mail = NewMail { recipient: &user.email, kind: MailKind::PasswordChanged, token: None, trace: self.trace };
        mail::add(db, self.vault, &mail, self.now)?;
        Ok(())
    }
}
