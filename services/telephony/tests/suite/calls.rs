//! Calls as people order them, and what the gate lets pass.

use crate::pipeline::{Desk, active, begin, check, claim, ended, number, past, report};
use crate::world::{World, code, field};
use callfairy_core::ErrorCode;
use futures_util::future::join_all;
use proto::jobs::{CallOutcome, CallReport, SendResult};
use proto::rpc::calls as rpc;
use proto::telephony::{CallStatus, GetCallRequest};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

testkit::on_both!(
    one_key_orders_one_call,
    a_call_waits_for_its_time,
    a_clock_that_is_ahead_delays_nothing,
    one_call_to_a_number_at_a_time,
    two_calls_to_a_number_are_not_claimed_at_one_moment,
    who_asked_not_to_be_called_is_not,
    what_must_not_be_dialed_is_blocked,
    nobody_dials_for_an_organisation_that_is_not_active,
    no_more_calls_than_there_are_places,
    the_pace_is_kept,
    another_organisations_call_does_not_exist,
);

async fn one_key_orders_one_call(world: &World) {
    let desk = Desk::new(world);
    let order = || world.call_once::<rpc::CreateCall>(desk.user, "key", desk.request("+442079460018"));
    let made = join_all((0..20).map(|_| order())).await;
    let ids: HashSet<_> = made.into_iter().map(|made| made.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(number(world, "SELECT count(*) FROM calls").await, 1);
    assert_eq!(number(world, "SELECT count(*) FROM call_events").await, 1);
    let other = world.call_once::<rpc::CreateCall>(desk.user, "key", desk.request("+442079460019")).await;
    assert_eq!(code(other), ErrorCode::IdempotencyKeyReused);
}

async fn a_call_waits_for_its_time(world: &World) {
    let desk = Desk::new(world);
    let now = callfairy_core::Timestamp::from(jiff::Timestamp::now());
    let at = now.plus(Duration::from_hours(1));
    world.clock.set(now);
    let scheduled = |at: callfairy_core::Timestamp| proto::telephony::CreateCallRequest {
        scheduled_at: Some(at.into()),
        ..desk.request("+442079460018")
    };
    let call = world.call::<rpc::CreateCall>(desk.user, scheduled(at)).await.unwrap();
    assert_eq!(claim(world, &call.id).await, None);
    world.sql(&format!("UPDATE calls SET due_at = {}", past(world))).await;
    assert!(claim(world, &call.id).await.is_some());
    let too_far = now.plus(Duration::from_hours(400 * 24));
    assert_eq!(field(world.call::<rpc::CreateCall>(desk.user, scheduled(too_far)).await), "scheduled_at");
}

async fn a_clock_that_is_ahead_delays_nothing(world: &World) {
    world.clock.set(callfairy_core::Timestamp::from(jiff::Timestamp::now()).plus(Duration::from_hours(1)));
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    assert!(claim(world, &call.id).await.is_some());
}

async fn one_call_to_a_number_at_a_time(world: &World) {
    let (desk, other) = (Desk::new(world), Desk::new(world));
    let (first, second) = (desk.create("+442079460018").await, desk.create("+442079460018").await);
    let order = desk.order(&first.id).await;
    assert_eq!(claim(world, &second.id).await, None);
    begin(world, &order).await.unwrap();
    world.sql(&format!("UPDATE calls SET due_at = {} WHERE status = 'queued'", past(world))).await;
    assert_eq!(claim(world, &second.id).await, None);
    // What another organisation does is its own.
    desk.order(&other.create("+442079460018").await.id).await;
    report(world, &order, SendResult::Refused).await;
    // As soon as the first is over, though its claim would hold for longer.
    world.sql(&format!("UPDATE calls SET due_at = {} WHERE status = 'queued'", past(world))).await;
    assert!(claim(world, &second.id).await.is_some());
}

async fn two_calls_to_a_number_are_not_claimed_at_one_moment(world: &World) {
    let desk = Desk::new(world);
    for round in 0..10 {
        let phone_number = format!("+4420794600{round:02}");
        let calls = join_all((0..4).map(|_| desk.create(&phone_number))).await;
        world.sql(&format!("UPDATE pacing SET next_at = {}", past(world))).await;
        let claims = join_all(calls.iter().map(|call| claim(world, &call.id))).await;
        assert_eq!(claims.iter().flatten().count(), 1);
    }
    check(world).await;
}

async fn who_asked_not_to_be_called_is_not(world: &World) {
    let desk = Desk::new(world);
    let (first, second) = (desk.create("+442079460018").await, desk.create("+442079460018").await);
    let order = desk.send(&first.id).await;
    report(world, &order, SendResult::Accepted).await;
    let opt_out = CallReport { disposition: "DO_NOT_CONTACT".to_owned(), ..ended(CallOutcome::Completed) };
    desk.look(&order, Some(opt_out)).await;
    assert_eq!(claim(world, &second.id).await, None);
    let second = desk.get(&second.id).await;
    assert_eq!(second.status(), CallStatus::Blocked);
    assert!(second.reason.unwrap().contains("suppressed"));
    check(world).await;
}

async fn what_must_not_be_dialed_is_blocked(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+449098790123").await;
    assert_eq!(claim(world, &call.id).await, None);
    let blocked = desk.get(&call.id).await;
    assert_eq!((blocked.status(), blocked.attempts), (CallStatus::Blocked, 0));
    assert!(blocked.reason.unwrap().contains("premium"));
    assert_eq!(active(world).await, 0);
}

async fn nobody_dials_for_an_organisation_that_is_not_active(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    // As if it were the call of an organisation that is gone.
    let gone = uuid::Uuid::now_v7().simple().to_string();
    let gone = if world.pool.is_postgres() { format!("'{gone}'") } else { format!("x'{gone}'") };
    world.sql(&format!("UPDATE calls SET organisation_id = {gone}")).await;
    assert_eq!(claim(world, &call.id).await, None);
    let waits = format!("SELECT count(*) FROM calls WHERE status = 'queued' AND due_at > {}", past(world));
    assert_eq!(number(world, &waits).await, 1);
    assert_eq!(active(world).await, 0);
}

/// All calls, by many claimers at once; answers how many were claimed.
async fn claim_all(world: &World, calls: &[String]) -> usize {
    join_all(calls.iter().map(|call| claim(world, call))).await.into_iter().flatten().count()
}

async fn no_more_calls_than_there_are_places(world: &World) {
    let desk = Desk::new(world);
    // Fifty are the platform's places.
    let calls: Vec<_> = join_all((0..12).map(|n| desk.create_nth(n))).await.into_iter().map(|call| call.id).collect();
    world.sql(&format!("UPDATE pacing SET active = 46, next_at = {}", past(world))).await;
    assert_eq!(claim_all(world, &calls).await, 4);
    assert_eq!(active(world).await, 50);
    world.sql(&format!("UPDATE calls SET due_at = {0}; UPDATE pacing SET next_at = {0}", past(world))).await;
    assert_eq!(claim_all(world, &calls).await, 0);
}

async fn the_pace_is_kept(world: &World) {
    let desk = Desk::new(world);
    let calls: Vec<_> = join_all((0..40).map(|n| desk.create_nth(n))).await.into_iter().map(|call| call.id).collect();
    world.sql(&format!("UPDATE pacing SET next_at = {}", past(world))).await;
    let (begun, mut claimed) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(2) {
        world.sql(&format!("UPDATE calls SET due_at = {} WHERE claimed_until IS NULL", past(world))).await;
        claimed += u32::try_from(claim_all(world, &calls).await).unwrap();
    }
    // Ten in a second, and one second that was quiet before.
    let most = 10.0 * (begun.elapsed().as_secs_f64() + 1.0) + 1.0;
    assert!(f64::from(claimed) <= most, "{claimed}, not {most}");
    assert!(claimed >= 20, "{claimed}");
    check(world).await;
}

async fn another_organisations_call_does_not_exist(world: &World) {
    let (desk, other) = (Desk::new(world), Desk::new(world));
    let call = desk.create("+442079460018").await;
    let get = GetCallRequest { organisation_id: other.organisation.to_string(), id: call.id };
    assert_eq!(code(world.call::<rpc::GetCall>(other.user, get).await), ErrorCode::NotFound);
}
