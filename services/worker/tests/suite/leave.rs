//! The fence: who has no leave to send, sends nothing; who has sent, says so.

use crate::fake::{ANSWERS, Method, Seen, State, Trouble};
use crate::world::{LEASE, Setting, World};
use callfairy_core::ErrorCode;
use proto::jobs::SendResult;
use tokio::time::Instant;
use uuid::Uuid;
use voice::simulator::Behaviour;

const TO: &str = "+14155550101";

/// Places a call whose leave to send meets the trouble, waits for the worker's end, and asserts that nothing was sent.
async fn no_post(world: &mut World, trouble: Trouble) -> Uuid {
    world.telephony.trouble(Method::Begin, &[trouble]);
    let call = world.telephony.queue_call(TO);
    world.place(call).await;
    world.saw("the claim", |seen| matches!(seen, Seen::Claim { taken: true, .. })).await;
    World::until("the message is done with", async || world.telephony.state(call) == State::Queued).await;
    world.stop().await;
    assert_eq!(world.dialed(TO).await, (0, 0));
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_no_leave() {
    for code in [ErrorCode::Unavailable, ErrorCode::DeadlineExceeded, ErrorCode::Internal] {
        let mut world = World::start().await;
        no_post(&mut world, Trouble::AnswerLost(code)).await;
        let seen = world.telephony.seen();
        let [_, Seen::Begin { passed: true }, Seen::Release { given_back: false }, Seen::Sent(report)] = &seen[..]
        else {
            panic!("{seen:?}");
        };
        // The fence was passed, and this is the only one who knows that nothing followed.
        assert_eq!(report.result(), SendResult::NotSent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_did_not_arrive_gives_the_claim_back() {
    let mut world = World::start().await;
    no_post(&mut world, Trouble::NotReached(ErrorCode::Unavailable)).await;
    let seen = world.telephony.seen();
    assert!(matches!(&seen[..], [_, Seen::Release { given_back: true }, Seen::Sent(_)]), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_went_to_somebody_else_is_left_alone() {
    let mut world = World::start().await;
    world.telephony.trouble(Method::Begin, &[Trouble::NotReached(ErrorCode::Conflict)]);
    let call = world.telephony.queue_call(TO);
    world.place(call).await;
    world.saw("the claim", |seen| matches!(seen, Seen::Claim { taken: true, .. })).await;
    world.stop().await;
    assert_eq!((world.telephony.seen().len(), world.telephony.state(call)), (1, State::Intent));
    assert_eq!(world.dialed(TO).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_comes_late_is_not_used() {
    let mut world = World::start().await;
    let held = world.telephony.leaves.clone().acquire_many_owned(ANSWERS).await;
    let call = world.telephony.queue_call(TO);
    world.place(call).await;
    world.saw("the fence is passed", |seen| *seen == Seen::Begin { passed: true }).await;
    let begun = Instant::now();
    World::until("half the lease has passed", async || begun.elapsed() > LEASE / 2).await;
    drop(held);
    World::until("it is queued again", async || world.telephony.state(call) == State::Queued).await;
    world.stop().await;
    assert_eq!((world.telephony.reports()[0].result(), world.dialed(TO).await), (SendResult::NotSent, (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_repeated_and_the_post_is_not() {
    let world = World::start().await;
    let troubles = [ErrorCode::Unavailable, ErrorCode::DeadlineExceeded, ErrorCode::Internal];
    world.telephony.trouble(Method::ReportSend, &troubles.map(Trouble::NotReached));
    let call = world.telephony.queue_call(TO);
    world.place(call).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    assert_eq!((world.telephony.reports().len(), world.dialed(TO).await), (1, (1, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_never_arrives_is_given_up_with_the_lease() {
    let mut world = World::start().await;
    world.telephony.trouble(Method::ReportSend, &[Trouble::NotReached(ErrorCode::Unavailable); 1_000]);
    let (call, before) = (world.telephony.queue_call(TO), Instant::now());
    world.place(call).await;
    World::until("it is dialed", async || world.dialed(TO).await == (1, 1)).await;
    // The worker waits for what it works on.
    world.stop().await;
    assert!(before.elapsed() < LEASE * 3, "{:?}", before.elapsed());
    assert_eq!(world.telephony.state(call), State::Sent);
    // Nobody took the message for undone.
    assert_eq!((world.dialed(TO).await, world.telephony.seen().len()), ((1, 1), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_before_the_fence_gives_the_claim_back() {
    let mut world = World::start().await;
    let held = world.telephony.claims.clone().acquire_many_owned(ANSWERS).await;
    let call = world.telephony.queue_call(TO);
    world.place(call).await;
    World::until("the claim is on its way", async || !world.telephony.traces().is_empty()).await;
    world.shutdown.begin();
    drop(held);
    world.stop().await;
    let seen = world.telephony.seen();
    assert!(matches!(&seen[..], [Seen::Claim { taken: true, .. }, Seen::Release { given_back: true }]), "{seen:?}");
    assert_eq!((world.telephony.state(call), world.dialed(TO).await), (State::Queued, (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_behind_the_fence_waits_for_the_report() {
    let behaviour = Behaviour { slow_seconds: 1.0, ..Behaviour::default() };
    let mut world = World::with(Setting { behaviour, ..Setting::default() }).await;
    let slow = "+14155550114";
    let call = world.telephony.queue_call(slow);
    world.place(call).await;
    World::until("it is dialed", async || world.dialed(slow).await == (1, 1)).await;
    assert_eq!(world.telephony.state(call), State::Sent);
    world.stop().await;
    assert_eq!((world.telephony.state(call), world.dialed(slow).await), (State::Accepted, (1, 1)));
}
