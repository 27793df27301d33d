//! How other processes learn what has changed in who may do what.

use crate::world::{DEADLINE, World, account, assignment};
use access::{LocalSlot, Meta};
use callfairy_core::{Clock as _, ErrorCode, Id, Problem};
use proto::Permission::{EditOrganisationSettings, ViewCalls};
use proto::rpc::api_keys::{CreateApiKey, RevokeApiKey, VerifyApiKey};
use proto::rpc::authority::{FollowAccess, GetAccess};
use proto::rpc::grants::RevokeUserPermission;
use proto::rpc::members::RemoveMember;
use proto::rpc::organisations::UpdateOrganisation;
use proto::tenancy::*;
use runtime::{Listener, Shutdown};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

testkit::on_both!(
    every_change_of_access_is_told,
    a_change_is_known_before_it_is_answered,
    who_asks_waits_for_the_next_change,
    who_knows_too_little_forgets_everything,
    another_replica_s_changes_are_told,
    answers_tell_which_changes_they_take_into_account,
);

/// That one may wait.
const LONGEST: Duration = Duration::from_secs(10);

async fn follow(world: &World, after: impl Into<Option<i64>>, wait: Duration) -> AccessChanges {
    let wait_milliseconds = u32::try_from(wait.as_millis()).unwrap();
    world.asks::<FollowAccess>(FollowAccessRequest { after: after.into(), wait_milliseconds }).await.unwrap()
}

async fn head(world: &World) -> i64 {
    follow(world, None, Duration::ZERO).await.head
}

/// Whom the changes after `after` are about; there are some.
async fn told(world: &World, after: i64) -> Vec<String> {
    let changes = follow(world, after, LONGEST).await;
    assert!(!changes.forget_all);
    assert_eq!(usize::try_from(changes.head - after), Ok(changes.subjects.len()));
    changes.subjects
}

async fn every_change_of_access_is_told(world: &World) {
    let organisation = world.organisation("Acme").await.id;
    let (mia, session) = (world.user("Mia").await, Id::<()>::new());
    let fact = AssignmentFact { version: 7, ..assignment(mia, &organisation, &[]) };
    let key = CreateApiKeyRequest {
        organisation_id: organisation.clone(),
        name: "Importer".to_owned(),
        permissions: vec![ViewCalls.into()],
        ..Default::default()
    };
    let mut after = head(world).await;
    macro_rules! tells {
        ($subjects:expr, $change:expr) => {{
            let answer = $change;
            let subjects: Vec<String> = $subjects.iter().map(ToString::to_string).collect();
            assert_eq!(told(world, after).await, subjects, "{}", stringify!($change));
            after += i64::try_from(subjects.len()).unwrap();
            answer
        }};
    }
    tells!([mia], world.report_account(AccountFact { version: 2, ..account(mia, "Mia") }).await);
    tells!([mia], world.grant(mia, &[ViewCalls]).await);
    tells!([mia], world.invite(&organisation, "mia@example.com").await);
    tells!([mia], world.report_assignment(fact.clone()).await);
    tells!([mia], world.report_assignment(AssignmentFact { version: 8, is_active: false, ..fact.clone() }).await);
    let revoke = RevokeUserPermissionRequest { id: mia.to_string(), key: ViewCalls.into() };
    tells!([mia], world.call::<RevokeUserPermission>(world.superadmin, revoke).await.unwrap());
    let remove = RemoveMemberRequest { organisation_id: organisation.clone(), user_id: mia.to_string() };
    tells!([mia], world.call::<RemoveMember>(world.superadmin, remove).await.unwrap());
    let ended = AccountFact { ended_sessions: vec![session.to_string()], ..account(mia, "Mia") };
    tells!([session], world.report_account(ended).await);
    let key = world.call::<CreateApiKey>(world.superadmin, key).await.unwrap();
    after += 1;
    let revoke = RevokeApiKeyRequest { organisation_id: organisation.clone(), id: key.id.clone() };
    tells!([key.id], world.call::<RevokeApiKey>(world.superadmin, revoke).await.unwrap());
    tells!([&organisation], world.deactivate(&organisation).await);

    // What changes nothing is not told.
    world.report_account(account(mia, "Mia")).await;
    world.report_assignment(fact).await;
    let rename = UpdateOrganisationRequest {
        organisation_id: organisation.clone(),
        name: Some("Acme & Sons".to_owned()),
        ..Default::default()
    };
    world.call::<UpdateOrganisation>(world.superadmin, rename).await.unwrap();
    assert_eq!(head(world).await, after);
}

async fn a_change_is_known_before_it_is_answered(world: &World) {
    let user = world.user("Una").await;
    for version in 2..20 {
        let after = head(world).await;
        world.report_account(AccountFact { version, ..account(user, "Una") }).await;
        assert_eq!(world.latest_change(), after + 1);
        let changes = follow(world, after, Duration::ZERO).await;
        assert_eq!((changes.head, changes.subjects), (after + 1, vec![user.to_string()]));
    }
}

async fn who_asks_waits_for_the_next_change(world: &World) {
    let (user, after) = (world.user("Una").await, head(world).await);
    let began = Instant::now();
    let changes = follow(world, after, Duration::from_millis(200)).await;
    assert_eq!(
        (changes, began.elapsed() >= Duration::from_millis(200)),
        (AccessChanges { head: after, ..Default::default() }, true)
    );
    let (changes, ()) = tokio::join!(follow(world, after, LONGEST), world.grant(user, &[ViewCalls]));
    assert_eq!(changes.subjects, [user.to_string()]);
    let too_long = FollowAccessRequest { after: Some(0), wait_milliseconds: 10_001 };
    let problem = world.asks::<FollowAccess>(too_long).await.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "wait_milliseconds"));
}

async fn who_knows_too_little_forgets_everything(world: &World) {
    let user = world.user("Una").await;
    let after = head(world).await;
    for after in [None, Some(after + 1)] {
        let changes = follow(world, after, Duration::ZERO).await;
        assert_eq!((changes.forget_all, changes.subjects.len()), (true, 0), "{after:?}");
    }
    let sessions = |count: usize| AccountFact {
        ended_sessions: (0..count).map(|_| Id::<()>::new().to_string()).collect(),
        ..account(user, "Una")
    };
    for count in [500, 500] {
        world.report_account(sessions(count)).await;
    }
    assert_eq!(told(world, after).await.len(), 1_000);
    world.report_account(sessions(1)).await;
    let changes = follow(world, after, Duration::ZERO).await;
    assert_eq!((changes.forget_all, changes.subjects.len(), changes.head), (true, 0, after + 1_001));
    assert_eq!(told(world, after + 1).await.len(), 1_000);

    // The oldest go, and then cannot be told any more.
    for _ in 0..18 {
        world.report_account(sessions(500)).await;
    }
    let (slot, shutdown) = (LocalSlot::default(), Shutdown::new());
    let replica = tokio::spawn(tenancy::serve(world.config(), Listener::local(slot), shutdown.clone()));
    testkit::eventually("the oldest are gone", DEADLINE, async || {
        follow(world, 0, Duration::ZERO).await.forget_all.then_some(())
    })
    .await;
    let head = head(world).await;
    assert_eq!(told(world, head - 1_000).await.len(), 1_000);
    shutdown.begin();
    replica.await.unwrap().unwrap();
}

async fn another_replica_s_changes_are_told(world: &World) {
    // One process works with a SQLite file.
    if !world.database.is_postgres() {
        return;
    }
    let (user, slot, shutdown) = (world.user("Una").await, LocalSlot::default(), Shutdown::new());
    let replica = tokio::spawn(tenancy::serve(world.config(), Listener::local(slot.clone()), shutdown.clone()));
    let other = access::Client::Local(slot);
    let meta: Meta = world.service.meta().unwrap();
    let ready = GetAccessRequest { user_id: user.to_string(), ..Default::default() };
    testkit::eventually("the replica answers", DEADLINE, async || {
        other.unary::<GetAccess>(&meta, ready.clone()).await.ok()
    })
    .await;
    let after = head(world).await;
    let waiting = FollowAccessRequest { after: Some(after), wait_milliseconds: 10_000 };
    let (changes, ()) = tokio::join!(other.unary::<FollowAccess>(&meta, waiting), world.grant(user, &[ViewCalls]));
    assert_eq!(changes.unwrap().subjects, [user.to_string()]);

    // Who waits when it stops is told to look elsewhere.
    let after = head(world).await;
    let waiting = FollowAccessRequest { after: Some(after), wait_milliseconds: 10_000 };
    let stop = async {
        tokio::task::yield_now().await;
        shutdown.begin();
    };
    let (answer, ()) = tokio::join!(other.unary::<FollowAccess>(&meta, waiting), stop);
    assert_eq!(answer, Err(Problem::unavailable("tenancy")));
    replica.await.unwrap().unwrap();
}

async fn answers_tell_which_changes_they_take_into_account(world: &World) {
    let organisation = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &organisation, &[EditOrganisationSettings, ViewCalls]).await;
    let request = CreateApiKeyRequest {
        organisation_id: organisation.clone(),
        name: "Importer".to_owned(),
        permissions: vec![ViewCalls.into()],
        expires_at: Some(world.clock.now().plus(Duration::from_secs(90)).into()),
    };
    let key = world.call::<CreateApiKey>(agent, request).await.unwrap();
    let hash = Sha256::digest(key.key.unwrap()).to_vec();
    for _ in 0..2 {
        let request = GetAccessRequest { user_id: agent.to_string(), ..Default::default() };
        assert_eq!(world.asks::<GetAccess>(request).await.unwrap().as_of, head(world).await);
        let verified = world.asks::<VerifyApiKey>(VerifyApiKeyRequest { hash: hash.clone() }).await.unwrap();
        assert_eq!((verified.as_of, verified.expires_in_milliseconds), (head(world).await, Some(90_000)));
        world.user("Somebody").await;
    }
}
