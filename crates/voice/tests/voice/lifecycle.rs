//! Calls from the order to the end.

use crate::support::{FAST, Stage, eventually, fast, order};
use callfairy_core::{Clock, Secret, SystemClock};
use futures_util::TryStreamExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use voice::http::Timeouts;
use voice::simulator::{Behaviour, Range, SimulatorConfig};
use voice::{
    Account, AnsweredBy, CallOrder, Failure, LookupError, Outcome, PlaceError, Progress, Speaker, StopError,
    VoiceProvider,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_call() {
    let stage = Stage::start(fast());
    let order = CallOrder {
        record: true,
        first_sentence: Some("Good morning".into()),
        metadata: [("crm".to_owned(), "7".to_owned())].into(),
        request_data: [("name".to_owned(), "Ada".to_owned())].into(),
        ..order("+14155550101")
    };
    let placed = stage.bland.place(&stage.account, &order).await.unwrap();
    let call = stage.ended(&placed.provider_call_id).await;
    assert_eq!(call.outcome, Some(Outcome::Completed));
    assert_eq!((call.call_id, call.attempt_id), (Some(order.call_id), Some(order.attempt_id)));
    assert_eq!(call.answered_by, Some(AnsweredBy::Human));
    assert_eq!(call.disposition.as_deref(), Some("INTERESTED"));
    assert_eq!(
        (call.raw["metadata"]["crm"].as_str(), call.raw["variables"]["name"].as_str()),
        (Some("7"), Some("Ada"))
    );
    let seconds = call.duration.unwrap().as_secs_f64();
    assert!((9.0..=120.0).contains(&seconds), "{seconds}");
    let dollars = f64::from(i32::try_from(call.price_micro_usd.unwrap()).unwrap()) / 1e6;
    assert!((dollars - seconds / 60.0 * 0.09).abs() < 0.003, "{dollars} for {seconds} s");
    assert_eq!((call.transcript[0].speaker, call.transcript[0].text.as_str()), (Speaker::Assistant, "Good morning"));
    assert!(call.transcript_text.unwrap().contains("Good morning"));
    assert!(call.started_at >= call.created_at && call.ended_at >= call.started_at);

    let url = call.recording_url.unwrap();
    let recording = stage.bland.recording(&stage.account, &url).await.unwrap();
    assert_eq!(recording.content_type, "audio/wav");
    let bytes = recording.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!((bytes.len(), &bytes[..4]), (16_044, b"RIFF".as_slice()));
    let missing = stage.bland.recording(&stage.account, &stage.url("/recordings/x.wav")).await.map(|_| ());
    assert!(matches!(missing, Err(LookupError::Gone(_))), "{missing:?}");
    stage.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_that_a_number_can_choose() {
    let stage = Stage::start(fast());
    for (digits, outcome, failure, disposition) in [
        ("02", Outcome::Voicemail, None, Some("NO_ANSWER")),
        ("03", Outcome::NoAnswer, None, Some("NO_ANSWER")),
        ("04", Outcome::Busy, Some(Failure::Busy), Some("BUSY")),
        ("05", Outcome::Failed, Some(Failure::NumberNotFound), None),
        ("06", Outcome::Failed, Some(Failure::Unavailable), None),
        ("07", Outcome::Failed, Some(Failure::CallerBlocked), None),
        ("08", Outcome::Completed, None, Some("DO_NOT_CONTACT")),
        ("21", Outcome::Completed, None, Some("TRANSFERRED")),
        ("22", Outcome::Canceled, None, None),
    ] {
        let placed = stage.bland.place(&stage.account, &order(&format!("+141555501{digits}"))).await.unwrap();
        let call = stage.ended(&placed.provider_call_id).await;
        assert_eq!((call.outcome, call.failure), (Some(outcome), failure), "{digits}");
        assert_eq!(call.disposition.as_deref(), disposition, "{digits}");
        assert_eq!(call.transferred_to.is_some(), digits == "21");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_passes_through_every_state_in_order() {
    let long = Range(1_000.0, 1_000.0);
    let behaviour = Behaviour { ring_seconds: long, talk_seconds: long, settle_seconds: long, ..Behaviour::default() };
    let stage = Stage::start(SimulatorConfig { speed: 2_000.0, behaviour, ..fast() });
    let placed = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    let seen = Mutex::new(Vec::new());
    let said_completed_too_soon = AtomicBool::new(false);
    eventually("the call ends", || async {
        let call = stage.bland.get(&stage.account, &placed.provider_call_id).await.unwrap().unwrap();
        if call.raw["status"] == "completed" && call.raw["completed"] == false {
            said_completed_too_soon.store(true, Ordering::SeqCst);
        }
        seen.lock().unwrap().push(call.progress);
        call.outcome
    })
    .await;
    let mut seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted(), "moved back: {seen:?}");
    seen.dedup();
    assert!(seen.ends_with(&[Progress::Ringing, Progress::InProgress, Progress::Ended]), "{seen:?}");
    assert!(said_completed_too_soon.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping() {
    let behaviour = Behaviour { settle_seconds: Range(0.0, 0.0), ..Behaviour::default() };
    let stage = Stage::start(SimulatorConfig { speed: 1.0, behaviour, ..fast() });
    let placed = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    let id = placed.provider_call_id.as_str();
    assert_eq!(stage.json("/simulator/journal").await["active"], 1);
    assert_eq!(stage.bland.stop(&stage.account, id).await, Ok(()));
    assert!(matches!(stage.bland.stop(&stage.account, id).await, Err(StopError::NotActive(_))));
    eventually("its place is free", || async { (stage.json("/simulator/journal").await["active"] == 0).then_some(()) })
        .await;
    assert_eq!(stage.ended(id).await.outcome, Some(Outcome::Canceled));
    let unknown = stage.bland.stop(&stage.account, "0190a6f1-0000-7000-8000-000000000000").await;
    assert!(matches!(unknown, Err(StopError::NotActive(_))));
    stage.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_an_attempt_among_others() {
    let stage = Stage::start(fast());
    let since = SystemClock.now();
    let orders: Vec<_> = (0..3).map(|_| order("+14155550101")).collect();
    for order in &orders {
        stage.bland.place(&stage.account, order).await.unwrap();
    }
    for order in &orders {
        let found = stage.bland.find(&stage.account, &order.to, order.attempt_id, since).await.unwrap().unwrap();
        assert_eq!((found.attempt_id, found.call_id), (Some(order.attempt_id), Some(order.call_id)));
    }
    let other = order("+14155550101");
    assert_eq!(stage.bland.find(&stage.account, &other.to, other.attempt_id, since).await, Ok(None));
    // Of another number, or from before.
    let first = &orders[0];
    assert_eq!(stage.bland.find(&stage.account, "+14155550102", first.attempt_id, since).await, Ok(None));
    let later = since.plus(Duration::from_hours(1));
    assert_eq!(stage.bland.find(&stage.account, &first.to, first.attempt_id, later).await, Ok(None));
    assert_eq!(stage.bland.get(&stage.account, "0190a6f1-0000-7000-8000-000000000000").await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_demanded_everywhere() {
    let stage = Stage::start(SimulatorConfig { api_key: Some(Secret::new("sesame")), ..fast() });
    let placed = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    let bearer = Account { api_key: Secret::new("Bearer sesame"), ..stage.account.clone() };
    assert!(stage.bland.get(&bearer, &placed.provider_call_id).await.unwrap().is_some());

    let wrong = Account { api_key: Secret::new("sesam"), ..stage.account.clone() };
    let refused = stage.bland.place(&wrong, &order("+14155550101")).await;
    let message = "AUTH_FAILURE: The API key is not valid.".to_owned();
    assert_eq!(refused, Err(PlaceError::AccountBlocked { message }));
    let id = placed.provider_call_id.as_str();
    assert!(matches!(stage.bland.get(&wrong, id).await, Err(LookupError::AccountBlocked { .. })));
    assert!(matches!(stage.bland.stop(&wrong, id).await, Err(StopError::AccountBlocked { .. })));
    let client = voice::http::client(Timeouts::default()).unwrap();
    for path in ["/v1/me", "/v1/voices", "/v1/calls", "/simulator/journal", "/simulator/behaviour"] {
        assert_eq!(client.get(stage.url(path)).send().await.unwrap().status(), 401, "{path}");
    }
    assert_eq!(stage.dialed("+14155550101").await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once() {
    const CALLS: u64 = 500;
    let stage = Stage::start(SimulatorConfig { speed: FAST * 10.0, ..fast() });
    let calls = (0..CALLS).map(|n| {
        let stage = &stage;
        async move { stage.bland.place(&stage.account, &order(&format!("+1415{n:06}99"))).await.unwrap() }
    });
    futures_util::future::join_all(calls).await;
    eventually("all are over", || async { (stage.json("/simulator/journal").await["active"] == 0).then_some(()) })
        .await;
    let journal = stage.json("/simulator/journal").await;
    assert_eq!((journal["placed"].as_u64(), journal["remembered"].as_u64()), (Some(CALLS), Some(CALLS)));
    assert_eq!(journal["attempts"].as_object().unwrap().len(), 500);
    assert_eq!(stage.json("/simulator/journal?minimum=2").await["numbers"], serde_json::json!({}));
    stage.stop().await.unwrap();
}
