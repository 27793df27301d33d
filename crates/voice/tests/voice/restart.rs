//! A simulator that goes away in the middle of calls, and the next one with its journal.

use crate::support::{Stage, eventually, fast, order};
use crate::webhooks::{actions, place, read, receiver};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use voice::simulator::{Behaviour, Plan, Range, SimulatorConfig};
use voice::{CallOrder, Outcome, PlaceError, Progress, StopError, VoiceProvider};

/// Calls of five seconds, the last of them talk.
fn config(journal: &Path) -> SimulatorConfig {
    let behaviour = Behaviour {
        ring_seconds: Range(3_000.0, 3_000.0),
        talk_seconds: Range(1_700.0, 1_700.0),
        settle_seconds: Range(100.0, 100.0),
        ..Behaviour::default()
    };
    SimulatorConfig { behaviour, journal: Some(journal.to_owned()), ..fast() }
}

async fn counts(stage: &Stage) -> Value {
    let mut counts = stage.json("/simulator/journal").await;
    for what_memory_has in ["active", "remembered"] {
        counts.as_object_mut().unwrap().remove(what_memory_has);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let (stage, receiver) = (Stage::start(config(&path)), receiver().await);
    let going_on = place(&stage, "+14155550121", &receiver).await;
    let stopped = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap().provider_call_id;
    stage.bland.stop(&stage.account, &stopped).await.unwrap();
    let refused = stage.bland.place(&stage.account, &order("+14155550109")).await;
    assert!(matches!(refused, Err(PlaceError::Refused { .. })));
    let before = counts(&stage).await;
    let stopped_before = stage.ended(&stopped).await;
    stage.stop().await.unwrap();
    assert_eq!(receiver.requests().len(), 0);

    let stage = Stage::start(config(&path));
    assert_eq!(counts(&stage).await, before);
    assert_eq!(stage.json("/simulator/journal").await["active"], 1);
    let since = callfairy_core::Timestamp::UNIX_EPOCH;
    let found = stage.bland.find(&stage.account, &going_on.to, going_on.attempt_id, since).await.unwrap().unwrap();
    assert!(found.progress < Progress::Ended, "{found:?}");
    assert_eq!(found.call_id, Some(going_on.call_id));
    actions(&stage, "webhook_delivered", 1).await;
    let reported = read(&stage, &receiver.requests()[0]);
    let call = stage.ended(&found.provider_call_id).await;
    assert_eq!(reported, call);
    assert_eq!((call.created_at, call.outcome), (found.created_at, Some(Outcome::Completed)));
    assert_eq!((call.duration, call.disposition.as_deref()), (Some(Duration::from_secs(1_700)), Some("TRANSFERRED")));
    // It ended when it would have: 4.7 s and the time in the queue, a millisecond at most, after it was accepted.
    let lasted = call.ended_at.unwrap().since(call.created_at.unwrap());
    assert!((4_700..=4_702).contains(&lasted.as_millis()), "{lasted:?}");

    let again = stage.ended(&stopped).await;
    assert_eq!((again.outcome, again.created_at), (Some(Outcome::Canceled), stopped_before.created_at));
    assert!(matches!(stage.bland.stop(&stage.account, &stopped).await, Err(StopError::NotActive(_))));
    eventually("its place is free", || async { (stage.json("/simulator/journal").await["active"] == 0).then_some(()) })
        .await;
    stage.stop().await.unwrap();

    // Nothing is done twice.
    let stage = Stage::start(config(&path));
    let after = counts(&stage).await;
    assert_eq!((&after["posts"], &after["placed"]), (&before["posts"], &before["placed"]));
    assert_eq!((&after["numbers"], &after["attempts"]), (&before["numbers"], &before["attempts"]));
    assert_eq!(stage.ended(&call.provider_call_id).await, call);
    assert_eq!((after["actions"]["webhook_delivered"].as_u64(), receiver.requests().len()), (Some(1), 1));
}

/// What a kill leaves: the file as it is at some moment, perhaps with half a line.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_with_half_a_line_is_taken_up() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("journal"), directory.path().join("copy"));
    let stage = Stage::start(config(&path));
    let mut orders = Vec::new();
    for n in 0..20 {
        let order = order(&format!("+141555501{n:02}01"));
        stage.bland.place(&stage.account, &order).await.unwrap();
        orders.push(order);
    }
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(r#"{"time":"2026-01-01T00:00:00Z","to":"+14155559901","atte"#);
    std::fs::write(&copy, text).unwrap();

    let killed = Stage::start(config(&copy));
    assert_eq!(killed.json("/simulator/journal").await["placed"], 20);
    assert_eq!(killed.dialed("+14155559901").await, (0, 0));
    for order in &orders {
        assert_eq!(killed.dialed(&order.to).await, (1, 1));
        // The next request of the same attempt counts on.
        killed.bland.place(&killed.account, order).await.unwrap();
        let journal = killed.json(&format!("/simulator/journal?attempt={}", order.attempt_id)).await;
        assert_eq!(journal["attempts"][order.attempt_id.to_string()]["posts"], 2);
    }
    killed.stop().await.unwrap();
    let again = Stage::start(config(&copy));
    assert_eq!(again.json("/simulator/journal").await["placed"], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_did_not_go_out_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let quick = |late: f64| SimulatorConfig {
        behaviour: Behaviour { webhook_late_seconds: late, ..Behaviour::default() },
        ..config(&path)
    };
    let (stage, receiver) = (Stage::start(quick(40_000.0)), receiver().await);
    // Ends in ".. 20": the webhook comes late.
    let late = place(&stage, "+14155550120", &receiver).await;
    let lost = place(&stage, "+14155550118", &receiver).await;
    actions(&stage, "webhook_lost", 1).await;
    let since = callfairy_core::Timestamp::UNIX_EPOCH;
    let find = async |stage: &Stage, order: &CallOrder| {
        stage.bland.find(&stage.account, &order.to, order.attempt_id, since).await.unwrap().unwrap()
    };
    let ended = stage.ended(&find(&stage, &late).await.provider_call_id).await;
    stage.ended(&find(&stage, &lost).await.provider_call_id).await;
    stage.stop().await.unwrap();
    assert_eq!(receiver.requests().len(), 0);

    let stage = Stage::start(quick(0.0));
    actions(&stage, "webhook_delivered", 1).await;
    assert_eq!(read(&stage, &receiver.requests()[0]), ended);
    stage.stop().await.unwrap();
    // What was lost stays lost, what was delivered is not sent again.
    let stage = Stage::start(quick(0.0));
    let fresh = place(&stage, "+14155550101", &receiver).await;
    actions(&stage, "webhook_delivered", 2).await;
    assert_eq!(read(&stage, &receiver.requests()[1]).attempt_id, Some(fresh.attempt_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_ended_meanwhile_are_over_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let slow = SimulatorConfig { speed: 1.0, ..config(&path) };
    let (stage, receiver) = (Stage::start(slow), receiver().await);
    let order = place(&stage, "+14155550101", &receiver).await;
    stage.stop().await.unwrap();
    // Two hours go by.
    let text = std::fs::read_to_string(&path).unwrap();
    let mut line: Value = serde_json::from_str(text.trim_end()).unwrap();
    let time: callfairy_core::Timestamp = serde_json::from_value(line["time"].clone()).unwrap();
    line["time"] = serde_json::to_value(time.minus(Duration::from_hours(2))).unwrap();
    std::fs::write(&path, format!("{line}\n")).unwrap();

    let stage = Stage::start(config(&path));
    assert_eq!(stage.json("/simulator/journal").await["active"], 0);
    actions(&stage, "webhook_delivered", 1).await;
    let call = read(&stage, &receiver.requests()[0]);
    assert_eq!((call.attempt_id, call.outcome), (Some(order.attempt_id), Some(Outcome::Completed)));
    assert!(call.ended_at.unwrap() < time);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_on_take_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let limited = || {
        let plan = Some(Plan { concurrent: 1, per_hour: 100, per_day: 100 });
        let behaviour = Behaviour { plan, same_number_seconds: 3_600.0, ..config(&path).behaviour };
        SimulatorConfig { behaviour, ..config(&path) }
    };
    let stage = Stage::start(limited());
    let placed = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    stage.stop().await.unwrap();

    let stage = Stage::start(limited());
    let second = stage.bland.place(&stage.account, &order("+14155550102")).await;
    assert!(matches!(second, Err(PlaceError::SlowDown { .. })), "{second:?}");
    stage.ended(&placed.provider_call_id).await;
    let too_soon = stage.bland.place(&stage.account, &order("+14155550101")).await;
    assert!(matches!(too_soon, Err(PlaceError::NumberTooSoon { .. })), "{too_soon:?}");
    eventually("its place is free", || async { stage.bland.place(&stage.account, &order("+14155550102")).await.ok() })
        .await;
}
