//! What the authority says of a user or a key, kept for as long as it is true.
//!
//! A process follows the authority's changes, which are numbered without gaps: each ends what is kept about whom it
//! concerns. What is kept counts only under a lease, which every look at the changes renews; when the authority is out
//! of reach the lease lapses, and nothing that is kept counts any more. What the process has heard of elsewhere (see
//! [`LatestChange`]) it waits for, or asks the authority.

mod recent;

use crate::authority::{AsOf, Changes, KeyHash, Snapshot, SnapshotSource, WorkingKey};
use crate::{ApiKey, LatestChange, User};
use callfairy_core::{OrganisationId, Problem};
use quick_cache::sync::Cache;
use recent::Recent;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

/// How long a look at the changes counts, from before it was asked for: for so long a change can go unnoticed at most.
pub const LEASE: Duration = Duration::from_secs(1);
/// How long one look waits for a change. Several fit into a lease.
const LOOK: Duration = Duration::from_millis(300);
/// Between looks that failed.
const RETRY: Duration = Duration::from_millis(50);
/// How long a request waits for a change that is known to be on its way, before it asks the authority itself.
const CATCH_UP: Duration = Duration::from_millis(50);
/// Answers that are kept, of each kind.
const KEPT: usize = 100_000;
/// How long a key is kept: the authority notes its uses.
const KEY_LIFETIME: Duration = Duration::from_mins(1);
/// How long a key is kept that does not work: who tries keys costs the authority little.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(1);

type Key = (User, Option<OrganisationId>);

/// Snapshots, kept fresh. Whoever cannot learn the truth refuses. A clone is the same.
#[derive(Clone)]
pub struct Snapshots(Arc<Inner>);

struct Inner {
    source: Arc<dyn SnapshotSource>,
    latest: LatestChange,
    /// Whether anything is kept at all.
    keeps: bool,
    cache: Cache<Key, AsOf<Snapshot>>,
    keys: Cache<KeyHash, KeptKey>,
    /// Held while changes are taken in, and while an answer is put away: so none is put away that a change has ended.
    recent: Mutex<Recent>,
    /// The number of the latest change that was taken in.
    applied: AtomicI64,
    /// Told whenever that rises.
    progress: watch::Sender<()>,
    /// When the lease lapses, in nanoseconds after `started`.
    lease: AtomicU64,
    started: Instant,
}

#[derive(Clone, Copy)]
struct KeptKey {
    /// `None`: does not work, until the next change of anything: who knows what it hangs on.
    found: Option<WorkingKey>,
    number: i64,
    until: Instant,
}

impl KeptKey {
    fn key(self) -> Option<ApiKey> {
        self.found.map(|found| found.key)
    }
}

impl Snapshots {
    /// Keeps them, while somebody runs [`Snapshots::follow`].
    pub fn new(source: Arc<dyn SnapshotSource>, latest: LatestChange) -> Self {
        Self::with(source, latest, true)
    }

    /// Keeps none, and asks each time: for the authority itself, whose own answers follow a change at once.
    pub fn uncached(source: Arc<dyn SnapshotSource>, latest: LatestChange) -> Self {
        Self::with(source, latest, false)
    }

    fn with(source: Arc<dyn SnapshotSource>, latest: LatestChange, keeps: bool) -> Self {
        Self(Arc::new(Inner {
            source,
            latest,
            keeps,
            cache: Cache::new(KEPT),
            keys: Cache::new(KEPT),
            recent: Mutex::default(),
            applied: AtomicI64::new(0),
            progress: watch::Sender::new(()),
            lease: AtomicU64::new(0),
            started: Instant::now(),
        }))
    }

    pub(crate) fn latest_change(&self) -> &LatestChange {
        &self.0.latest
    }

    /// The snapshot; it takes in the change with the number `at_least`, if there is one.
    pub async fn get(
        &self,
        user: User,
        organisation: Option<OrganisationId>,
        at_least: i64,
    ) -> Result<Snapshot, Problem> {
        let key = (user, organisation);
        let at_least = at_least.max(self.0.latest.get());
        if let Some(snapshot) = self.cached(&key, at_least) {
            return Ok(snapshot);
        }
        if self.0.catches_up(at_least).await
            && let Some(snapshot) = self.cached(&key, at_least)
        {
            return Ok(snapshot);
        }
        let answer = self.0.source.snapshot(user, organisation).await?;
        self.0.keep(key, answer);
        Ok(answer.value)
    }

    /// The API key with this hash, if it works.
    pub async fn api_key(&self, hash: &KeyHash, at_least: i64) -> Result<Option<ApiKey>, Problem> {
        let at_least = at_least.max(self.0.latest.get());
        if let Some(kept) = self.0.cached_key(hash, at_least) {
            return Ok(kept.key());
        }
        if self.0.catches_up(at_least).await
            && let Some(kept) = self.0.cached_key(hash, at_least)
        {
            return Ok(kept.key());
        }
        let (asked, applied) = (Instant::now(), self.0.applied.load(Ordering::Acquire));
        let answer = self.0.source.api_key(hash).await?;
        let number = answer.map_or(applied, |answer| answer.number);
        self.0.keep_key(*hash, answer.map(|answer| answer.value), number, asked);
        Ok(answer.map(|answer| answer.value.key))
    }

    /// The snapshot, if one is at hand that takes in the change with the number `at_least`.
    pub fn cached(&self, key: &(User, Option<OrganisationId>), at_least: i64) -> Option<Snapshot> {
        let applied = self.0.applied_under_lease()?;
        let kept = self.0.cache.get(key)?;
        (applied.max(kept.number) >= at_least).then_some(kept.value)
    }

    /// Takes in the authority's changes.
    pub async fn follow(&self) -> Infallible {
        if !self.0.keeps {
            return std::future::pending().await;
        }
        let (mut after, mut is_reached) = (None, true);
        loop {
            let (asked, heard) = (Instant::now(), self.0.latest.get());
            // Whatever is heard later than this is of no use.
            match timeout_at(asked + LEASE, self.0.source.changes(after, LOOK)).await {
                Ok(Ok(changes)) => {
                    let head = changes.head;
                    self.0.apply(after, changes, asked);
                    if head < heard {
                        // The authority counts from less than it did: its database was restored.
                        self.0.latest.lower(head);
                    }
                    (after, is_reached) = (Some(head), true);
                }
                failed => {
                    if std::mem::take(&mut is_reached) && after.is_some() {
                        let problem = failed.ok().and_then(Result::err);
                        tracing::warn!(?problem, "the changes of access cannot be followed for now");
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }
}

impl Inner {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest change that was taken in, if that can be relied on. To be asked before the cache is read: what a
    /// change ends is taken out before the change counts as taken in.
    fn applied_under_lease(&self) -> Option<i64> {
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        (now < self.lease.load(Ordering::Acquire)).then(|| self.applied.load(Ordering::Acquire))
    }

    /// Waits a moment for a change that is on its way here.
    async fn catches_up(&self, at_least: i64) -> bool {
        match self.applied_under_lease() {
            None => false,
            Some(applied) if applied >= at_least => true,
            Some(_) => {
                let mut progress = self.progress.subscribe();
                let caught_up = progress.wait_for(|()| self.applied.load(Ordering::Acquire) >= at_least);
                timeout(CATCH_UP, caught_up).await.is_ok()
            }
        }
    }

    fn cached_key(&self, hash: &KeyHash, at_least: i64) -> Option<KeptKey> {
        let applied = self.applied_under_lease()?;
        let kept = self.keys.get(hash).filter(|kept| Instant::now() < kept.until)?;
        let counts = match kept.found {
            None => applied == kept.number && applied >= at_least,
            Some(_) => applied.max(kept.number) >= at_least,
        };
        counts.then_some(kept)
    }

    fn keep(&self, key: Key, answer: AsOf<Snapshot>) {
        if !self.keeps {
            return;
        }
        let recent = self.recent();
        // An older answer may have been longer on its way.
        let is_newer = self.cache.peek(&key).is_none_or(|kept| kept.number <= answer.number);
        if is_newer && recent.is_unchanged(&subjects(&key), answer.number) {
            self.cache.insert(key, answer);
        }
    }

    fn keep_key(&self, hash: KeyHash, found: Option<WorkingKey>, number: i64, asked: Instant) {
        if !self.keeps {
            return;
        }
        let recent = self.recent();
        let lifetime = match &found {
            None => REFUSAL_LIFETIME,
            Some(found) if recent.is_unchanged(&key_subjects(found), number) => {
                found.expires_in.map_or(KEY_LIFETIME, |left| left.min(KEY_LIFETIME))
            }
            Some(_) => return,
        };
        self.keys.insert(hash, KeptKey { found, number, until: asked + lifetime });
    }

    fn apply(&self, after: Option<i64>, changes: Changes, asked: Instant) {
        let mut recent = self.recent();
        match (after, changes.subjects) {
            (Some(after), Some(subjects)) if is_complete(after, changes.head, &subjects) => {
                if !subjects.is_empty() {
                    recent.add(after, &subjects);
                    self.forget_what_changed(&recent);
                }
            }
            _ => {
                recent.restart(changes.head);
                self.cache.clear();
                self.keys.clear();
            }
        }
        self.latest.raise(changes.head);
        self.applied.store(changes.head, Ordering::Release);
        self.progress.send_replace(());
        let lapses = (asked + LEASE).duration_since(self.started).as_nanos();
        self.lease.store(u64::try_from(lapses).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn forget_what_changed(&self, recent: &Recent) {
        self.cache.retain(|key, kept| recent.is_unchanged(&subjects(key), kept.number));
        self.keys
            .retain(|_, kept| kept.found.is_none_or(|found| recent.is_unchanged(&key_subjects(&found), kept.number)));
    }
}

/// Whether these are all changes from the one after `after` to `head`.
fn is_complete(after: i64, head: i64, subjects: &[Uuid]) -> bool {
    head.checked_sub(after).and_then(|count| usize::try_from(count).ok()) == Some(subjects.len())
}

/// Whose changes end a snapshot.
fn subjects((user, organisation): &Key) -> [Uuid; 3] {
    let organisation = organisation.map_or(user.session_id, OrganisationId::uuid);
    [user.id.uuid(), user.session_id, organisation]
}

/// Whose changes end a key.
fn key_subjects(working: &WorkingKey) -> [Uuid; 3] {
    [working.key.id, working.key.organisation_id.uuid(), working.created_by.uuid()]
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshots")
    }
}

#[cfg(test)]
mod tests;
