//! Signing in and out.

use super::State;
use super::signing_in::{CODE_REQUIRED, LastSteps, Method, totp_required};
use crate::Error;
use crate::domain::email;
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::{self, Kind};
use crate::domain::password_hash;
use crate::domain::session::Verdict;
use crate::domain::throttle::Counter;
use crate::domain::totp::Proof;
use crate::store::attempts;
use crate::store::mail::{self, MailKind, NewMail};
use crate::store::session::{self, Refreshed, SessionRow};
use crate::store::user::{self, UserRow};
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{ErrorCode, Page, Problem, Secret};
use db::Db;
use proto::auth::{ListSessionsResponse, Role, Session, Tokens};
use proto::rpc::sessions::{EndSession, ListSessions, Login, Logout, Refresh};
use proto::types::Empty;

pub struct Sessions(State);

impl Sessions {
    pub fn new(state: State) -> Self {
        Self(state)
    }

    /// Only now is the password known that another system has hashed. Answers the hash that is kept: of several sign-ins at
    /// one time, that of the first.
    async fn hash_anew(&self, user: &UserRow, password: Secret) -> Result<String, Problem> {
        let (id, old, new) = (user.id.0, user.password_hash.clone(), self.0.hasher.hash(password.clone()).await?);
        let hash = new.clone();
        let kept = self.0.pool.write(move |db| {
            user::hash_anew(db, id, &old, &hash)?;
            Ok::<_, Error>(user::find(db, id)?)
        });
        let kept = kept.await?.ok_or_else(wrong_credentials)?.password_hash;
        if kept != new && !self.0.hasher.verify(password, Some(kept.clone())).await? {
            return Err(wrong_credentials());
        }
        Ok(kept)
    }
}

impl access::Sessions for Sessions {
    /// Whatever is wrong, the answer and the work are the same.
    async fn login(&self, call: Call<Login>) -> Result<Tokens, Problem> {
        let (state, now, origin) = (&self.0, self.0.clock.now(), call.origin().clone());
        let request = call.request;
        let proof = Proof::read(request.totp_code, request.recovery_code)?;
        let (address, password) = (email::fold(&request.email), Secret::new(request.password));
        let from = origin.address();
        let look = move |db: &mut Db| {
            let known = match from {
                Some(from) if session::is_known(db, &address, from)? => Some(from),
                _ => None,
            };
            Ok::<_, Error>((user::find_by_email(db, &address)?, Counter::of_account(&address, known)))
        };
        let (user, of_account) = state.pool.read(look).await?;
        let of_network = from.map(Counter::of_network);
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let counters = of_network.iter().chain([&of_account]).cloned().collect();
        let has_password = state.verify_counted(counters, password.clone(), hash).await?;
        let refusal =
            |user: Option<&UserRow>, reason| Method::Password.refusal(&origin, user.map(|user| user.id.0), reason);
        let mut user = match user {
            Some(user) if has_password && user.counts() => user,
            user => {
                let reason = match &user {
                    None => "unknown",
                    Some(_) if !has_password => "wrong_password",
                    Some(user) if !user.is_active => "deactivated",
                    Some(_) => "unverified",
                };
                state.record(refusal(user.as_ref(), reason)).await?;
                return Err(wrong_credentials());
            }
        };
        let settle = move |db: &mut Db| {
            attempts::forget(db, &of_account)?;
            of_network.as_ref().map_or(Ok(()), |counter| attempts::take_back(db, counter)).map_err(Error::from)
        };
        state.pool.write(settle).await?;
        if password_hash::is_outdated(&user.password_hash) {
            user.password_hash = self.hash_anew(&user, password).await?;
        }
        if user.has_totp() && proof.is_none() {
            state.record(refusal(Some(&user), CODE_REQUIRED)).await?;
            return Err(totp_required());
        }
        // Asked before a code is used up: an outage of tenancy must not cost one.
        let role = state.make_known(&user).await?;
        let refresh = opaque_token::generate(Kind::Refresh)?;
        let (id, first, vault) = (user.id.0, opaque_token::hash(refresh.expose()), state.vault.clone());
        let signing_in = SigningIn {
            seen: user.clone(),
            steps: LastSteps { method: Method::Password, proof, first, origin, vault, now },
        };
        let session = state.pool.write(move |db| signing_in.start(db)).await??;
        tracing::info!(user = %id, session = %session, "signed in");
        state.tokens(user, role, session, &refresh, now).await
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
        let (trace, origin, owner) = (call.trace().clone(), call.origin().clone(), found.user.email.clone());
        let reused = Entry::of(&call, Action::RefreshTokenReused).refused();
        let reused = reused.about(Subject::Session, found.session_id()).with("user", found.user.id.0);
        let refreshed = state.pool.write(move |db| {
            let refreshed = session::refresh(db, &vault, &presented, &next, &origin, now)?;
            if matches!(refreshed, Refreshed::Reused) {
                let kind = MailKind::SessionEnded;
                let mail = NewMail { recipient: &owner, kind, token: None, trace: &trace };
                mail::add(db, &vault, &mail, now)?;
                audit::record(db, &reused, now)?;
            }
            Ok::<_, Error>(refreshed)
        });
        match refreshed.await? {
            // In the moment since it was looked at, the session may have ended, but the user is the same.
            Refreshed::Next { session, token } => state.tokens(found.user, role, session, &token, now).await,
            Refreshed::Reused => {
                tracing::warn!(user = %found.user.id, "a refresh token was used twice; its session was ended");
                state.tell(found.user.id.0).await;
                Err(signed_out())
            }
            Refreshed::Refused => Err(signed_out()),
        }
    }

    async fn logout(&self, call: Call<Logout>) -> Result<Empty, Problem> {
        let (state, now, caller) = (&self.0, self.0.clock.now(), call.user()?);
        let entry = Entry::of(&call, Action::SignOut);
        let presented = call.request.refresh_token.map(|token| opaque_token::read(Kind::Refresh, &token));
        let ended = state.pool.write(move |db| {
            let session = match &presented {
                None => Some(SessionId::from_uuid(caller.session_id)),
                Some(None) => None,
                Some(Some(hash)) => session::find(db, hash)?.map(|found| found.session_id()),
            };
            // Another one's session is not ended, and not told from none.
            let Some(session) = session else { return Ok::<_, Error>(None) };
            if !session::end(db, caller.id, session, now)? {
                return Ok(None);
            }
            audit::record(db, &entry.clone().about(Subject::Session, session), now)?;
            Ok(Some(session))
        });
        if let Some(session) = ended.await? {
            tracing::info!(%session, "signed out");
            state.tell(caller.id).await;
        }
        Ok(Empty {})
    }

    async fn list_sessions(&self, call: Call<ListSessions>) -> Result<ListSessionsResponse, Problem> {
        let (now, caller) = (self.0.clock.now(), call.user()?);
        let page = Page::<session::Key>::parse(call.request.page_size, &call.request.page_token)?;
        let asked = page.clone();
        let rows = self.0.pool.read(move |db| Ok::<_, Error>(session::list(db, caller.id, &asked, now)?)).await;
        let mut rows = rows?;
        let next_page_token = page.cut(&mut rows, |row| (row.created_at.0, row.id.0));
        let session = |row: SessionRow| Session {
            id: row.id.to_string(),
            device: row.device,
            address: row.address,
            created_at: Some(row.created_at.0.into()),
            last_used_at: Some(row.last_used_at.0.into()),
            current: row.id.0.uuid() == caller.session_id,
        };
        Ok(ListSessionsResponse { sessions: rows.into_iter().map(session).collect(), next_page_token })
    }

    async fn end_session(&self, call: Call<EndSession>) -> Result<Empty, Problem> {
        let (state, now, caller) = (&self.0, self.0.clock.now(), call.user()?);
        let session: SessionId = call.request.id.parse().map_err(|_| Problem::not_found())?;
        let entry = Entry::of(&call, Action::SessionEnded).about(Subject::Session, session);
        let end = move |db: &mut Db| {
            if !session::end(db, caller.id, session, now)? {
                return Err(Error::Problem(Problem::not_found()));
            }
            Ok(audit::record(db, &entry, now)?)
        };
        state.pool.write(end).await?;
        tracing::info!(%session, "signed out from another session");
        state.tell(caller.id).await;
        Ok(Empty {})
    }
}

/// Somebody who has the right password.
struct SigningIn {
    /// The account as it was when the password was checked.
    seen: UserRow,
    steps: LastSteps,
}

impl SigningIn {
    /// Begins the session, unless the account has changed since, or asks for a code that is not good.
    fn start(&self, db: &mut Db) -> Result<Result<SessionId, Problem>, Error> {
        let user = user::lock(db, self.seen.id.0)?;
        let user = user.filter(|user| user.counts() && user.password_hash == self.seen.password_hash);
        let Some(user) = user else {
            self.steps.refuse(db, Some(self.seen.id.0), "changed_meanwhile")?;
            return Ok(Err(wrong_credentials()));
        };
        match self.steps.second_factor(db, &user)? {
            Ok(()) => Ok(Ok(self.steps.session(db, &user)?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

fn wrong_credentials() -> Problem {
    Problem::new(ErrorCode::InvalidCredentials, "the address or the password is wrong")
}

/// Unknown, expired, ended, used twice: never told apart.
fn signed_out() -> Problem {
    Problem::unauthenticated("the session has ended: sign in again")
}
