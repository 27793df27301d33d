//! Faults of the provider, met by the real client.

use crate::support::{Stage, fast, order};
use callfairy_core::{Clock, SystemClock};
use std::time::Duration;
use voice::http::Timeouts;
use voice::simulator::{AccountState, Behaviour, Plan, SimulatorConfig, Weights};
use voice::{Bland, PlaceError, VoiceProvider};

fn is_unknown<T>(result: &Result<T, PlaceError>) -> bool {
    matches!(result, Err(PlaceError::Unknown(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_but_not_answered_is_unknown_and_can_be_found() {
    let stage = Stage::start(fast());
    for digits in ["11", "12", "13"] {
        let order = order(&format!("+141555501{digits}"));
        let since = SystemClock.now();
        let result = stage.bland.place(&stage.account, &order).await;
        assert!(is_unknown(&result), "{digits}: {result:?}");
        let found = stage.bland.find(&stage.account, &order.to, order.attempt_id, since).await.unwrap().unwrap();
        assert_eq!(found.attempt_id, Some(order.attempt_id), "{digits}");
        assert_eq!(stage.dialed(&order.to).await, (1, 1), "{digits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_socket_answers_nothing_at_all() {
    let stage = Stage::start(fast());
    for digits in ["11", "15"] {
        let result = stage.bland.place(&stage.account, &order(&format!("+141555501{digits}"))).await;
        let Err(PlaceError::Unknown(message)) = result else { panic!("{digits}: {result:?}") };
        assert!(message.starts_with("the request failed"), "{digits}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_accepted_is_unknown_as_well_and_cannot_be_found() {
    let stage = Stage::start(fast());
    for digits in ["15", "17"] {
        let order = order(&format!("+141555501{digits}"));
        let since = SystemClock.now();
        let result = stage.bland.place(&stage.account, &order).await;
        assert!(is_unknown(&result), "{digits}: {result:?}");
        assert_eq!(stage.bland.find(&stage.account, &order.to, order.attempt_id, since).await, Ok(None));
        assert_eq!(stage.dialed(&order.to).await, (1, 0), "{digits}");
        // The next request to the number fares better.
        stage.bland.place(&stage.account, &order).await.unwrap();
        assert_eq!(stage.dialed(&order.to).await, (2, 1), "{digits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals() {
    let stage = Stage::start(fast());
    let place = async |to: &str| stage.bland.place(&stage.account, &order(to)).await;
    assert!(matches!(place("+14155550109").await, Err(PlaceError::Refused { suppress: true, .. })));
    assert!(matches!(place("+14155550110").await, Err(PlaceError::Refused { suppress: false, .. })));
    let Err(PlaceError::Refused { message, suppress: false }) = place("12").await else {
        panic!("a bad number passed")
    };
    assert_eq!(message, "Invalid parameters.: phone_number: must be E.164.");
    assert!(matches!(place("+14155550116").await, Err(PlaceError::SlowDown { retry_after: None, .. })));
    assert!(place("+14155550116").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_plan() {
    let plan = Some(Plan { concurrent: 1, per_hour: 2, per_day: 100 });
    let stage =
        Stage::start(SimulatorConfig { speed: 1.0, behaviour: Behaviour { plan, ..Behaviour::default() }, ..fast() });
    let first = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    let Err(PlaceError::SlowDown { message, .. }) = stage.bland.place(&stage.account, &order("+14155550102")).await
    else {
        panic!("two calls at once");
    };
    assert!(message.starts_with("CALL_RL_PLAN_CONCURRENCY"), "{message}");
    stage.bland.stop(&stage.account, &first.provider_call_id).await.unwrap();
    // The place is free as soon as the call's end is noticed.
    crate::support::eventually("a place is free", || async {
        stage.bland.place(&stage.account, &order("+14155550102")).await.ok()
    })
    .await;
    let third = stage.bland.place(&stage.account, &order("+14155550103")).await;
    assert!(matches!(third, Err(PlaceError::SlowDown { .. })), "{third:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_left_alone_for_a_while() {
    let stage = Stage::with(Behaviour { same_number_seconds: 3_600.0, ..Behaviour::default() });
    stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    let second = stage.bland.place(&stage.account, &order("+14155550101")).await;
    assert_eq!(second, Err(PlaceError::NumberTooSoon { retry_after: Duration::from_secs(10) }));
    stage.bland.place(&stage.account, &order("+14155550102")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_account() {
    for account in [AccountState::Flagged, AccountState::NoBalance] {
        let stage = Stage::with(Behaviour { account, ..Behaviour::default() });
        let result = stage.bland.place(&stage.account, &order("+14155550101")).await;
        assert!(matches!(result, Err(PlaceError::AccountBlocked { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_by_probability() {
    let always = |behaviour: Behaviour| Behaviour { suffixes: false, ..behaviour };
    let base = Behaviour::default;
    for (behaviour, action, unknown) in [
        (always(Behaviour { drop_before_accept: 1.0, ..base() }), "dropped", true),
        (always(Behaviour { error_before_accept: 1.0, ..base() }), "error", true),
        (always(Behaviour { rate_limited: 1.0, ..base() }), "rate_limited", false),
        (always(Behaviour { drop_after_accept: 1.0, ..base() }), "accepted_then_dropped", true),
        (always(Behaviour { error_after_accept: 1.0, ..base() }), "accepted_then_error", true),
        (always(Behaviour { garble_after_accept: 1.0, ..base() }), "accepted_then_garbled", true),
        (always(Behaviour { burst_every: 5, burst_length: 1, ..base() }), "burst", true),
        (always(Behaviour { outcomes: only_listed(), ..base() }), "do_not_call", false),
    ] {
        let stage = Stage::with(behaviour);
        let result = stage.bland.place(&stage.account, &order("+14155550101")).await;
        assert_eq!(is_unknown(&result), unknown, "{action}: {result:?}");
        let journal = stage.json("/simulator/journal").await;
        assert_eq!(journal["actions"][action], 1, "{journal}");
        assert_eq!(journal["placed"], u64::from(action.starts_with("accepted")), "{action}");
    }
}

fn only_listed() -> Weights {
    Weights { answered: 0.0, voicemail: 0.0, no_answer: 0.0, busy: 0.0, failed: 0.0, do_not_call: 1.0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_ends_and_comes_again() {
    let stage = Stage::with(Behaviour { burst_every: 4, burst_length: 2, ..Behaviour::default() });
    let mut failed = Vec::new();
    for n in 0..8 {
        failed.push(is_unknown(&stage.bland.place(&stage.account, &order(&format!("+141555501{n:02}99"))).await));
    }
    assert_eq!(failed, [true, true, false, false, true, true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_still_an_answer() {
    let stage = Stage::with(Behaviour { slow_seconds: 0.2, ..Behaviour::default() });
    let before = std::time::Instant::now();
    stage.bland.place(&stage.account, &order("+14155550114")).await.unwrap();
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!(stage.json("/simulator/journal").await["actions"]["accepted_slowly"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_slow_is_unknown() {
    let stage = Stage::with(Behaviour { slow_seconds: 3_600.0, ..Behaviour::default() });
    let impatient = Bland::new(Timeouts { total: Duration::from_millis(300), ..Timeouts::default() }).unwrap();
    let order = order("+14155550114");
    let result = impatient.place(&stage.account, &order).await;
    assert!(is_unknown(&result), "{result:?}");
    assert_eq!(stage.dialed(&order.to).await, (1, 1));
    // A request that hangs does not keep the simulator from stopping.
    stage.stop().await.unwrap();
}
