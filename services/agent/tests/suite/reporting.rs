//! What tenancy is told, and when it cannot be told.

use crate::neighbours::Mood;
use crate::world::{DEADLINE, World, assignment, code};
use access::Meta;
use callfairy_core::ErrorCode;
use db::diesel::prelude::*;
use db::diesel::sql_types::BigInt;
use db::on;
use proto::Permission;
use proto::agent::GrantPermissionRequest;
use proto::rpc::agents::{AssignAgent, GrantPermission};
use runtime::{Listener, LocalSlots, Shutdown};
use std::time::Duration;
use tokio::time::Instant;

testkit::on_both!(
    is_told_before_the_answer,
    what_it_missed_arrives_later,
    a_repeated_request_tells_again,
    a_tenancy_that_hangs_does_not_hold_up_the_answer,
    a_role_that_cannot_be_known_is_not_guessed,
    what_an_end_left_behind_is_told_at_the_next_start,
);

/// Messages that wait in the outbox.
async fn waiting(url: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let pool = db::Pool::open(url, "agent", 1).unwrap();
    let count = |db: &mut db::Db| {
        let query = diesel::sql_query("SELECT count(*) AS count FROM outbox");
        Ok::<_, db::Error>(on!(db, |c| query.get_result::<Count>(c))?.count)
    };
    pool.read(count).await.unwrap()
}

async fn is_told_before_the_answer(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    for round in 0..10 {
        let first = world.assign(ada, acme).await;
        assert_eq!(world.known_active(&first), Some(true), "round {round}");
        let second = world.assign(world.user("Bo"), acme).await;
        assert_eq!((world.known_active(&first), world.known_active(&second)), (Some(false), Some(true)));
        // Never is there a moment with two: the end comes before the beginning.
        let place = |id: &str, is_active| {
            world.neighbours.with(|known| {
                known.reports.iter().position(|fact| fact.assignment_id == id && fact.is_active == is_active).unwrap()
            })
        };
        assert!(place(&first.id, false) < place(&second.id, true));
    }
    // What the outbox says on top of it is nothing new, and it empties.
    testkit::eventually("all is delivered", DEADLINE, async || {
        (waiting(world.database.url()).await == 0).then_some(())
    })
    .await;
    let known = world.neighbours.with(|known| known.facts.clone());
    assert_eq!(known.len(), 20);
    assert_eq!(known.values().filter(|fact| fact.is_active).count(), 1);
}

async fn what_it_missed_arrives_later(world: &World) {
    let acme = world.organisation("Acme");
    let first = world.assign(world.user("Ada"), acme).await;
    world.mood(Mood::Down);
    let second = world.assign(world.user("Bo"), acme).await;
    let key = Permission::MakeCalls.into();
    let changed = world.ask::<GrantPermission>(GrantPermissionRequest { id: second.id.clone(), key }).await.unwrap();
    assert_eq!((world.known_active(&first), world.known_active(&second)), (Some(true), None));
    world.mood(Mood::Well);
    testkit::eventually("tenancy knows it all", DEADLINE, async || {
        let told = (world.known_active(&first), world.known_active(&second)) == (Some(false), Some(true));
        (told && waiting(world.database.url()).await == 0).then_some(())
    })
    .await;
    let fact = world.neighbours.with(|known| known.facts[&second.id].clone());
    assert_eq!((fact.version, fact.permissions), (2, changed.permissions));
}

async fn a_repeated_request_tells_again(world: &World) {
    let request = assignment(world.user("Ada"), world.organisation("Acme"));
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(world.superadmin) };
    world.mood(Mood::Down);
    let agent = world.agent.unary::<AssignAgent>(&meta, request.clone()).await.unwrap();
    assert_eq!(world.known_active(&agent), None);
    world.mood(Mood::Well);
    assert_eq!(world.agent.unary::<AssignAgent>(&meta, request).await, Ok(agent.clone()));
    assert_eq!(world.known_active(&agent), Some(true));
}

async fn a_tenancy_that_hangs_does_not_hold_up_the_answer(world: &World) {
    world.mood(Mood::Hanging);
    let start = Instant::now();
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(agent.is_active && world.known_active(&agent).is_none());
    world.mood(Mood::Well);
    testkit::eventually("tenancy knows", DEADLINE, async || world.known_active(&agent)).await;
}

async fn a_role_that_cannot_be_known_is_not_guessed(world: &World) {
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    // Who was not told of the end would answer with the role of before it.
    for mood in [Mood::Deaf, Mood::Down] {
        world.mood(mood);
        assert_eq!(code(world.revoke(&agent.id).await), ErrorCode::Unavailable);
    }
    // It has been revoked all the same.
    let ended = world.get(&agent.id).await;
    assert!(!ended.is_active);
    world.mood(Mood::Well);
    assert_eq!(world.revoke(&agent.id).await.unwrap().agent, Some(ended));
    assert_eq!(world.known_active(&agent), Some(false));
}

async fn what_an_end_left_behind_is_told_at_the_next_start(world: &World) {
    // What a crash right after the commit leaves behind, too: the message.
    world.mood(Mood::Down);
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    world.stop().await;
    assert!(waiting(world.database.url()).await > 0);
    world.mood(Mood::Well);

    let (shutdown, listener) = (Shutdown::new(), Listener::local(LocalSlots::default().agent));
    let another = tokio::spawn(agent::serve(world.config(), listener, shutdown.clone()));
    testkit::eventually("tenancy knows", DEADLINE, async || world.known_active(&agent)).await;
    shutdown.begin();
    another.await.unwrap().unwrap();
}
