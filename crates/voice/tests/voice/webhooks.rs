//! Reports that the simulator sends by itself, taken as the platform takes them.

use crate::raw::{RawServer, Reply, Request};
use crate::support::{Stage, eventually, fast, order};
use callfairy_core::Secret;
use std::time::{Duration, Instant};
use voice::simulator::{Behaviour, SimulatorConfig};
use voice::{CallDetail, CallOrder, Outcome, VoiceProvider, WebhookEvent};

pub async fn receiver() -> RawServer {
    RawServer::always(Reply::json("200 OK", "{}")).await
}

pub async fn place(stage: &Stage, to: &str, receiver: &RawServer) -> CallOrder {
    let order = CallOrder { webhook_url: Some(receiver.url.join("/hook").unwrap().into()), ..order(to) };
    stage.bland.place(&stage.account, &order).await.unwrap();
    order
}

pub async fn actions(stage: &Stage, action: &str, count: u64) {
    eventually(action, || async { (stage.json("/simulator/journal").await["actions"][action] == count).then_some(()) })
        .await;
}

pub fn read(stage: &Stage, request: &Request) -> CallDetail {
    assert!(stage.bland.verify_webhook(&Secret::new("hook"), &request.headers, &request.body));
    assert!(!stage.bland.verify_webhook(&Secret::new("other"), &request.headers, &request.body));
    match stage.bland.parse_webhook(&request.body) {
        Ok(WebhookEvent::PostCall(call)) => *call,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_and_complete() {
    let (stage, receiver) = (Stage::start(fast()), receiver().await);
    let order = place(&stage, "+14155550108", &receiver).await;
    actions(&stage, "webhook_delivered", 1).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, "POST /hook HTTP/1.1");
    let call = read(&stage, &requests[0]);
    assert_eq!((call.attempt_id, call.outcome), (Some(order.attempt_id), Some(Outcome::Completed)));
    assert_eq!(call.disposition.as_deref(), Some("DO_NOT_CONTACT"));
    // What was pushed is what can be asked for.
    let asked = stage.bland.get(&stage.account, &call.provider_call_id).await.unwrap();
    assert_eq!(asked, Some(call));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_twice() {
    let (stage, receiver) = (Stage::start(fast()), receiver().await);
    place(&stage, "+14155550118", &receiver).await;
    actions(&stage, "webhook_lost", 1).await;
    assert_eq!(receiver.requests().len(), 0);
    place(&stage, "+14155550119", &receiver).await;
    actions(&stage, "webhook_delivered", 2).await;
    let requests = receiver.requests();
    assert_eq!(requests[0].body, requests[1].body);
    place(&stage, "+14155550120", &receiver).await;
    actions(&stage, "webhook_delivered", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_is_after_the_call_is_over() {
    let late = Behaviour { webhook_late: 1.0, webhook_late_seconds: 10_000.0, ..Behaviour::default() };
    let stage = Stage::start(SimulatorConfig { behaviour: late, speed: 20_000.0, ..fast() });
    let (receiver, before) = (receiver().await, Instant::now());
    place(&stage, "+14155550199", &receiver).await;
    actions(&stage, "webhook_delivered", 1).await;
    assert!(before.elapsed() >= Duration::from_millis(500), "the call itself takes some milliseconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_until_taken() {
    let stage = Stage::start(fast());
    let stubborn = RawServer::start(|_, before| match before {
        0 => Reply::json("503 Service Unavailable", "{}"),
        1 => Reply::Close,
        _ => Reply::json("204 No Content", ""),
    })
    .await;
    place(&stage, "+14155550101", &stubborn).await;
    actions(&stage, "webhook_delivered", 1).await;
    assert_eq!(stubborn.requests().len(), 3);

    let deaf = RawServer::always(Reply::json("500 Internal Server Error", "{}")).await;
    place(&stage, "+14155550101", &deaf).await;
    actions(&stage, "webhook_failed", 1).await;
    assert_eq!(deaf.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_without_a_secret() {
    let stage = Stage::start(SimulatorConfig { webhook_secret: Secret::default(), ..fast() });
    let receiver = receiver().await;
    place(&stage, "+14155550101", &receiver).await;
    actions(&stage, "webhook_delivered", 1).await;
    let request = &receiver.requests()[0];
    assert!(!request.headers.contains_key("x-webhook-signature"));
    assert!(!stage.bland.verify_webhook(&Secret::new(""), &request.headers, &request.body));
}
