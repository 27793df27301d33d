//! What only the simulator has: its journal and its behaviour; and the questions of Bland's that no client of
//! ours asks.

use crate::support::{Stage, eventually, fast, order};
use serde_json::{Value, json};
use voice::http::Timeouts;
use voice::simulator::{Behaviour, SimulatorConfig, serve};
use voice::{CallOrder, VoiceProvider};

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_in_the_journal_before_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    let stage = Stage::start(SimulatorConfig { journal: Some(path.clone()), ..fast() });
    let lines = || -> Vec<Value> {
        std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for (digits, action, made) in [
        ("01", "accepted", true),
        ("09", "do_not_call", false),
        ("11", "accepted_then_dropped", true),
        ("12", "accepted_then_error", true),
        ("15", "dropped", false),
    ] {
        let order = order(&format!("+141555501{digits}"));
        let placed = stage.bland.place(&stage.account, &order).await;
        let line = lines().pop().unwrap();
        assert_eq!(line["to"], order.to);
        assert_eq!(line["attempt_id"], order.attempt_id.to_string());
        assert_eq!(line["call_request_id"], order.call_id.to_string());
        assert_eq!((line["action"].as_str(), line["call_id"].is_string()), (Some(action), made));
        if let Ok(placed) = placed {
            assert_eq!(line["call_id"], placed.provider_call_id);
        }
        let journal = stage.json(&format!("/simulator/journal?attempt={}", order.attempt_id)).await;
        let count = json!({"posts": 1, "placed": u64::from(made)});
        assert_eq!(journal["attempts"], json!({order.attempt_id.to_string(): count}));
        let journal = stage.json(&format!("/simulator/journal?call={}", order.call_id)).await;
        assert_eq!(journal["calls"], json!({order.call_id.to_string(): count}));
        assert_eq!(journal["numbers"], json!({}));
    }
    let all = stage.json("/simulator/journal").await;
    assert_eq!(
        (all["posts"].as_u64(), all["placed"].as_u64(), all["truncated"].as_bool()),
        (Some(5), Some(3), Some(false))
    );
    let some = stage.json("/simulator/journal?limit=2").await;
    assert_eq!((some["numbers"].as_object().unwrap().len(), some["truncated"].as_bool()), (2, Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_changes_while_it_runs() {
    let stage = Stage::start(fast());
    let client = voice::http::client(Timeouts::default()).unwrap();
    let put = async |body: Value| client.put(stage.url("/simulator/behaviour")).json(&body).send().await.unwrap();
    assert_eq!(stage.json("/simulator/behaviour").await, json!(Behaviour::default()));
    assert_eq!(put(json!({"suffixes": false, "error_before_accept": 1.0})).await.status(), 200);
    assert!(stage.bland.place(&stage.account, &order("+14155550101")).await.is_err());
    for bad in [json!({"slow": 2}), json!({"surprise": 1}), json!("all well")] {
        assert_eq!(put(bad).await.status(), 400);
    }
    assert_eq!(stage.json("/simulator/behaviour").await["error_before_accept"], 1.0);
    // Replaced, not merged.
    assert_eq!(put(json!({})).await.status(), 200);
    assert!(stage.bland.place(&stage.account, &order("+14155550101")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter() {
    let stage = Stage::start(fast());
    let mut ids = Vec::new();
    for digits in ["01", "02", "03", "01"] {
        let order = CallOrder { from: Some("+14155550777".into()), ..order(&format!("+141555501{digits}")) };
        ids.push(stage.bland.place(&stage.account, &order).await.unwrap().provider_call_id);
    }
    for id in &ids {
        stage.ended(id).await;
    }
    let list = async |query: &str| {
        let list = stage.json(&format!("/v1/calls?{query}")).await;
        let calls = list["calls"].as_array().unwrap().clone();
        assert_eq!(list["count"], calls.len());
        assert!(calls.iter().all(|call| call.get("transcripts").is_none() && call.get("metadata").is_none()));
        let found: Vec<_> =
            calls.iter().map(|call| ids.iter().position(|id| call["call_id"] == *id).unwrap()).collect();
        (list["total_count"].as_u64().unwrap(), found)
    };
    assert_eq!(list("").await, (4, vec![3, 2, 1, 0]));
    assert_eq!(list("ascending=true").await, (4, vec![0, 1, 2, 3]));
    assert_eq!(list("to_number=%2B14155550101").await, (2, vec![3, 0]));
    assert_eq!(list("to_number=+14155550101&limit=1").await, (2, vec![3]));
    assert_eq!(list("from=1&to=3&ascending=true").await, (4, vec![1, 2]));
    assert_eq!(list("answered_by=voicemail").await, (1, vec![1]));
    assert_eq!(list("completed=false").await, (0, vec![]));
    assert_eq!(list("from_number=%2B14155550777&limit=1").await, (4, vec![3]));
    assert_eq!(list("from_number=%2B14155550778").await, (0, vec![]));
    assert_eq!(list("start_date=2000-01-01&end_date=2999-01-01&limit=1").await, (4, vec![3]));
    assert_eq!(list("start_date=2999-01-01").await, (0, vec![]));
    assert_eq!(list("created_at=2000-01-01").await, (0, vec![]));
    assert_eq!(list("batch_id=x").await, (0, vec![]));

    let me = stage.json("/v1/me").await;
    assert_eq!((me["total_calls"].as_u64(), me["billing"]["current_balance"].is_number()), (Some(4), true));
    assert_eq!(stage.json("/v1/voices").await["voices"][0]["name"], "maya");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_does_not_start() {
    let listener = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let behaviour = Behaviour { slow: 2.0, ..Behaviour::default() };
    for (config, named) in [
        (SimulatorConfig { speed: 0.0, ..fast() }, "speed"),
        (SimulatorConfig { speed: f64::NAN, ..fast() }, "speed"),
        (SimulatorConfig { behaviour, ..fast() }, "slow"),
        (SimulatorConfig { journal: Some("/".into()), ..fast() }, ""),
    ] {
        let error = serve(config, listener(), tokio_util::sync::CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// A current-thread runtime serves as well: the workers have their own.
#[tokio::test]
async fn runs_on_any_runtime() {
    let stage = Stage::start(fast());
    let placed = stage.bland.place(&stage.account, &order("+14155550101")).await.unwrap();
    eventually("the call ends", || async {
        let call = stage.bland.get(&stage.account, &placed.provider_call_id).await.unwrap().unwrap();
        call.outcome
    })
    .await;
    stage.stop().await.unwrap();
}
