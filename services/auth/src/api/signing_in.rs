//! What signing in comes to, however somebody has proven who they are.

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
use callfairy_core::{ErrorCode, Problem, Secret, Timestamp};
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

/// The last steps, in one transaction that holds the user's row. A refusal is an answer, not an error, so that the count
/// of wrong codes is kept.
pub struct LastSteps {
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
        let Some(proof) = &self.proof else { return Ok(Err(totp_required())) };
        Ok(match totp::check(db, &self.vault, user.id.0, proof, self.now)? {
            Checked::Good => Ok(()),
            Checked::Wrong => Err(Problem::new(ErrorCode::InvalidCredentials, "the code is wrong, or was used before")),
            Checked::Paused(pause) => Err(pause.into()),
        })
    }

    pub fn session(&self, db: &mut Db, user: &UserRow) -> Result<SessionId, Error> {
        Ok(session::start(db, user.id.0, &self.first, &self.origin, self.now)?)
    }
}

pub fn totp_required() -> Problem {
    Problem::new(ErrorCode::TotpRequired, "send a code of your authenticator app along, or a recovery code")
}
