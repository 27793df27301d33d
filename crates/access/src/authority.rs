//! The authority on access: what it is asked, and what it answers.

use crate::{ApiKey, Client, PermissionSet, ServiceIdentity, User};
use async_trait::async_trait;
use callfairy_core::{ErrorCode, OrganisationId, Problem, UserId};
use proto::Rpc;
use proto::rpc::api_keys::VerifyApiKey;
use proto::rpc::authority::{FollowAccess, GetAccess};
use proto::tenancy::{FollowAccessRequest, GetAccessRequest, VerifyApiKeyRequest};
use std::time::Duration;
use uuid::Uuid;

/// An answer to [`SnapshotSource::changes`] that takes longer than it was to wait, and this, is given up.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a request waits for what its caller may do. An authority that hangs is out of reach.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// How somebody stands to an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    None,
    Member,
    Agent,
}

/// What follows from all facts about one user, and one organisation if one was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// False for a session that has ended, too.
    pub user_is_active: bool,
    pub is_superadmin: bool,
    pub organisation_exists: bool,
    pub relation: Relation,
    pub permissions: PermissionSet,
}

/// What was true when the latest change of access was the one with this number; it may know later ones, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf<T> {
    pub number: i64,
    pub value: T,
}

/// A key that works, and what else that hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingKey {
    pub key: ApiKey,
    /// When they lose their access, the key stops working.
    pub created_by: UserId,
    /// How long it works from now on; `None`: for ever.
    pub expires_in: Option<Duration>,
}

/// The changes of access after one that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The number of the latest.
    pub head: i64,
    /// Whom or what each is about, from the first after the named one to `head`; `None` when the authority cannot tell.
    pub subjects: Option<Vec<Uuid>>,
}

/// SHA-256 of a whole API key.
pub type KeyHash = [u8; 32];

/// Where snapshots come from: the authority, or tenancy's own tables.
#[async_trait]
pub trait SnapshotSource: Send + Sync + 'static {
    /// `user` with the session whose token was sent.
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem>;

    /// The API key with this hash; `None` if it does not work, whatever the reason.
    async fn api_key(&self, hash: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem>;

    /// The changes after the one with the number `after`; waits for the next, at most for `wait`.
    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem>;
}

/// tenancy, by its internal RPCs.
#[derive(Debug, Clone)]
pub struct RemoteAuthority {
    pub client: Client,
    pub identity: ServiceIdentity,
}

#[async_trait]
impl SnapshotSource for RemoteAuthority {
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem> {
        let request = GetAccessRequest {
            user_id: user.id.to_string(),
            organisation_id: organisation.map(|id| id.to_string()).unwrap_or_default(),
            session_id: user.session_id.to_string(),
        };
        let answer = self.ask::<GetAccess>(request, ANSWER_TIME).await?;
        let value = Snapshot {
            user_is_active: answer.user_is_active,
            is_superadmin: answer.is_superadmin,
            organisation_exists: answer.organisation_exists,
            relation: match answer.relation() {
                proto::tenancy::Relation::Unspecified => Relation::None,
                proto::tenancy::Relation::Member => Relation::Member,
                proto::tenancy::Relation::Agent => Relation::Agent,
            },
            permissions: PermissionSet::from_bits(answer.permissions),
        };
        Ok(AsOf { number: answer.as_of, value })
    }

    async fn api_key(&self, hash: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        let request = VerifyApiKeyRequest { hash: hash.to_vec() };
        let answer = match self.ask::<VerifyApiKey>(request, ANSWER_TIME).await {
            Ok(answer) => answer,
            Err(problem) if problem.code == ErrorCode::NotFound => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let ids = (answer.id.parse(), answer.organisation_id.parse(), answer.created_by.parse());
        let (Ok(id), Ok(organisation_id), Ok(created_by)) = ids else { return Err(nonsense()) };
        let key = ApiKey { id, organisation_id, permissions: PermissionSet::from_bits(answer.permissions) };
        let expires_in = answer.expires_in_milliseconds.map(Duration::from_millis);
        Ok(Some(AsOf { number: answer.as_of, value: WorkingKey { key, created_by, expires_in } }))
    }

    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem> {
        let wait_milliseconds = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let mut meta = self.identity.meta()?;
        meta.timeout = Some(wait + PATIENCE);
        let answer = self.client.unary::<FollowAccess>(&meta, FollowAccessRequest { after, wait_milliseconds }).await?;
        let subjects: Result<Vec<Uuid>, _> = answer.subjects.iter().map(|subject| subject.parse()).collect();
        let subjects = subjects.map_err(|_| nonsense())?;
        Ok(Changes { head: answer.head, subjects: (!answer.forget_all).then_some(subjects) })
    }
}

impl RemoteAuthority {
    async fn ask<R: Rpc>(&self, request: R::Request, patience: Duration) -> Result<R::Response, Problem> {
        let mut meta = self.identity.meta()?;
        meta.timeout = Some(patience);
        let answer = tokio::time::timeout(patience, self.client.unary::<R>(&meta, request)).await;
        match answer {
            Ok(Err(problem)) if problem.code == ErrorCode::DeadlineExceeded => Err(Problem::unavailable("tenancy")),
            Ok(answer) => answer,
            Err(_) => Err(Problem::unavailable("tenancy")),
        }
    }
}

fn nonsense() -> Problem {
    tracing::error!("the authority names something by no id");
    Problem::internal()
}
