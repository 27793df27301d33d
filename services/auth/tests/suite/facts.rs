//! What tenancy is told of accounts.

use crate::tenancy::Mood;
use crate::world::{DEADLINE, PASSWORD, World};
use proto::tenancy::AccountFact;
use std::time::{Duration, Instant};

testkit::on_both!(
    a_verified_account_is_known_when_its_owner_is_told,
    an_unverified_account_is_not_told_of,
    what_tenancy_missed_it_is_told_later,
    a_silent_tenancy_holds_nobody_up,
    signing_in_makes_an_account_known_again,
);

async fn verify(world: &World, email: &str) {
    world.register(email).await.unwrap();
    world.verify(world.last_mail(email).await.token()).await.unwrap();
}

async fn a_verified_account_is_known_when_its_owner_is_told(world: &World) {
    verify(world, "ada@example.com").await;
    let fact = world.tenancy.fact("ada@example.com").unwrap();
    let user = world.login("ada@example.com", PASSWORD).await.unwrap().user.unwrap();
    let expected = AccountFact {
        user_id: user.id,
        version: 2,
        email: "ada@example.com".to_owned(),
        name: "Ada Lovelace".to_owned(),
        is_active: true,
        is_superadmin: false,
        ended_sessions: vec![],
    };
    assert_eq!(fact, expected);
    let superadmin = world.tenancy.fact(crate::world::SUPERADMIN).unwrap();
    assert!(superadmin.is_active && superadmin.is_superadmin);
}

async fn an_unverified_account_is_not_told_of(world: &World) {
    world.register("ada@example.com").await.unwrap();
    assert_eq!(world.count("outbox WHERE topic = 'account_fact'").await, 0);
    assert_eq!(world.tenancy.fact("ada@example.com"), None);
}

async fn what_tenancy_missed_it_is_told_later(world: &World) {
    world.tenancy.is(Mood::Down);
    verify(world, "ada@example.com").await;
    assert_eq!(world.tenancy.fact("ada@example.com"), None);
    assert_eq!(world.count("outbox WHERE topic = 'account_fact'").await, 1);
    world.tenancy.is(Mood::Well);
    let told = async || world.tenancy.fact("ada@example.com");
    assert!(testkit::eventually("tenancy was told", DEADLINE, told).await.is_active);
    let settled = async || (world.count("outbox").await == 0).then_some(());
    testkit::eventually("the message is gone", DEADLINE, settled).await;
}

async fn a_silent_tenancy_holds_nobody_up(world: &World) {
    world.tenancy.is(Mood::Hanging);
    let began = Instant::now();
    verify(world, "ada@example.com").await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    // Mail goes on, although the same relay waits for tenancy.
    world.register("grace@example.com").await.unwrap();
    world.mails("grace@example.com", 1).await;
}

async fn signing_in_makes_an_account_known_again(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let settled = async || (world.count("outbox").await == 0).then_some(());
    testkit::eventually("all is told", DEADLINE, settled).await;
    // tenancy has lost its data.
    world.tenancy.with(|known| known.facts.clear());
    let again = world.login("ada@example.com", PASSWORD).await.unwrap();
    assert_eq!(world.tenancy.fact("ada@example.com").unwrap().user_id, tokens.user.unwrap().id);
    world.me(&again).await.unwrap();
}
