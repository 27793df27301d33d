//! What the authority says of a user or a key, kept for a moment.

use crate::{ApiKey, Client, PermissionSet, ServiceIdentity, User};
use async_trait::async_trait;
use callfairy_core::{ErrorCode, OrganisationId, Problem};
use proto::rpc::api_keys::VerifyApiKey;
use proto::rpc::authority::GetAccess;
use proto::tenancy::{GetAccessRequest, VerifyApiKeyRequest};
use quick_cache::sync::Cache;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer of the authority counts.
const LIFETIME: Duration = Duration::from_secs(1);
/// Answers that are kept.
const KEPT: usize = 100_000;

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

/// Where snapshots come from: the authority, or tenancy's own tables.
#[async_trait]
pub trait SnapshotSource: Send + Sync + 'static {
    /// `user` with the session whose token was sent.
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<Snapshot, Problem>;

    /// The API key with this SHA-256; `None` if it does not work, whatever the reason.
    async fn api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, Problem>;
}

/// SHA-256 of a whole API key.
pub type KeyHash = [u8; 32];

/// tenancy, by its internal RPC.
#[derive(Debug, Clone)]
pub struct RemoteAuthority {
    pub client: Client,
    pub identity: ServiceIdentity,
}

#[async_trait]
impl SnapshotSource for RemoteAuthority {
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<Snapshot, Problem> {
        let request = GetAccessRequest {
            user_id: user.id.to_string(),
            organisation_id: organisation.map(|id| id.to_string()).unwrap_or_default(),
            session_id: user.session_id.to_string(),
        };
        let answer = self.client.unary::<GetAccess>(&self.identity.meta()?, request).await?;
        Ok(Snapshot {
            user_is_active: answer.user_is_active,
            is_superadmin: answer.is_superadmin,
            organisation_exists: answer.organisation_exists,
            relation: match answer.relation() {
                proto::tenancy::Relation::Unspecified => Relation::None,
                proto::tenancy::Relation::Member => Relation::Member,
                proto::tenancy::Relation::Agent => Relation::Agent,
            },
            permissions: PermissionSet::from_bits(answer.permissions),
        })
    }

    async fn api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, Problem> {
        let request = VerifyApiKeyRequest { hash: hash.to_vec() };
        let key = match self.client.unary::<VerifyApiKey>(&self.identity.meta()?, request).await {
            Ok(key) => key,
            Err(problem) if problem.code == ErrorCode::NotFound => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let (Ok(id), Ok(organisation_id)) = (key.id.parse(), key.organisation_id.parse()) else {
            tracing::error!("the authority names a key, or its organisation, by no id");
            return Err(Problem::internal());
        };
        Ok(Some(ApiKey { id, organisation_id, permissions: PermissionSet::from_bits(key.permissions) }))
    }
}

type Key = (User, Option<OrganisationId>);

/// Snapshots, each kept for a moment. Whoever cannot learn the truth refuses.
#[derive(Clone)]
pub struct Snapshots {
    source: Arc<dyn SnapshotSource>,
    lifetime: Duration,
    cache: Arc<Cache<Key, (Snapshot, Instant)>>,
    keys: Arc<Cache<KeyHash, (Option<ApiKey>, Instant)>>,
}

impl Snapshots {
    /// Keeps each for a second.
    pub fn new(source: Arc<dyn SnapshotSource>) -> Self {
        Self::kept_for(LIFETIME, source)
    }

    /// Keeps none, and asks each time: for the authority itself, whose own answers follow a change at once.
    pub fn uncached(source: Arc<dyn SnapshotSource>) -> Self {
        Self::kept_for(Duration::ZERO, source)
    }

    fn kept_for(lifetime: Duration, source: Arc<dyn SnapshotSource>) -> Self {
        Self { source, lifetime, cache: Arc::new(Cache::new(KEPT)), keys: Arc::new(Cache::new(KEPT)) }
    }

    pub async fn get(&self, user: User, organisation: Option<OrganisationId>) -> Result<Snapshot, Problem> {
        let key = (user, organisation);
        if let Some(snapshot) = self.cached(&key) {
            return Ok(snapshot);
        }
        // The age counts from before the question: the answer may be as old as that.
        let asked = Instant::now();
        let snapshot = self.source.snapshot(user, organisation).await?;
        if !self.lifetime.is_zero() {
            self.cache.insert(key, (snapshot, asked));
        }
        Ok(snapshot)
    }

    /// The API key with this hash, if it works. That it does not is kept as long: who tries keys costs the authority little.
    pub async fn api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, Problem> {
        let kept = self.keys.get(hash).filter(|(_, asked)| asked.elapsed() < self.lifetime);
        if let Some((key, _)) = kept {
            return Ok(key);
        }
        let asked = Instant::now();
        let key = self.source.api_key(hash).await?;
        if !self.lifetime.is_zero() {
            self.keys.insert(*hash, (key, asked));
        }
        Ok(key)
    }

    /// The snapshot, if a fresh one is at hand.
    pub fn cached(&self, key: &(User, Option<OrganisationId>)) -> Option<Snapshot> {
        self.cache.get(key).filter(|(_, asked)| asked.elapsed() < self.lifetime).map(|(snapshot, _)| snapshot)
    }
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshots")
    }
}
