//! A call from its claim to its end: the worker's side is played by the tests.

mod desk;
mod sequences;
mod webhooks;

pub use desk::*;
pub use webhooks::opt_out;

use crate::world::{DEADLINE, World, code, nobody};
use callfairy_core::ErrorCode;
use futures_util::future::join_all;
use proto::jobs::{
    CallOrder, CallOutcome, CallProgress, CallReport, GetLookupRequest, GetRecordingJobRequest, ReportRecordingRequest,
    ReportSendRequest, SendResult,
};
use proto::rpc::call_jobs as jobs;
use proto::telephony::CallStatus;
use queue::QueueName;

testkit::on_both!(
    twenty_claims_are_one,
    the_fence_lets_one_pass,
    a_claim_that_runs_out_before_the_fence_is_queued_again,
    a_claim_that_runs_out_behind_the_fence_is_unknown,
    each_result_of_a_post_leads_somewhere,
    what_is_found_is_adopted,
    what_is_not_found_is_given_to_people,
    a_repeated_look_counts_once,
    late_news_win,
    a_late_word_of_the_worker_wins,
    a_recording_is_rung_for_until_it_is_there,
);

async fn twenty_claims_are_one(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let claims = join_all((0..20).map(|_| claim(world, &call.id))).await;
    assert_eq!(claims.into_iter().flatten().count(), 1);
    assert_eq!(number(world, "SELECT count(*) FROM attempts").await, 1);
    assert_eq!(claim(world, &nobody()).await, None);
    check(world).await;
}

async fn the_fence_lets_one_pass(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let stale = desk.order(&call.id).await;
    let wrong = CallOrder { epoch: stale.epoch + 1, ..stale.clone() };
    assert_eq!(code(begin(world, &wrong).await), ErrorCode::Conflict);
    release(world, &stale).await;
    release(world, &stale).await;
    assert_eq!(active(world).await, 0);
    let order = desk.order(&call.id).await;
    assert!(order.epoch > stale.epoch);
    assert_eq!(code(begin(world, &stale).await), ErrorCode::Conflict);
    let answers = join_all((0..10).map(|_| begin(world, &order))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    // Behind the fence nothing is given back.
    release(world, &order).await;
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Dialing);
    let late = desk.create("+442079460019").await;
    let late = desk.order(&late.id).await;
    world.sql(&format!("UPDATE attempts SET lease_until = {} WHERE state = 'intent'", past(world))).await;
    assert_eq!(code(begin(world, &late).await), ErrorCode::Conflict);
    check(world).await;
}

async fn a_claim_that_runs_out_before_the_fence_is_queued_again(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    rung(world, QueueName::Call, &call.id).await;
    let lost = desk.order(&call.id).await;
    lapse(world).await;
    rung(world, QueueName::Call, &call.id).await;
    let queued = desk.get(&call.id).await;
    assert_eq!((queued.status(), queued.attempts), (CallStatus::Queued, 0));
    assert_eq!(active(world).await, 0);
    let next = desk.send(&call.id).await;
    assert_eq!(code(begin(world, &lost).await), ErrorCode::Conflict);
    report(world, &lost, SendResult::Accepted).await;
    assert_eq!(next.attempt, 1);
    check(world).await;
}

async fn a_claim_that_runs_out_behind_the_fence_is_unknown(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    desk.send(&call.id).await;
    lapse(world).await;
    testkit::eventually("the call is in doubt", DEADLINE, async || {
        (desk.get(&call.id).await.status() == CallStatus::Unknown).then_some(())
    })
    .await;
    world.sql(&format!("UPDATE calls SET due_at = {}", past(world))).await;
    assert_eq!(claim(world, &call.id).await, None);
    assert!(desk.events(&call.id).await.iter().all(|event| event.cause != "lease_expired"));
    assert_eq!(active(world).await, 1);
    check(world).await;
}

async fn each_result_of_a_post_leads_somewhere(world: &World) {
    let desk = Desk::new(world);
    for (n, (result, status, places)) in [
        (SendResult::Refused, CallStatus::Failed, 0),
        (SendResult::AccountBlocked, CallStatus::Queued, 0),
        (SendResult::SlowDown, CallStatus::Queued, 0),
        (SendResult::NotSent, CallStatus::Queued, 0),
        (SendResult::Accepted, CallStatus::Dialing, 1),
        (SendResult::Unknown, CallStatus::Unknown, 2),
        (SendResult::Unspecified, CallStatus::Unknown, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let call = desk.create_nth(n).await;
        let order = desk.send(&call.id).await;
        for _ in 0..2 {
            report(world, &order, result).await;
            assert_eq!((desk.get(&call.id).await.status(), active(world).await), (status, places), "{result:?}");
            check(world).await;
        }
    }
    // However long the provider wants to be left alone, the call comes back.
    let call = desk.create_nth(50).await;
    let order = desk.send(&call.id).await;
    let request = ReportSendRequest {
        attempt_id: order.attempt_id,
        epoch: order.epoch,
        result: SendResult::SlowDown.into(),
        retry_after_seconds: u64::MAX,
        ..ReportSendRequest::default()
    };
    world.asks::<jobs::ReportSend>(request).await.unwrap();
    let future = if world.pool.is_postgres() { "now() + interval '2 hours'" } else { "(unixepoch() + 7200) * 1000000" };
    assert_eq!(number(world, &format!("SELECT count(*) FROM calls WHERE due_at > {future}")).await, 0);
}

async fn what_is_found_is_adopted(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.doubt(&call.id).await;
    let lookup = world.asks::<jobs::GetLookup>(GetLookupRequest { call_id: call.id.clone() }).await.unwrap();
    assert_eq!(lookup.lookup.unwrap().attempt_id, order.attempt_id);
    desk.look(&order, Some(progress(CallProgress::Ringing))).await;
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Ringing);
    desk.look(&order, Some(progress(CallProgress::Queued))).await;
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Ringing);
    desk.look(&order, Some(ended(CallOutcome::Completed))).await;
    desk.look(&order, Some(ended(CallOutcome::Failed))).await;
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Completed);
    assert_eq!(active(world).await, 0);
    let lookup = world.asks::<jobs::GetLookup>(GetLookupRequest { call_id: call.id }).await.unwrap();
    assert_eq!(lookup.lookup, None);
    check(world).await;
}

async fn what_is_not_found_is_given_to_people(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    // Somebody else's place, which is not given back with this one.
    let other = desk.create("+442079460019").await;
    desk.send(&other.id).await;
    let order = desk.doubt(&call.id).await;
    desk.give_up(&order).await;
    assert_eq!(active(world).await, 1);
    // A message that comes once more.
    world.sql(&format!("UPDATE attempts SET updated_at = {}", past(world))).await;
    desk.look(&order, None).await;
    assert_eq!(active(world).await, 1);
    check(world).await;
    assert_eq!(claim(world, &call.id).await, None);
    // Another call to the number need not wait for people.
    let next = desk.create("+442079460018").await;
    desk.order(&next.id).await;
}

async fn a_repeated_look_counts_once(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.doubt(&call.id).await;
    for _ in 0..10 {
        desk.look(&order, None).await;
    }
    assert!(!desk.get(&call.id).await.needs_review);
    world.sql(&format!("UPDATE attempts SET updated_at = {}", past(world))).await;
    for _ in 0..10 {
        desk.look(&order, None).await;
    }
    assert_eq!(number(world, "SELECT CAST(lookups AS bigint) FROM attempts").await, 1);
}

async fn late_news_win(world: &World) {
    let desk = Desk::new(world);
    let (first, second) = (desk.create("+442079460018").await, desk.create("+442079460019").await);
    let order = desk.doubt(&first.id).await;
    desk.give_up(&order).await;
    desk.look(&order, Some(progress(CallProgress::InProgress))).await;
    let found = desk.get(&first.id).await;
    assert_eq!((found.status(), found.needs_review), (CallStatus::InProgress, false));
    check(world).await;
    desk.look(&order, Some(ended(CallOutcome::Voicemail))).await;
    assert_eq!(desk.get(&first.id).await.status(), CallStatus::Voicemail);
    check(world).await;
    let order = desk.doubt(&second.id).await;
    desk.give_up(&order).await;
    desk.look(&order, Some(ended(CallOutcome::Completed))).await;
    let found = desk.get(&second.id).await;
    assert_eq!((found.status(), found.needs_review), (CallStatus::Completed, false));
    assert_eq!(active(world).await, 0);
    check(world).await;
}

/// Somebody was paused behind the fence for so long that the call was given up.
async fn a_late_word_of_the_worker_wins(world: &World) {
    let desk = Desk::new(world);
    // Places that must not be given back in their stead.
    desk.send(&desk.create_nth(10).await.id).await;
    for (n, (result, status, review, places)) in [
        (SendResult::Refused, CallStatus::Failed, false, 1),
        (SendResult::NotSent, CallStatus::Unknown, true, 1),
        (SendResult::Unknown, CallStatus::Unknown, true, 1),
        (SendResult::Accepted, CallStatus::Dialing, false, 2),
    ]
    .into_iter()
    .enumerate()
    {
        let call = desk.create_nth(n).await;
        let order = desk.doubt(&call.id).await;
        desk.give_up(&order).await;
        report(world, &order, result).await;
        let call = desk.get(&call.id).await;
        assert_eq!((call.status(), call.needs_review), (status, review), "{result:?}");
        assert_eq!(active(world).await, places, "{result:?}");
        check(world).await;
    }
}

async fn a_recording_is_rung_for_until_it_is_there(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.send(&call.id).await;
    report(world, &order, SendResult::Accepted).await;
    let recording_url = "https://example.org/recording.mp3".to_owned();
    desk.look(&order, Some(CallReport { recording_url: recording_url.clone(), ..ended(CallOutcome::Completed) })).await;
    rung(world, QueueName::Recording, &call.id).await;
    // Its message was lost.
    world.sql(&format!("UPDATE calls SET rung_at = {}", past(world))).await;
    rung(world, QueueName::Recording, &call.id).await;
    let request = GetRecordingJobRequest { call_id: call.id.clone() };
    let job = world.asks::<jobs::GetRecordingJob>(request.clone()).await.unwrap();
    assert_eq!(job.recording_url, recording_url);
    let stored = ReportRecordingRequest { call_id: call.id, stored: true, size: 3, ..Default::default() };
    world.asks::<jobs::ReportRecording>(stored).await.unwrap();
    assert_eq!(world.asks::<jobs::GetRecordingJob>(request).await.unwrap().recording_url, "");
}
