//! From a message to one POST, and what it came to.

use crate::fake::{Method, Seen, State, Trouble};
use crate::world::{Setting, World};
use callfairy_core::ErrorCode;
use proto::jobs::{CallJobKind, CallOrder, ReportSendRequest, SendResult};
use queue::QueueName;
use uuid::Uuid;
use voice::VoiceProvider;
use voice::simulator::{AccountState, Behaviour};

/// Places one call to the number and answers what is reported of it.
async fn report(world: &World, to: &str) -> ReportSendRequest {
    let call = world.telephony.queue_call(to);
    let before = world.telephony.reports().len();
    world.place(call).await;
    World::until("the POST is reported", async || world.telephony.reports().len() > before).await;
    let report = world.telephony.reports().remove(before);
    let order = world.telephony.order(call);
    assert_eq!((&report.attempt_id, report.epoch), (&order.attempt_id, order.epoch), "{to}");
    report
}

async fn claims_begins_posts_and_reports(setting: Setting) {
    let world = World::with(setting).await;
    let call = world.telephony.queue_order(CallOrder {
        phone_number: "+14155550101".into(),
        task: "Say hello".into(),
        metadata: [("crm".to_owned(), "7".to_owned())].into(),
        record: true,
        ..CallOrder::default()
    });
    world.place(call).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    let seen = world.telephony.seen();
    let [Seen::Claim { worker, taken: true }, Seen::Begin { passed: true }, Seen::Sent(report)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((worker.as_str(), report.result()), ("worker-test", SendResult::Accepted));
    let placed = world.bland.get(&world.account, &report.provider_call_id).await.unwrap().unwrap();
    assert_eq!(placed.attempt_id.unwrap().to_string(), world.telephony.order(call).attempt_id);
    assert_eq!((placed.call_id, placed.to.as_deref()), (Some(call), Some("+14155550101")));
    assert_eq!((&placed.raw["metadata"]["crm"], &placed.raw["record"]), (&"7".into(), &true.into()));
    assert_eq!(world.dialed("+14155550101").await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_begins_posts_and_reports_in_one_process() {
    claims_begins_posts_and_reports(Setting::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_begins_posts_and_reports_over_tcp() {
    claims_begins_posts_and_reports(Setting { over_tcp: true, ..Setting::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_each_post_came_to() {
    let behaviour = Behaviour { same_number_seconds: 3_600.0, ..Behaviour::default() };
    let world = World::with(Setting { behaviour, ..Setting::default() }).await;
    for (to, result, suppress, retry_after) in [
        ("+14155550109", SendResult::Refused, true, 0),
        ("+14155550110", SendResult::Refused, false, 0),
        ("+14155550116", SendResult::SlowDown, false, 0),
        ("+14155550111", SendResult::Unknown, false, 0),
        ("+14155550112", SendResult::Unknown, false, 0),
        ("+14155550113", SendResult::Unknown, false, 0),
        ("+14155550117", SendResult::Unknown, false, 0),
        ("+14155550101", SendResult::Accepted, false, 0),
        // A second time within the hour.
        ("+14155550101", SendResult::SlowDown, false, 10),
    ] {
        let report = report(&world, to).await;
        assert_eq!(
            (report.result(), report.suppress, report.retry_after_seconds),
            (result, suppress, retry_after),
            "{to}"
        );
        assert_eq!(report.provider_call_id.is_empty(), result != SendResult::Accepted, "{to}");
        assert_eq!(report.message.is_empty(), result == SendResult::Accepted, "{to}");
    }
    assert_eq!(world.dialed("+14155550111").await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_the_account_is_blocked() {
    for account in [AccountState::Flagged, AccountState::NoBalance] {
        let behaviour = Behaviour { account, ..Behaviour::default() };
        let world = World::with(Setting { behaviour, ..Setting::default() }).await;
        assert_eq!(report(&world, "+14155550101").await.result(), SendResult::AccountBlocked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_nothing_was_sent() {
    let world = World::with(Setting { no_provider: true, ..Setting::default() }).await;
    assert_eq!(report(&world, "+14155550101").await.result(), SendResult::NotSent);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_post_for_five_copies_of_each_message() {
    let mut world = World::start().await;
    let calls: Vec<(Uuid, String)> = (0..10)
        .map(|n| {
            let to = format!("+1415555{n:02}01");
            (world.telephony.queue_call(&to), to)
        })
        .collect();
    let copies =
        (0..5).flat_map(|_| calls.iter().map(|(call, _)| World::call_job(CallJobKind::Place, *call))).collect();
    world.publish(QueueName::Call, copies).await;
    World::until("all are claimed or dropped", async || {
        world.telephony.seen().iter().filter(|seen| matches!(seen, Seen::Claim { .. })).count() == 50
    })
    .await;
    world.stop().await;
    for (call, to) in &calls {
        assert_eq!(world.telephony.state(*call), State::Accepted, "{to}");
        assert_eq!(world.dialed(to).await, (1, 1));
    }
    assert_eq!(world.journal().await["posts"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_is_nothing_done() {
    let mut world = World::start().await;
    world.place(Uuid::now_v7()).await;
    world.saw("the claim", |seen| matches!(seen, Seen::Claim { taken: false, .. })).await;
    world.stop().await;
    assert_eq!((world.telephony.seen().len(), world.journal().await["posts"].clone()), (1, 0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_waits_while_telephony_is_out_of_reach() {
    let world = World::start().await;
    let away = Trouble::NotReached(ErrorCode::Unavailable);
    world.telephony.trouble(Method::Claim, &[away, away, Trouble::NotReached(ErrorCode::DeadlineExceeded)]);
    let call = world.telephony.queue_call("+14155550101");
    world.place(call).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    assert_eq!(world.dialed("+14155550101").await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_claim_is_for_people_to_look_at() {
    let world = World::start().await;
    world.telephony.trouble(Method::Claim, &[Trouble::NotReached(ErrorCode::PermissionDenied)]);
    world.place(world.telephony.queue_call("+14155550101")).await;
    assert_eq!(world.dead(1).await, ["telephony refused: as the test says"]);
    assert_eq!(world.dialed("+14155550101").await, (0, 0));
}
