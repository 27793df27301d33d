//! The provider's webhooks: only what is signed and addressed counts, and it counts once.

use crate::world::{PATIENCE, World, all};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{Answer, Client, Layout, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

crate::on_both_stacks!(a_webhook_counts_only_with_its_signature);

const SECRET: &str = "the provider's secret";

/// A provider that accepts one call and hands over what it was asked for.
async fn provider() -> (String, tokio::task::JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![];
        let body = loop {
            assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0, "the request came whole");
            let text = String::from_utf8_lossy(&request).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if length.is_some_and(|length: usize| body.len() >= length) {
                break serde_json::from_str::<Value>(body).unwrap();
            }
        };
        let answer =
            r#"{"status":"success","message":"Call successfully queued.","call_id":"provider-1","batch_id":null}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        body
    });
    (url, asked)
}

fn sign(body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body);
    hex::encode(mac.finalize().into_bytes())
}

async fn send(url: &str, body: &str, signature: Option<&str>) -> Answer {
    let path = url.split_once("/api/v1").unwrap();
    let mut request = Client::new(path.0).request(reqwest::Method::POST, path.1).body(body.to_owned());
    request = request.header("content-type", "application/json");
    if let Some(signature) = signature {
        request = request.header("X-Webhook-Signature", signature);
    }
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn a_webhook_counts_only_with_its_signature(layout: Layout) {
    let (url, asked) = provider().await;
    let account = [("BLAND_API_KEY", "key"), ("BLAND_BASE_URL", url.as_str()), ("BLAND_WEBHOOK_SECRET", SECRET)];
    let world = World::with(layout, &account).await;
    let call = json!({"phone_number": "+12125550101", "task": "Say hello."});
    let call = world.agent.post(&world.path("/calls"), call).await.expect(202);
    let path = world.path(&format!("/calls/{}", call["id"].as_str().unwrap()));
    let order = asked.await.unwrap();
    assert_eq!((&order["phone_number"], &order["task"]), (&json!("+12125550101"), &json!("Say hello.")));
    let webhook = order["webhook"].as_str().unwrap();

    let body = json!({
        "call_id": "provider-1", "to": "+12125550101", "completed": true, "status": "completed",
        "queue_status": "complete", "answered_by": "human", "corrected_duration": "61", "call_length": 1.02,
        "price": 0.09, "concatenated_transcript": "user: Hello", "metadata": order["metadata"],
    })
    .to_string();
    let status = async || world.agent.get(&path).await.expect(200)["status"].clone();
    for signature in [None, Some("00"), Some(&*"0".repeat(64)), Some(&sign("another body"))] {
        let answer = send(webhook, &body, signature).await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("unauthenticated")), "{signature:?}");
    }
    for garbage in ["", "{", "[]", "\"x\"", "{\"call_id\": 7}"] {
        let answer = send(webhook, garbage, Some(&sign(garbage))).await;
        assert!(answer.status == 400 || answer.status == 200, "{garbage}: {}", answer.status);
    }
    assert_ne!(status().await, "completed");

    for _ in 0..3 {
        send(webhook, &body, Some(&sign(&body))).await.expect(200);
    }
    let over = eventually("the call was over", PATIENCE, async || {
        let call = world.agent.get(&path).await.expect(200);
        (call["status"] == "completed").then_some(call)
    })
    .await;
    assert_eq!(
        (&over["duration"], &over["price"], &over["answered_by"]),
        (&json!(61), &json!("0.09"), &json!("human"))
    );
    // What comes late does not move it back.
    let late = body
        .replace("\"completed\",\"to\"", "\"busy\",\"to\"")
        .replace("\"status\":\"completed\"", "\"status\":\"busy\"");
    send(webhook, &late, Some(&sign(&late))).await.expect(200);
    assert_eq!(status().await, "completed");
    let events = all(&world.agent, &format!("{path}/events"), "events").await;
    let ends = events.iter().filter(|event| event["cause"] == "provider_event").count();
    assert_eq!(ends, 1, "{events:?}");
}
