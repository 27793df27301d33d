//! Refresh tokens: one successor each, a moment's grace, and what their reuse tells.

use crate::tenancy::Mood;
use crate::world::{PASSWORD, World, code};
use callfairy_core::ErrorCode;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::time::Duration;

testkit::on_both!(
    each_is_exchanged_for_another,
    twenty_at_one_time_get_the_same,
    a_lost_answer_is_given_again_for_ten_seconds,
    reuse_after_the_grace_ends_the_session,
    a_grandparent_ends_the_session_at_once,
    a_session_that_is_not_used_expires,
    a_session_ends_however_much_it_is_used,
    an_outage_of_tenancy_costs_nobody_their_session,
    what_is_no_refresh_token_is_refused,
    replicas_share_sessions,
);

const DAY: Duration = Duration::from_hours(24);

async fn each_is_exchanged_for_another(world: &World) {
    let mut tokens = world.signed_up("ada@example.com").await;
    let mut seen = HashSet::from([tokens.refresh_token.clone()]);
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(10));
        tokens = world.refresh(&tokens.refresh_token).await.unwrap();
        assert!(seen.insert(tokens.refresh_token.clone()));
        assert_eq!(world.me(&tokens).await.unwrap().email, "ada@example.com");
    }
    assert_eq!(world.count("sessions").await, 1);
}

async fn twenty_at_one_time_get_the_same(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let answers = join_all((0..20).map(|_| world.refresh(&tokens.refresh_token))).await;
    let successors: HashSet<String> = answers.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(world.count("refresh_tokens").await, 2);
    world.refresh(successors.iter().next().unwrap()).await.unwrap();
}

async fn a_lost_answer_is_given_again_for_ten_seconds(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let first = world.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    let again = world.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(again.refresh_token, first.refresh_token);
    world.refresh(&again.refresh_token).await.unwrap();
}

async fn reuse_after_the_grace_ends_the_session(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let other = world.login("ada@example.com", PASSWORD).await.unwrap();
    let successor = world.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(10) + Duration::from_millis(1));
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
    assert_eq!(code(world.refresh(&successor.refresh_token).await), ErrorCode::Unauthenticated);
    let mail = world.mails("ada@example.com", 2).await.pop().unwrap();
    assert_eq!(mail.subject(), "You were signed out on one device");
    // The owner's other session goes on, and one mail is enough.
    world.refresh(&other.refresh_token).await.unwrap();
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
    assert_eq!(world.count("mails WHERE kind = 'session_ended'").await, 1);
}

async fn a_grandparent_ends_the_session_at_once(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let child = world.refresh(&tokens.refresh_token).await.unwrap();
    let grandchild = world.refresh(&child.refresh_token).await.unwrap();
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
    assert_eq!(code(world.refresh(&grandchild.refresh_token).await), ErrorCode::Unauthenticated);
    assert_eq!(world.count("refresh_tokens WHERE successor IS NOT NULL").await, 0);
}

async fn a_session_that_is_not_used_expires(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    world.clock.advance(29 * DAY + Duration::from_hours(23));
    let tokens = world.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(30 * DAY);
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
}

async fn a_session_ends_however_much_it_is_used(world: &World) {
    let mut tokens = world.signed_up("ada@example.com").await;
    for days in [29, 29, 29, 2] {
        world.clock.advance(days * DAY);
        tokens = world.refresh(&tokens.refresh_token).await.unwrap();
    }
    world.clock.advance(DAY);
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
}

async fn an_outage_of_tenancy_costs_nobody_their_session(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    world.tenancy.is(Mood::Down);
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unavailable);
    world.clock.advance(Duration::from_hours(1));
    world.tenancy.is(Mood::Well);
    world.refresh(&tokens.refresh_token).await.unwrap();
}

async fn what_is_no_refresh_token_is_refused(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let refresh = &tokens.refresh_token;
    let longer = format!("{refresh}A");
    let mut other = refresh.clone();
    other.replace_range(10..11, if &refresh[10..11] == "A" { "B" } else { "A" });
    for wrong in ["nonsense", &refresh[..40], &longer, &other, "cfr_"] {
        assert_eq!(code(world.refresh(wrong).await), ErrorCode::Unauthenticated, "{wrong}");
    }
    world.refresh(refresh).await.unwrap();
}

async fn replicas_share_sessions(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let replica = world.launch(world.config()).await;
    let request = || proto::auth::RefreshRequest { refresh_token: tokens.refresh_token.clone() };
    let refresh = async |client: &access::Client| {
        client.unary::<proto::rpc::sessions::Refresh>(&access::Meta::default(), request()).await.unwrap().refresh_token
    };
    let answers = join_all((0..20).map(|n| {
        let client = if n % 2 == 0 { &world.auth.client } else { &replica.client };
        refresh(client)
    }))
    .await;
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), 1);
    replica.end().await;
}
