//! What every answer has, and how the gateway ends.

use crate::world::{DEADLINE, Setup, World, own, unknown};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;
use testkit::Answer;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

const ORIGIN: &str = "https://app.example.com";

crate::both_ways!(
    requests_have_ids,
    nothing_else_from_outside_reaches_a_service,
    a_service_learns_where_a_request_comes_from
);

async fn requests_have_ids(world: &World) {
    let sent = async |id: &str| {
        let request = world.ada.request(Method::GET, &own("/contacts")).header("x-request-id", id);
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        let heard = world.seen.one().request_id.unwrap();
        assert_eq!(answer.header("x-request-id"), heard);
        heard
    };
    for good in ["a", "0190a6f1-0000-7000-8000-000000000001", "A.b_c-9", &"x".repeat(128)] {
        assert_eq!(sent(good).await, good);
    }
    for bad in ["", "a b", "a\"b", "a/b", "ü", &"x".repeat(129), "a,b"] {
        let made = sent(bad).await;
        assert_eq!((made.len(), made.as_bytes()[14]), (36, b'7'), "a UUID of version 7: {made}");
    }
    for path in ["/me/access", "//healthz", "//nope", "//docs", "/organisations/x/contacts?y"] {
        let answer = world.nobody.get(path).await;
        let id = answer.header("x-request-id");
        assert_eq!(id.len(), 36, "{path}");
        if answer.status >= 400 {
            assert_eq!(answer.body["instance"], format!("urn:request:{id}"));
        }
    }
    let two = world
        .ada
        .request(Method::POST, &own("/contacts"))
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    let two = Answer::read(two.json(&json!({})).send().await.unwrap()).await.unwrap();
    assert_eq!(two.expect(400)["errors"][0]["field"], "Idempotency-Key");
    let long = world.ada.request(Method::POST, &own("/contacts")).header("idempotency-key", "k".repeat(201));
    let long = long.json(&json!({"name": "a", "phone_number": "1"})).send().await.unwrap();
    assert_eq!(Answer::read(long).await.unwrap().expect(400)["errors"][0]["field"], "Idempotency-Key");
}

async fn a_service_learns_where_a_request_comes_from(world: &World) {
    let origin = async |device: &[u8]| {
        let request = world
            .ada
            .request(Method::GET, &own("/contacts"))
            .header("user-agent", reqwest::header::HeaderValue::from_bytes(device).unwrap())
            // Only the connection counts.
            .header("x-callfairy-device", "a forged one")
            .header("x-callfairy-address", "203.0.113.9")
            .header("x-forwarded-for", "203.0.113.9");
        assert_eq!(request.send().await.unwrap().status(), 200);
        world.seen.one().origin
    };
    let browser = origin(b"Mozilla/5.0 (X11; Linux x86_64)").await;
    assert_eq!(browser.device(), Some("Mozilla/5.0 (X11; Linux x86_64)"));
    assert!(browser.address().unwrap().is_loopback());
    assert_eq!(origin("Grüße".as_bytes()).await.device(), Some("Gre"));
    assert_eq!(origin(&[b'x'; 1_000]).await.device().unwrap().len(), 200);
    assert_eq!(origin(b"").await.device(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_says_who_is_behind_it() {
    let world = World::start_with(Setup { trusted_proxies: "127.0.0.0/8, 10.9.9.9", ..Setup::default() }).await;
    let request = world.ada.request(Method::GET, &own("/contacts"));
    let request = request.header("x-forwarded-for", "192.0.2.1, 203.0.113.9, 10.9.9.9");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(world.seen.one().origin.address(), Some([203, 0, 113, 9].into()));
    world.end().await;
}

async fn nothing_else_from_outside_reaches_a_service(world: &World) {
    let service = world.context.identity.meta().unwrap().token.unwrap();
    let request = world
        .ada
        .request(Method::GET, &own("/contacts"))
        .header("x-caller", "tenancy")
        .header("x-authorization", service.expose())
        .header("grpc-timeout", "1n")
        .header("te", "trailers")
        .header("traceparent", "nonsense");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let heard = world.seen.one();
    assert!(matches!(heard.caller, access::Caller::User(_)));
    assert!(!heard.trace.values().any(|value| value == "nonsense"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_to_be_careful() {
    for (public_url, tls) in [("http://127.0.0.1:8080", false), ("https://api.example.com", true)] {
        let world = World::start_with(Setup { public_url, ..Setup::default() }).await;
        for path in ["/me", "//healthz", "//nope", "//docs", "//openapi.json", "//docs/swagger-ui.css"] {
            let answer = world.nobody.get(path).await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
            assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
            assert_eq!(!answer.header("strict-transport-security").is_empty(), tls, "{path}");
            let kept = if path.contains("swagger-ui") { "public, max-age=3600" } else { "no-store" };
            assert_eq!(answer.header("cache-control"), kept, "{path}");
        }
        world.end().await;
    }
}

async fn preflight(world: &World, origin: &str, headers: &str) -> (StatusCode, HeaderMap) {
    let request = world.nobody.request(Method::OPTIONS, &own("/contacts")).header("origin", origin);
    let request =
        request.header("access-control-request-method", "POST").header("access-control-request-headers", headers);
    let response = request.send().await.unwrap();
    (response.status(), response.headers().clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_origins_may_call() {
    let world = World::start_with(Setup { origins: ORIGIN, ..Setup::default() }).await;
    let (status, headers) = preflight(&world, ORIGIN, "authorization,content-type,idempotency-key").await;
    assert_eq!(status, 200);
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert!(headers.contains_key("access-control-max-age") && headers.contains_key("x-request-id"));
    assert!(!headers.contains_key("access-control-allow-credentials"));

    for (origin, asked) in [("https://evil.example.com", "authorization"), (ORIGIN, "x-strange"), ("null", "")] {
        let (status, headers) = preflight(&world, origin, asked).await;
        assert_eq!(status, 400, "{origin} {asked}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(headers.contains_key("x-request-id"));
    }
    // Failures too must be readable by the page.
    for (origin, allowed) in [(ORIGIN, true), ("https://app.example.com.evil.com", false)] {
        let response = world.nobody.request(Method::GET, "/me").header("origin", origin).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers.get("access-control-allow-origin").is_some(), allowed, "{origin}");
        assert!(headers["vary"].to_str().unwrap().to_lowercase().contains("origin"));
        assert_eq!(Answer::read(response).await.unwrap().expect(401)["code"], "unauthenticated");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_origins_there_is_no_cors() {
    let world = World::start(false).await;
    let (status, headers) = preflight(&world, ORIGIN, "authorization").await;
    assert_eq!(status, 405);
    let answer = world.nobody.request(Method::GET, "/me").header("origin", ORIGIN).send().await.unwrap();
    for headers in [&headers, answer.headers()] {
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")), "{headers:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_finished_at_the_shutdown() {
    for over_tcp in [false, true] {
        let mut world = World::start(over_tcp).await;
        let release = Arc::new(Notify::new());
        *world.seen.hold.lock().unwrap() = Some(release.clone());
        let client = world.ada.clone();
        let request = tokio::spawn(async move { client.get(&own(&format!("/imports/{}", unknown()))).await });
        world.seen.held.notified().await;
        world.shutdown.begin();
        testkit::eventually("nothing more is accepted", DEADLINE, async || {
            TcpStream::connect(world.address).await.is_err().then_some(())
        })
        .await;
        assert!(!request.is_finished());
        release.notify_one();
        assert_eq!(request.await.unwrap().expect(200)["filename"], "done");
        timeout(DEADLINE, world.stopped()).await.unwrap().unwrap();
        world.end_services().await;
    }
}
