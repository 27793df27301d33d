//! tenancy, the authority on access: it is told of accounts and asked for roles.

use crate::domain::ids::SessionId;
use crate::store::user::UserRow;
use access::{Client, Meta, ServiceIdentity};
use callfairy_core::{Problem, UserId};
use proto::auth::Role;
use proto::rpc::authority::{GetRoles, ReportAccount};
use proto::tenancy::{AccountFact, GetRolesRequest};
use std::collections::HashMap;
use std::time::Duration;

/// How long auth waits for tenancy.
const PATIENCE: Duration = Duration::from_secs(2);
/// Users in one question, which the contract bounds.
const MAX_USERS: usize = 1_000;
/// Sessions in one report, which the contract bounds.
const MAX_SESSIONS: usize = 500;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tenancy {
    pub client: Client,
    pub identity: ServiceIdentity,
}

impl Tenancy {
    /// Says how the account stands, and which of its sessions have ended. Saying it again, or late, does no harm: tenancy
    /// keeps the newest version, and a session stays ended.
    pub async fn report(&self, user: &UserRow, ended: &[SessionId]) -> Result<(), Problem> {
        let mut parts = ended.chunks(MAX_SESSIONS);
        self.report_part(user, parts.next().unwrap_or_default()).await?;
        for part in parts {
            self.report_part(user, part).await?;
        }
        Ok(())
    }

    async fn report_part(&self, user: &UserRow, ended: &[SessionId]) -> Result<(), Problem> {
        let fact = AccountFact {
            user_id: user.id.to_string(),
            version: user.version,
            email: user.email.clone(),
            name: user.name.clone(),
            is_active: user.counts(),
            is_superadmin: user.is_superadmin,
            ended_sessions: ended.iter().map(ToString::to_string).collect(),
        };
        let meta = self.meta()?;
        in_time(self.client.unary::<ReportAccount>(&meta, fact)).await.map(drop)
    }

    /// The user's role. A superadmin is known here; of others tenancy knows, and when it is out of reach nobody does.
    pub async fn role(&self, user: &UserRow) -> Result<Role, Problem> {
        let roles = self.roles(std::slice::from_ref(user)).await?;
        Ok(roles.of(user))
    }

    /// As [`Self::role`], for many.
    pub async fn roles(&self, users: &[UserRow]) -> Result<Roles, Problem> {
        let asked: Vec<String> =
            users.iter().filter(|user| !user.is_superadmin).map(|user| user.id.to_string()).collect();
        let mut roles = HashMap::new();
        for user_ids in asked.chunks(MAX_USERS) {
            let request = GetRolesRequest { user_ids: user_ids.to_vec() };
            let meta = self.meta()?;
            let answer = in_time(self.client.unary::<GetRoles>(&meta, request)).await?;
            let told = answer.roles.iter().filter_map(|role| Some((role.user_id.parse().ok()?, role.role())));
            roles.extend(told);
        }
        Ok(Roles(roles))
    }

    fn meta(&self) -> Result<Meta, Problem> {
        Ok(Meta { timeout: Some(PATIENCE), ..self.identity.meta()? })
    }
}

/// What tenancy said.
#[derive(Debug)]
pub struct Roles(HashMap<UserId, Role>);

impl Roles {
    /// Whom tenancy does not know has no assignment, so is nobody's agent.
    pub fn of(&self, user: &UserRow) -> Role {
        if user.is_superadmin {
            return Role::Superadmin;
        }
        match self.0.get(&user.id.0) {
            None | Some(Role::Unspecified) => Role::User,
            Some(role) => *role,
        }
    }
}

/// Also bounds the time to connect. Whatever goes wrong at tenancy, the caller reads that it is out of reach.
async fn in_time<T>(call: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(problem)) => {
            tracing::warn!(%problem, "tenancy did not answer as it should");
            Err(Problem::unavailable("the authority on access"))
        }
        Err(_) => {
            tracing::warn!("tenancy did not answer in time");
            Err(Problem::unavailable("the authority on access"))
        }
    }
}
