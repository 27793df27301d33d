//! The live stream.

use crate::world::{PATIENCE, World, let_numbers_decide};
use futures_util::StreamExt;
use serde_json::{Value, json};
use testkit::{Client, Layout};

crate::on_both_stacks!(calls_are_seen_as_they_change);

/// Opens the stream: what happens from now on is seen.
async fn open(client: &Client, path: &str, after: Option<&str>) -> reqwest::Response {
    let mut request = client.request(reqwest::Method::GET, path);
    if let Some(id) = after {
        request = request.header("Last-Event-ID", id);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    response
}

/// Reads events until one fits.
async fn until(response: reqwest::Response, fits: impl Fn(&Value) -> bool) -> (String, Value) {
    let (mut bytes, mut text) = (response.bytes_stream(), String::new());
    tokio::time::timeout(PATIENCE, async {
        loop {
            text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
                let found = line("id:").zip(line("data:")).map(|(id, data)| (id.to_owned(), data.to_owned()));
                text = rest.to_string();
                if let Some((id, data)) = found {
                    let data: Value = serde_json::from_str(&data).unwrap();
                    if fits(&data) {
                        return (id, data);
                    }
                }
            }
        }
    })
    .await
    .expect("the event comes")
}

async fn calls_are_seen_as_they_change(layout: Layout) {
    let world = World::new(layout).await;
    let_numbers_decide(&world.platform).await;
    let stream = world.path("/events/stream");
    let body = json!({"phone_number": "+12125550101", "task": "Say hello."});
    let opened = open(&world.agent, &stream, None).await;
    let call = world.agent.post(&world.path("/calls"), body).await.expect(202);
    let (id, event) = until(opened, |event| event["call"]["status"] == "completed").await;
    assert_eq!((&event["type"], &event["call"]["id"]), (&json!("call"), &call["id"]));

    // Somebody who comes back sees what happened meanwhile.
    let again = json!({"phone_number": "+12125550103", "task": "Say hello."});
    let call = world.agent.post(&world.path("/calls"), again).await.expect(202);
    let path = world.path(&format!("/calls/{}", call["id"].as_str().unwrap()));
    testkit::eventually("the call was over", PATIENCE, async || {
        (world.agent.get(&path).await.expect(200)["status"] == "no_answer").then_some(())
    })
    .await;
    let opened = open(&world.agent, &stream, Some(&id)).await;
    let (_, event) = until(opened, |event| event["call"]["id"] == call["id"]).await;
    assert_eq!(event["call"]["status"], "no_answer", "as it is now");
}
