//! An authority that does what the tests want.

use super::*;
use crate::{PermissionSet, Relation};
use async_trait::async_trait;
use callfairy_core::UserId;
use std::sync::MutexGuard;

/// One fact about each user, and the changes of it.
#[derive(Default)]
pub struct Truth {
    /// Whom each change was about: the first has the number 1.
    pub changes: Vec<Uuid>,
    /// When each user was let in or shut out, with the number of the change.
    pub history: Vec<(UserId, bool, Instant, i64)>,
    pub is_down: bool,
    /// The authority tells of no single change.
    pub is_forgetful: bool,
    /// Of the changes it tells, the first is missing.
    pub loses_one: bool,
    /// How long an answer takes on its way back.
    pub delay: Duration,
    pub asked: usize,
    /// How often it told its changes.
    pub looks: usize,
}

#[derive(Clone, Default)]
pub struct Authority {
    truth: Arc<Mutex<Truth>>,
    /// Told after each change.
    progress: watch::Sender<()>,
}

impl Authority {
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    pub fn change(&self, subject: Uuid) -> i64 {
        let mut truth = self.truth();
        truth.changes.push(subject);
        self.progress.send_replace(());
        i64::try_from(truth.changes.len()).unwrap()
    }

    pub fn set(&self, user: UserId, is_active: bool) -> i64 {
        let number = self.change(user.uuid());
        self.truth().history.push((user, is_active, Instant::now(), number));
        number
    }

    async fn answers<T>(&self, value: impl FnOnce(&mut Truth) -> T) -> Result<T, Problem> {
        let (answer, delay) = {
            let mut truth = self.truth();
            if truth.is_down {
                return Err(Problem::unavailable("tenancy"));
            }
            (value(&mut truth), truth.delay)
        };
        sleep(delay).await;
        Ok(answer)
    }
}

pub fn snapshot(is_active: bool) -> Snapshot {
    Snapshot {
        user_is_active: is_active,
        is_superadmin: false,
        organisation_exists: true,
        relation: Relation::Member,
        permissions: PermissionSet::EMPTY,
    }
}

#[async_trait]
impl SnapshotSource for Authority {
    async fn snapshot(&self, user: User, _: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem> {
        self.answers(|truth| {
            truth.asked += 1;
            let is_active = truth.history.iter().rev().find(|(id, ..)| *id == user.id).is_some_and(|change| change.1);
            AsOf { number: i64::try_from(truth.changes.len()).unwrap(), value: snapshot(is_active) }
        })
        .await
    }

    /// Works while user number one is in; asked about nobody else here.
    async fn api_key(&self, _: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        self.answers(|truth| {
            truth.asked += 1;
            let (user, is_active, ..) = *truth.history.last()?;
            let key =
                ApiKey { id: Uuid::nil(), organisation_id: OrganisationId::new(), permissions: PermissionSet::EMPTY };
            let working = WorkingKey { key, created_by: user, expires_in: Some(Duration::from_secs(5)) };
            is_active.then(|| AsOf { number: i64::try_from(truth.changes.len()).unwrap(), value: working })
        })
        .await
    }

    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem> {
        let mut progress = self.progress.subscribe();
        let is_news = |(): &()| after != i64::try_from(self.truth().changes.len()).ok();
        let _ = timeout(wait, progress.wait_for(is_news)).await;
        self.answers(|truth| {
            truth.looks += 1;
            let head = i64::try_from(truth.changes.len()).unwrap();
            let known = after.and_then(|after| usize::try_from(after).ok()).filter(|_| !truth.is_forgetful);
            let told = known.and_then(|known| truth.changes.get(known..)).map(<[Uuid]>::to_vec);
            let told = told.map(|told| told.into_iter().skip(usize::from(truth.loses_one)).collect());
            Changes { head, subjects: told }
        })
        .await
    }
}
