//! What a check costs in a process that knows its caller: the token, and the permission.

use crate::Extent;
use crate::report::{Aim, Row, Table};
use access::{
    ACCESS_TOKEN_TYPE, AsOf, Changes, InternalKey, KeyHash, LatestChange, PermissionSet, Relation, Snapshot,
    SnapshotSource, Snapshots, TokenVerifier, User, VerificationKeys, WorkingKey,
};
use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use callfairy_core::{Clock as _, OrganisationId, Problem, SystemClock, UserId};
use proto::Permission;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::TestKey;
use uuid::Uuid;

/// Users, each in an organisation: more than a processor's nearest cache holds.
const USERS: usize = 1_000;
/// Between two looks at the clock: a small part of the second that a lease lasts.
const CHECKS: u32 = 200_000;
/// What others are left between two batches.
const TURN: Duration = Duration::from_millis(1);
const PERMISSION_CHECK: Aim = Aim::AtMost(100.0);

pub async fn measure(extent: Extent) -> Result<Table> {
    Ok(Table {
        title: "a check in process".to_owned(),
        unit: "ns",
        rows: vec![
            Row::new("cached snapshot and the decision", permission(extent.time).await?).aim(PERMISSION_CHECK),
            Row::new("token that was verified before", token(extent.time).await?),
        ],
        note: "One thread, of 1,000 users in turn.",
    })
}

struct Everything;

#[async_trait]
impl SnapshotSource for Everything {
    async fn snapshot(&self, _: User, _: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem> {
        let value = Snapshot {
            user_is_active: true,
            is_superadmin: false,
            organisation_exists: true,
            relation: Relation::Agent,
            permissions: PermissionSet::grantable(),
        };
        Ok(AsOf { number: 1, value })
    }

    async fn api_key(&self, _: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        Ok(None)
    }

    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem> {
        if after.is_some() {
            tokio::time::sleep(wait).await;
        }
        Ok(Changes { head: 1, subjects: after.map(|_| vec![]) })
    }
}

/// The guard's own rule is private to it; it asks the same.
fn allowed(snapshot: &Snapshot, permission: Permission) -> bool {
    snapshot.user_is_active
        && snapshot.organisation_exists
        && (snapshot.is_superadmin
            || (snapshot.relation != Relation::None && snapshot.permissions.contains(permission)))
}

async fn permission(time: Duration) -> Result<f64> {
    let user = || User { id: UserId::new(), session_id: Uuid::now_v7() };
    let keys: Vec<_> = (0..USERS).map(|_| (user(), Some(OrganisationId::new()))).collect();
    let snapshots = Snapshots::new(Arc::new(Everything), LatestChange::default());
    let followed = snapshots.clone();
    let following = tokio::spawn(async move { followed.follow().await });
    let mut meter = Meter::new(time);
    while meter.goes_on() {
        // The changes are followed on this thread, too.
        tokio::time::sleep(TURN).await;
        for (user, organisation) in &keys {
            snapshots.get(*user, *organisation, 1).await.map_err(|problem| anyhow!("{problem:?}"))?;
        }
        let began = Instant::now();
        let mut passed = 0;
        for key in keys.iter().cycle().take(CHECKS as usize) {
            let snapshot = snapshots.cached(black_box(key), 1);
            passed += u32::from(snapshot.is_some_and(|snapshot| allowed(&snapshot, black_box(Permission::MakeCalls))));
        }
        // On a machine that is busy elsewhere they may have lapsed after all.
        if passed == CHECKS {
            meter.add(began.elapsed());
        }
    }
    following.abort();
    meter.nanoseconds()
}

async fn token(time: Duration) -> Result<f64> {
    let (key, now) = (TestKey::default(), SystemClock.now());
    let keys = VerificationKeys::new(Arc::new(key));
    let verifier = TokenVerifier::new(keys, InternalKey::new(&[1; 32], []), Arc::new(SystemClock));
    let signed = |_| key.sign(ACCESS_TOKEN_TYPE, &testkit::claims(UserId::new(), now));
    let tokens: Vec<_> = (0..USERS).map(signed).collect();
    let mut meter = Meter::new(time);
    for token in &tokens {
        verifier.verify(token).await.ok().context("a token was refused")?;
    }
    while meter.goes_on() {
        let began = Instant::now();
        let mut passed = 0;
        for token in tokens.iter().cycle().take(CHECKS as usize) {
            passed += u32::from(verifier.verify(black_box(token)).await.is_ok());
        }
        meter.add(began.elapsed());
        ensure!(passed == CHECKS, "{passed} of {CHECKS} tokens passed");
    }
    meter.nanoseconds()
}

/// Times [`CHECKS`] at a time, until it was long enough.
struct Meter {
    until: Instant,
    batches: Vec<Duration>,
}

impl Meter {
    fn new(time: Duration) -> Self {
        Self { until: Instant::now() + time, batches: vec![] }
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    fn add(&mut self, batch: Duration) {
        self.batches.push(batch);
    }

    /// Of one check, in the middle batch.
    fn nanoseconds(mut self) -> Result<f64> {
        self.batches.sort_unstable();
        let middle = self.batches.get(self.batches.len() / 2).context("nothing was measured")?;
        Ok(middle.as_secs_f64() * 1e9 / f64::from(CHECKS))
    }
}
