//! The same seed, the same fate, in whichever order calls come.

use crate::support::{Stage, fast, order};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use voice::simulator::{Behaviour, SimulatorConfig};
use voice::{CallOrder, PlaceError, VoiceProvider};

/// What became of 60 calls: the error's kind, or outcome, duration and disposition.
async fn fates(seed: u64, backwards: bool, attempt: u32) -> BTreeMap<String, String> {
    let behaviour =
        Behaviour { error_before_accept: 0.1, rate_limited: 0.1, garble_after_accept: 0.1, ..Behaviour::default() };
    let stage = Stage::start(SimulatorConfig { seed, behaviour, ..fast() });
    let mut numbers: Vec<String> = (0..60).map(|n| format!("+1415555{n:02}99")).collect();
    if backwards {
        numbers.reverse();
    }
    let fates = numbers.into_iter().map(|to| {
        let stage = &stage;
        async move {
            let order = CallOrder { attempt, ..order(&to) };
            let fate = match stage.bland.place(&stage.account, &order).await {
                Ok(placed) => {
                    let call = stage.ended(&placed.provider_call_id).await;
                    format!("{:?} {:?} {:?}", call.outcome, call.duration, call.disposition)
                }
                Err(PlaceError::Unknown(message)) => format!("unknown: {message}"),
                Err(error) => error.to_string(),
            };
            (to, fate)
        }
    });
    join_all(fates).await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn order_does_not_matter_and_the_seed_does() {
    let first = fates(7, false, 1).await;
    assert_eq!(first, fates(7, true, 1).await);
    assert_ne!(first, fates(8, false, 1).await);
    assert_ne!(first, fates(7, false, 2).await);
    let kinds: std::collections::BTreeSet<&str> = first.values().filter_map(|fate| fate.split(' ').next()).collect();
    assert!(kinds.len() >= 5, "a mixed lot: {kinds:?}");
}
