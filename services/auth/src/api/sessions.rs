//! Signing in and out.

use super::{State, message};
use crate::Error;
use crate::domain::email;
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::{self, Kind};
use crate::domain::session::Verdict;
use crate::domain::signing_key::ACCESS_TOKEN_LIFETIME;
use crate::store::mail::{self, MailKind, NewMail};
use crate::store::session::{self, Refreshed};
use crate::store::user::{self, UserRow};
use access::Call;
use callfairy_core::{ErrorCode, Problem, Secret, Timestamp};
use proto::auth::{Role, Tokens};
use proto::rpc::sessions::{Login, Logout, Refresh};
use proto::types::Empty;

pub struct Sessions(State);

impl Sessions {
    pub fn new(state: State) -> Self {
        Self(state)
    }

    fn tokens(
        &self,
        user: UserRow,
        role: Role,
        session: SessionId,
        refresh: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, Problem> {
        let access = self.0.signer.sign(user.id.0, session.uuid(), now)?;
        Ok(Tokens {
            access_token: access.expose().to_owned(),
            refresh_token: refresh.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: u32::try_from(ACCESS_TOKEN_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            user: Some(message(user, role)),
        })
    }

    /// The user's role; tenancy knows the account by then, so that the token works when its owner has it.
    async fn make_known(&self, user: &UserRow) -> Result<Role, Problem> {
        if let Err(problem) = self.0.tenancy.report(user).await {
            tracing::debug!(%problem, "an account that signs in was not reported");
        }
        self.0.tenancy.role(user).await
    }
}

impl access::Sessions for Sessions {
    /// Whatever is wrong, the answer and the work are the same.
    async fn login(&self, call: Call<Login>) -> Result<Tokens, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let (address, password) = (email::fold(&call.request.email), Secret::new(call.request.password));
        let user = state.pool.read(move |db| Ok::<_, Error>(user::find_by_email(db, &address)?)).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let has_password = state.hasher.verify(password, hash).await?;
        let Some(user) = user.filter(|user| has_password && user.counts()) else {
            return Err(Problem::new(ErrorCode::InvalidCredentials, "the address or the password is wrong"));
        };
        let role = self.make_known(&user).await?;
        let refresh = opaque_token::generate(Kind::Refresh)?;
        let (id, first) = (user.id.0, opaque_token::hash(refresh.expose()));
        let session = state.pool.write(move |db| Ok::<_, Error>(session::start(db, id, &first, now)?)).await?;
        tracing::info!(user = %id, session = %session, "signed in");
        self.tokens(user, role, session, &refresh, now)
    }

    async fn refresh(&self, call: Call<Refresh>) -> Result<Tokens, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let presented = opaque_token::read(Kind::Refresh, &call.request.refresh_token).ok_or_else(signed_out)?;
        let found = state.pool.read(move |db| Ok::<_, Error>(session::find(db, &presented)?)).await?;
        let found = found.ok_or_else(signed_out)?;
        // Asked before the token is spent: an outage of tenancy must not use up somebody's session.
        let role = match found.verdict(now) {
            Verdict::Exchange | Verdict::Repeat(_) => state.tenancy.role(&found.user).await?,
            Verdict::Reused | Verdict::Over => Role::Unspecified,
        };
        let (next, vault) = (opaque_token::generate(Kind::Refresh)?, state.vault.clone());
        let (trace, owner) = (call.trace().clone(), found.user.email.clone());
        let refreshed = state.pool.write(move |db| {
            let refreshed = session::refresh(db, &vault, &presented, &next, now)?;
            if matches!(refreshed, Refreshed::Reused) {
                let kind = MailKind::SessionEnded;
                let mail = NewMail { recipient: &owner, kind, token: None, trace: &trace };
                mail::add(db, &vault, &mail, now)?;
            }
            Ok::<_, Error>(refreshed)
        });
        match refreshed.await? {
            // In the moment since it was looked at, the session may have ended, but the user is the same.
            Refreshed::Next { session, token } => self.tokens(found.user, role, session, &token, now),
            Refreshed::Reused => {
                tracing::warn!(user = %found.user.id, "a refresh token was used twice; its session was ended");
                Err(signed_out())
            }
            Refreshed::Refused => Err(signed_out()),
        }
    }

    async fn logout(&self, call: Call<Logout>) -> Result<Empty, Problem> {
        let (session, now) = (SessionId::from_uuid(call.user()?.session_id), self.0.clock.now());
        self.0.pool.write(move |db| Ok::<_, Error>(session::revoke(db, session, now)?)).await?;
        tracing::info!(%session, "signed out");
        Ok(Empty {})
    }
}

/// Unknown, expired, ended, used twice: never told apart.
fn signed_out() -> Problem {
    Problem::unauthenticated("the session has ended: sign in again")
}
