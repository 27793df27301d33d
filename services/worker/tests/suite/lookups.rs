//! What became of a call: found, not there, or nobody says.

use crate::fake::{Method, Seen, State, Trouble};
use crate::world::{Setting, World};
use callfairy_core::{Clock, ErrorCode, SystemClock};
use proto::jobs::{CallOutcome, CallProgress, Lookup, ReportLookupRequest};
use uuid::Uuid;
use voice::simulator::Behaviour;

fn lookup(attempt_id: &str, provider_call_id: &str, to: &str) -> Lookup {
    Lookup {
        attempt_id: attempt_id.into(),
        provider_call_id: provider_call_id.into(),
        phone_number: to.into(),
        sent_at: Some(SystemClock.now().into()),
    }
}

/// Looks the call up and answers the report, if there is any once the worker has ended.
async fn looked_up(mut world: World, call: Uuid) -> Option<ReportLookupRequest> {
    world.look_up(call).await;
    world.saw("the lookup is asked for", |seen| *seen == Seen::AskedLookup).await;
    world.stop().await;
    assert_eq!(world.queue.dead_letters(1).await.unwrap(), []);
    let mut reports = world.telephony.seen().into_iter().filter_map(|seen| match seen {
        Seen::LookedUp(report) => Some(report),
        _ => None,
    });
    let report = reports.next();
    assert_eq!(reports.next(), None);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_was_lost_is_found_by_its_attempt() {
    let world = World::start().await;
    let to = "+14155550111";
    // Another call to the same number, before it.
    for _ in 0..2 {
        let call = world.telephony.queue_call(to);
        world.place(call).await;
        World::until("it is unknown", async || world.telephony.state(call) == State::Unknown).await;
        let attempt = world.telephony.order(call).attempt_id;
        world.telephony.set_lookup(call, lookup(&attempt, "", to));
    }
    let call = world.telephony.queue_call(to);
    world.place(call).await;
    World::until("it is unknown", async || world.telephony.state(call) == State::Unknown).await;
    let attempt = world.telephony.order(call).attempt_id;
    world.telephony.set_lookup(call, lookup(&attempt, "", to));
    World::until("all are over", async || world.journal().await["active"] == 0).await;

    let report = looked_up(world, call).await.expect("a report");
    assert_eq!(report.attempt_id, attempt);
    let found = report.report.expect("found");
    assert_eq!((found.progress(), found.outcome()), (CallProgress::Ended, CallOutcome::Completed));
    assert!(found.raw.contains(&attempt), "{}", found.raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_found_by_the_providers_id() {
    // In real time: it goes on.
    let world = World::with(Setting { speed: Some(0.01), ..Setting::default() }).await;
    let call = world.telephony.queue_call("+14155550101");
    world.place(call).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    let provider_call_id = world.telephony.reports().remove(0).provider_call_id;
    let attempt = world.telephony.order(call).attempt_id;
    world.telephony.set_lookup(call, lookup(&attempt, &provider_call_id, "+14155550101"));
    let found = looked_up(world, call).await.expect("a report").report.expect("found");
    assert_eq!((found.provider_call_id, found.outcome), (provider_call_id, CallOutcome::Unspecified.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_know_is_reported_as_such() {
    for provider_call_id in ["", "0190a6f1-0000-7000-8000-000000000000"] {
        let world = World::start().await;
        let (call, attempt) = (Uuid::now_v7(), Uuid::now_v7().to_string());
        world.telephony.set_lookup(call, lookup(&attempt, provider_call_id, "+14155550101"));
        let report = looked_up(world, call).await;
        assert_eq!(report, Some(ReportLookupRequest { attempt_id: attempt, report: None }), "{provider_call_id:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_never_reported_as_an_absence() {
    for provider_call_id in ["", "0190a6f1-0000-7000-8000-000000000000"] {
        let world = World::with(Setting { no_provider: true, ..Setting::default() }).await;
        let call = Uuid::now_v7();
        world.telephony.set_lookup(call, lookup(&Uuid::now_v7().to_string(), provider_call_id, "+14155550101"));
        assert_eq!(looked_up(world, call).await, None, "{provider_call_id:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_look_up_is_no_question() {
    let world = World::with(Setting { behaviour: Behaviour::default(), ..Setting::default() }).await;
    world.telephony.trouble(Method::GetLookup, &[Trouble::NotReached(ErrorCode::Unavailable)]);
    assert_eq!(looked_up(world, Uuid::now_v7()).await, None);
}
