//! Making accounts for others, and taking over one that was made.

use super::accounts::{gone, unknown_token};
use super::{State, message};
use crate::Error;
use crate::domain::email::Email;
use crate::domain::opaque_token::{self, Kind};
use crate::domain::password::{self, About};
use crate::domain::password_hash;
use crate::domain::text::{line, optional_line};
use crate::store::link::Sending;
use crate::store::single_use_token::{self, Purpose, Use};
use crate::store::user::{self, Registration, UserRow};
use access::Call;
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{Problem, Secret, Timestamp, UserId};
use db::{Db, idempotency};
use proto::auth::{InviteUserRequest, Role, User};
use proto::rpc::user_invitations::{AcceptInvitation, InviteUser, InviteUserAgain};
use proto::types::Detail;

pub struct UserInvitations(State);

impl UserInvitations {
    pub fn new(state: State) -> Self {
        Self(state)
    }
}

impl access::UserInvitations for UserInvitations {
    async fn invite_user(&self, call: Call<InviteUser>) -> Result<User, Problem> {
        let (state, now, once, trace) = (&self.0, self.0.clock.now(), call.once_key(), call.trace().clone());
        let entry = Entry::of(&call, Action::UserCreated);
        let user = account(call.request, now)?;
        let entry = entry.about(Subject::User, user.id.0);
        let (token, vault) = (opaque_token::generate(Kind::SingleUse)?, state.vault.clone());
        let invite = move |db: &mut Db| {
            idempotency::answer(db, &once, now, |db| {
                if !user::insert(db, &user)? {
                    return Err(Error::Problem(Problem::conflict("this address has an account already")));
                }
                Sending { vault: &vault, token: &token, trace: &trace, now }.invitation(db, &user)?;
                audit::record(db, &entry, now)?;
                Ok(message(user.clone(), Role::User))
            })
        };
        Ok(state.pool.write(invite).await?)
    }

    async fn invite_user_again(&self, call: Call<InviteUserAgain>) -> Result<Detail, Problem> {
        let (state, now, once, trace) = (&self.0, self.0.clock.now(), call.once_key(), call.trace().clone());
        let id: UserId = call.request.id.parse().map_err(|_| Problem::not_found())?;
        let entry = Entry::of(&call, Action::UserInvited).about(Subject::User, id);
        let (token, vault) = (opaque_token::generate(Kind::SingleUse)?, state.vault.clone());
        let invite = move |db: &mut Db| {
            idempotency::answer(db, &once, now, |db| {
                let user = user::lock(db, id)?.ok_or_else(Problem::not_found)?;
                if !waits(&user) {
                    let why = "this account is confirmed or deactivated: there is nothing to invite to";
                    return Err(Error::Problem(Problem::conflict(why)));
                }
                single_use_token::void(db, id, Purpose::Invitation, now)?;
                Sending { vault: &vault, token: &token, trace: &trace, now }.invitation(db, &user)?;
                audit::record(db, &entry, now)?;
                Ok(Detail { detail: "A new invitation is on its way.".to_owned() })
            })
        };
        Ok(state.pool.write(invite).await?)
    }

    async fn accept_invitation(&self, call: Call<AcceptInvitation>) -> Result<Detail, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let entry = Entry::of(&call, Action::InvitationAccepted);
        let request = call.request;
        let hash = opaque_token::read(Kind::SingleUse, &request.token).ok_or_else(unknown_token)?;
        let name = optional_line("name", request.name.as_deref().unwrap_or_default())?;
        let look = move |db: &mut Db| {
            let token = single_use_token::look_at(db, &hash, INVITATION, now)?;
            owner(db, token)
        };
        let owned = state.pool.read(look).await?;
        let name = name.unwrap_or_else(|| owned.name.clone());
        let email = Email { given: owned.email.clone(), folded: owned.email_folded.clone() };
        let about = About { email: &email, name: &name, company: owned.company.as_deref() };
        // A password that is refused does not use the token up.
        password::check("password", &request.password, about)?;
        let password_hash = state.hasher.hash(Secret::new(request.password)).await?;
        let id = owned.id.0;
        let entry = entry.by(Actor::User(id)).about(Subject::User, id);
        let accept = move |db: &mut Db| {
            user::lock(db, id)?;
            let token = single_use_token::use_up(db, &hash, INVITATION, now)?;
            let UserRow { email, company, job_title, phone, .. } = owner(db, token)?;
            // What others may have written when they registered this address is gone, their password above all.
            let (name, password_hash) = (name.clone(), password_hash.clone());
            let own = Registration { name, company, job_title, phone, password_hash };
            user::verify(db, id, &email, Some(own), now)?;
            single_use_token::void(db, id, INVITATION, now)?;
            Ok::<_, Error>(audit::record(db, &entry, now)?)
        };
        state.pool.write(accept).await?;
        tracing::info!(user = %id, "invitation accepted");
        state.tell(id).await;
        Ok(Detail { detail: "Your password is set and your address is confirmed. You can sign in now.".to_owned() })
    }
}

const INVITATION: Purpose = Purpose::Invitation;

/// An account without a password.
fn account(request: InviteUserRequest, now: Timestamp) -> Result<UserRow, Problem> {
    let email = Email::parse(&request.email)?;
    let name = line("name", &request.name)?;
    if name.is_empty() {
        return Err(Problem::field("name", "is required"));
    }
    let optional = |field, text: Option<String>| optional_line(field, text.as_deref().unwrap_or_default());
    let registration = Registration {
        name,
        company: optional("company", request.company)?,
        job_title: optional("job_title", request.job_title)?,
        phone: optional("phone", request.phone)?,
        password_hash: password_hash::DUMMY.to_owned(),
    };
    Ok(UserRow::new(&email, &registration, now))
}

/// Whether an account can be taken over by its owner.
fn waits(user: &UserRow) -> bool {
    user.is_active && !user.is_verified()
}

/// Whose account the token takes over.
fn owner(db: &mut Db, token: Use) -> Result<UserRow, Error> {
    match token {
        Use::Good { user, email_folded, .. } => {
            let user = user::find(db, user)?;
            Ok(user.filter(|user| user.email_folded == email_folded && waits(user)).ok_or_else(gone)?)
        }
        Use::Gone => Err(gone().into()),
        Use::Unknown => Err(unknown_token().into()),
    }
}
