//! The authority's own guard asks no other service.

use super::{ApiKeys, State};
use crate::Result;
use crate::store::ended_sessions::SessionId;
use crate::store::snapshots;
use ::access::{ApiKey, KeyHash, Snapshot, SnapshotSource, User};
use async_trait::async_trait;
use callfairy_core::{OrganisationId, Problem};

pub struct OwnAccess(pub State);

#[async_trait]
impl SnapshotSource for OwnAccess {
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<Snapshot, Problem> {
        let (id, session) = (user.id, Some(SessionId::from_uuid(user.session_id)));
        let find =
            move |db: &mut db::Db| -> Result<Snapshot> { Ok(snapshots::snapshot(db, id, session, organisation)?) };
        Ok(self.0.of_everyone().read(find).await?)
    }

    async fn api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, Problem> {
        let verified = ApiKeys(self.0.clone()).verify(*hash).await?;
        Ok(verified.map(|(row, permissions)| ApiKey {
            id: row.id.0.uuid(),
            organisation_id: row.organisation_id.0,
            permissions,
        }))
    }
}
