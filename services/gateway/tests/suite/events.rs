//! Answers that go on.

use crate::world::{DEADLINE, Setup, World, own};
use callfairy_core::Problem;
use gateway::Limits;
use proto::telephony::Event;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

crate::both_ways!(
    events_come_as_they_happen,
    a_client_that_comes_back_says_where_it_was,
    a_failure_ends_the_stream,
    a_client_that_goes_is_noticed,
    a_refusal_is_a_problem,
);

type Feed = mpsc::Sender<Result<Event, Problem>>;

async fn open(world: &World, last_event_id: Option<&str>) -> (Feed, Response) {
    let (feed, events) = mpsc::channel(1);
    *world.seen.events.lock().unwrap() = Some(events);
    let mut request = world.ada.request(Method::GET, &own("/events/stream"));
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    (feed, request.send().await.unwrap())
}

#[allow(clippy::unnecessary_wraps)] // an event, among others that are failures
fn event(id: &str) -> Result<Event, Problem> {
    Ok(Event { id: id.into(), r#type: "call".into(), ..Event::default() })
}

/// Reads until there is a whole event or comment; nothing at the end.
async fn next(response: &mut Response) -> String {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        match timeout(DEADLINE, response.chunk()).await.unwrap().unwrap() {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            None => break,
        }
    }
    text
}

async fn events_come_as_they_happen(world: &World) {
    let (feed, mut response) = open(world, None).await;
    // The head is here before there is any event.
    assert_eq!(response.status(), 200);
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(response.headers()[name], value);
    }
    for id in ["1", "2"] {
        feed.send(event(id)).await.unwrap();
        let text = next(&mut response).await;
        let mut lines = text.lines();
        assert_eq!((lines.next(), lines.next()), (Some(format!("id: {id}").as_str()), Some("event: call")));
        let data: Value = serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((&data["id"], &data["type"], lines.next()), (&json!(id), &json!("call"), Some("")));
    }
    drop(feed);
    assert_eq!(next(&mut response).await, "");
}

async fn a_client_that_comes_back_says_where_it_was(world: &World) {
    let (_feed, _response) = open(world, Some("e-41")).await;
    assert_eq!(world.seen.one().request["last_event_id"], "e-41");
    let (_feed, _response) = open(world, None).await;
    assert_eq!(world.seen.one().request["last_event_id"], "");
    let query = own("/events/stream?last_event_id=7");
    let twice = world.ada.request(Method::GET, &query).header("Last-Event-ID", "7").send().await.unwrap();
    assert_eq!(twice.status(), 400);
}

async fn a_failure_ends_the_stream(world: &World) {
    let (feed, mut response) = open(world, None).await;
    feed.send(event("1")).await.unwrap();
    feed.send(Err(Problem::unavailable("the stream"))).await.unwrap();
    assert!(next(&mut response).await.starts_with("id: 1\n"));
    assert_eq!(next(&mut response).await, "");
}

async fn a_client_that_goes_is_noticed(world: &World) {
    let (feed, response) = open(world, None).await;
    drop(response);
    timeout(DEADLINE, feed.closed()).await.unwrap();
}

async fn a_refusal_is_a_problem(world: &World) {
    let answer = world.ada.get(&own("/events/stream")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_broken() {
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let world = World::start_with(Setup { limits, ..Setup::default() }).await;
    let (feed, mut response) = open(&world, None).await;
    assert!(next(&mut response).await.starts_with(": "));
    assert!(next(&mut response).await.starts_with(": "));
    feed.send(event("1")).await.unwrap();
    let seen = testkit::eventually("the event comes", DEADLINE, async || {
        Some(next(&mut response).await).filter(|text| text.contains("id: 1\n"))
    });
    assert!(seen.await.contains("\ndata: {"));
    drop((feed, response));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_at_the_shutdown() {
    for over_tcp in [false, true] {
        let mut world = World::start(over_tcp).await;
        let (feed, mut response) = open(&world, None).await;
        world.shutdown.begin();
        assert_eq!(next(&mut response).await, "");
        timeout(DEADLINE, feed.closed()).await.unwrap();
        timeout(DEADLINE, world.stopped()).await.unwrap().unwrap();
        world.end_services().await;
    }
}
