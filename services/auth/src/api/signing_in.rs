//! What signing in comes to, however somebody has proven who they are; each time it is recorded.

use super::{State, message};
use crate::Error;
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::Hash;
use crate::domain::signing_key::ACCESS_TOKEN_LIFETIME;
use crate::domain::totp::Proof;
use crate::store::session;
use crate::store::totp::{self, Checked};
use crate::store::user::UserRow;
use crate::vault::Vault;
use access::Origin;
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{ErrorCode, Problem, Secret, Timestamp, UserId};
use db::Db;
use proto::auth::{Role, Tokens};

impl State {
    pub(super) async fn tokens(
        &self,
        user: UserRow,
        role: Role,
        session: SessionId,
        refresh: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, Problem> {
        let access = self.signers.sign(user.id.0, session.uuid(), now).await?;
        Ok(Tokens {
            access_token: access.expose().to_owned(),
            refresh_token: refresh.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: u32::try_from(ACCESS_TOKEN_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            user: Some(message(user, role)),
        })
    }

    /// The user's role; tenancy knows the account by then, so that the token works when its owner has it.
    pub(super) async fn make_known(&self, user: &UserRow) -> Result<Role, Problem> {
        if let Err(problem) = self.tenancy.report(user, &[]).await {
            tracing::debug!(%problem, "an account that signs in was not reported");
        }
        self.tenancy.role(user).await
    }
}

/// How somebody proves who they are, as the audit log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Password,
    Google,
}

impl Method {
    const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Google => "google",
        }
    }

    /// What is recorded of somebody who is not let in. Without an account nothing is said of them.
    pub fn refusal(self, origin: &Origin, user: Option<UserId>, reason: &'static str) -> Entry {
        let entry = Entry::new(Actor::Anonymous, Action::SignInRefused).from_address(origin.address()).refused();
        let entry = entry.with("method", self.word()).with("reason", reason);
        match user {
            Some(user) => entry.about(Subject::User, user),
            None => entry,
        }
    }
}

/// What is recorded of somebody who has proven who they are, and has yet to give a code.
pub const CODE_REQUIRED: &str = "code_required";

/// The last steps, in one transaction that holds the user's row. A refusal is an answer, not an error, so that the count
/// of wrong codes is kept.
pub struct LastSteps {
    pub method: Method,
    pub proof: Option<Proof>,
    /// The hash of the session's first refresh token.
    pub first: Hash,
    pub origin: Origin,
    pub vault: Vault,
    pub now: Timestamp,
}

impl LastSteps {
    /// The account may ask for a code as well.
    pub fn second_factor(&self, db: &mut Db, user: &UserRow) -> Result<Result<(), Problem>, Error> {
        if !user.has_totp() {
            return Ok(Ok(()));
        }
        let checked = match &self.proof {
            None => None,
            Some(proof) => Some((proof, totp::check(db, &self.vault, user.id.0, proof, self.now)?)),
        };
        let (reason, problem) = match checked {
            Some((Proof::Code(_), Checked::Good)) => return Ok(Ok(())),
            Some((Proof::RecoveryCode(_), Checked::Good)) => {
                let entry = Entry::new(Actor::User(user.id.0), Action::RecoveryCodeUsed);
                audit::record(db, &entry.from_address(self.origin.address()), self.now)?;
                return Ok(Ok(()));
            }
            Some((_, Checked::Wrong)) => {
                let why = "the code is wrong, or was used before";
                ("wrong_code", Problem::new(ErrorCode::InvalidCredentials, why))
            }
            Some((_, Checked::Paused(pause))) => ("too_many_codes", pause.into()),
            None => (CODE_REQUIRED, totp_required()),
        };
        self.refuse(db, Some(user.id.0), reason)?;
        Ok(Err(problem))
    }

    pub fn refuse(&self, db: &mut Db, user: Option<UserId>, reason: &'static str) -> Result<(), Error> {
        Ok(audit::record(db, &self.method.refusal(&self.origin, user, reason), self.now)?)
    }

    pub fn session(&self, db: &mut Db, user: &UserRow) -> Result<SessionId, Error> {
        let session = session::start(db, user.id.0, &self.first, &self.origin, self.now)?;
        let entry = Entry::new(Actor::User(user.id.0), Action::SignIn).about(Subject::Session, session);
        let entry = entry.from_address(self.origin.address()).with("method", self.method.word());
        audit::record(db, &entry, self.now)?;
        Ok(session)
    }
}

pub fn totp_required() -> Problem {
    Problem::new(ErrorCode::TotpRequired, "send a code of your authenticator app along, or a recovery code")
}
