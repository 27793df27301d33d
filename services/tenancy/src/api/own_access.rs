//! The authority's own guard asks no other service.

use super::{ApiKeys, State};
use crate::Error;
use crate::store::ended_sessions::SessionId;
use crate::store::snapshots;
use ::access::{AsOf, Changes, KeyHash, Snapshot, SnapshotSource, User, WorkingKey};
use async_trait::async_trait;
use callfairy_core::{OrganisationId, Problem};
use std::time::Duration;

pub struct OwnAccess(pub State);

#[async_trait]
impl SnapshotSource for OwnAccess {
    async fn snapshot(&self, user: User, organisation: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem> {
        let (id, session) = (user.id, Some(SessionId::from_uuid(user.session_id)));
        let find = move |db: &mut db::Db| Ok::<_, Error>(snapshots::as_of_now(db, id, session, organisation)?);
        Ok(self.0.of_everyone().read(find).await?)
    }

    async fn api_key(&self, hash: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        ApiKeys(self.0.clone()).verify(*hash).await
    }

    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem> {
        let told = self.0.changes_after(after, wait).await?;
        let subjects = told.subjects.map(|subjects| subjects.iter().map(|subject| subject.uuid()).collect());
        Ok(Changes { head: told.head, subjects })
    }
}
