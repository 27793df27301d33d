//! Raw bodies: what a provider signed is what the service gets.

use crate::world::World;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

crate::both_ways!(bytes_and_headers_are_intact, headers_have_a_limit);

async fn bytes_and_headers_are_intact(world: &World) {
    let every_byte: Vec<u8> = (0..=255).collect();
    for body in [every_byte, b"{\"a\" : 1,\r\n \"a\":2}".to_vec(), vec![], vec![b'x'; 1024 * 1024]] {
        let request = world
            .nobody
            .request(Method::POST, "/webhooks/bland/secret-token")
            .header("content-type", "application/json; charset=utf-8")
            .header("X-Webhook-Signature", "abc=")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 200);
        let heard = world.seen.one().request;
        assert_eq!(heard["token"], "secret-token");
        assert_eq!(BASE64_STANDARD.decode(heard["body"].as_str().unwrap()).unwrap(), body);
        assert_eq!(heard["headers"]["x-webhook-signature"], "abc=");
        assert_eq!(heard["headers"]["content-type"], "application/json; charset=utf-8");
        assert_eq!(heard["headers"]["x-twice"], "1, 2");
    }
    let large = world.nobody.request(Method::POST, "/webhooks/bland/t").body(vec![b'x'; 1024 * 1024 + 1]);
    assert_eq!(large.send().await.unwrap().status(), 413);
    let body_in_query = world.nobody.post("/webhooks/bland/t?body=eA%3D%3D", json!({})).await.expect(400);
    assert_eq!(body_in_query["errors"][0]["field"], "body");
}

async fn headers_have_a_limit(world: &World) {
    let mut request = world.nobody.request(Method::POST, "/webhooks/bland/t");
    request = request.header("x-short", "s".repeat(1_000)).header("x-long", "l".repeat(1_001));
    for n in 0..60 {
        request = request.header(format!("x-{n}"), "v");
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let heard = world.seen.one().request;
    let headers = heard["headers"].as_object().unwrap();
    assert!((49..=50).contains(&headers.len()), "{}", headers.len());
    assert!(headers.values().filter_map(Value::as_str).all(|value| value.len() <= 1_000));
    assert!(!headers.contains_key("x-long"));
}
