//! What happens, as it happens, and what happened before.

use super::sweep::Sweep;
use crate::world::PATIENCE;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use testkit::Client;

/// Before everything that ever happened.
const BEGINNING: &str = "0-0";

/// The events after one, until one fits.
async fn until(client: &Client, path: &str, after: &str, fits: impl Fn(&Value) -> bool) -> Vec<(String, Value)> {
    let request = client.request(Method::GET, path).header("Last-Event-ID", after);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let (mut bytes, mut text, mut events) = (response.bytes_stream(), String::new(), vec![]);
    let read = async {
        loop {
            text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let event = line("id:").zip(line("data:")).map(|(id, data)| (id.to_owned(), data.to_owned()));
                text = rest.to_string();
                if let Some((id, data)) = event {
                    let data: Value = serde_json::from_str(&data).unwrap();
                    let is_last = fits(&data);
                    events.push((id, data));
                    if is_last {
                        return events;
                    }
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the event comes")
}

/// From whichever place of the other's stream we go on, we see what is ours.
pub async fn shows_nothing(sweep: &mut Sweep<'_>) {
    let stream = "/events/stream";
    let last = |_: &Value| true;
    let theirs = until(&sweep.other.agent, &sweep.other.path(stream), BEGINNING, last).await;
    for after in [BEGINNING, theirs[0].0.as_str()] {
        let call = sweep.ours.call(&sweep.ours.words.phone("03"), "no_answer").await;
        for client in [&sweep.ours.agent, &sweep.ours.program] {
            let is_ours = |event: &Value| event["call"]["id"] == call["id"];
            for (_, event) in until(client, &sweep.ours.path(stream), after, is_ours).await {
                if let Some(seen) = sweep.canaries.seen(&event, &sweep.said) {
                    sweep.wrong.push(format!("the stream after {after} shows {seen}"));
                }
            }
        }
    }
    // Its organisation has no stream.
    for client in [&sweep.ours.agent, &sweep.ours.program] {
        let theirs = client.get(&sweep.other.path(stream)).await;
        if theirs.status != 404 {
            sweep.wrong.push(format!("the other's stream: {} {}", theirs.status, theirs.body));
        }
    }
}
