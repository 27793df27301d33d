//! Who has not signed in is told nothing else.

use crate::world::{DEADLINE, Setup, World, own};
use access::{ACCESS_TOKEN_TYPE, AccessClaims};
use callfairy_core::{Clock, UserId};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use testkit::{Answer, TestKey};

crate::both_ways!(a_token_comes_before_everything, bad_tokens_are_refused, a_token_expires);

async fn a_token_comes_before_everything(world: &World) {
    for client in [&world.nobody, &world.nobody.with_token("rubbish")] {
        for (verb, path, kind, body) in [
            (Method::POST, own("/contacts"), "application/json", "{"),
            (Method::POST, own("/contacts"), "text/plain", "x"),
            (Method::POST, own("/contacts?nope=1"), "application/json", "{}"),
            (Method::GET, own("/contacts?page_size=x"), "application/json", "{}"),
            (Method::POST, own("/imports"), "text/plain", "x"),
            (Method::POST, own("/imports"), "multipart/form-data; boundary=x", "--x--\r\n"),
            (Method::GET, own("/events/stream"), "text/plain", ""),
            (Method::GET, "/organisations/7/contacts".to_owned(), "text/plain", ""),
        ] {
            let request = client.request(verb, &path).header("content-type", kind).body(body);
            let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
            assert_eq!((answer.status, &answer.body["code"]), (401, &json!("unauthenticated")), "{path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let large = client.request(Method::POST, &own("/contacts")).body(vec![b'x'; 2 * 1024 * 1024]);
        assert_eq!(large.send().await.unwrap().status(), 401);
    }
    world.seen.nothing();
}

async fn bad_tokens_are_refused(world: &World) {
    let service = world.context.identity.meta().unwrap().token.unwrap();
    let key = TestKey::default();
    let claims = || testkit::claims(UserId::new(), world.clock.now());
    let good = key.sign(ACCESS_TOKEN_TYPE, &claims());
    for bad in [
        key.sign("refresh+jwt", &claims()),
        key.sign(ACCESS_TOKEN_TYPE, &AccessClaims { iss: "somebody".to_owned(), ..claims() }),
        key.sign(ACCESS_TOKEN_TYPE, &AccessClaims { exp: claims().iat, ..claims() }),
        TestKey::new([8; 32]).sign(ACCESS_TOKEN_TYPE, &claims()),
        service.expose().to_owned(),
        format!("{good}x"),
        good[..good.len() - 4].to_owned(),
        "x".repeat(10_000),
        "..".to_owned(),
    ] {
        let answer = world.nobody.with_token(&bad).get("/me/access").await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("unauthenticated")), "{bad}");
        assert!(!answer.body.to_string().contains(&bad), "{bad}");
    }
    for header in ["Basic YTpi", "Bearer", "bearer", &good] {
        let answer = world.nobody.request(Method::GET, "/me").header("authorization", header).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{header}");
    }
    let both = world.ada.request(Method::GET, "/me/access").header("authorization", format!("Bearer {good}"));
    assert_eq!(both.send().await.unwrap().status(), 401, "two tokens are none");
    let lower = world.nobody.request(Method::GET, "/me/access").header("authorization", format!("bearer {good}"));
    assert_eq!(lower.send().await.unwrap().status(), 200);
}

async fn a_token_expires(world: &World) {
    world.ada.get("/me/access").await.expect(200);
    world.clock.advance(Duration::from_mins(10));
    world.ada.get("/me/access").await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_nobody_is_let_in_and_nobody_turned_away() {
    for over_tcp in [false, true] {
        let world = World::start_with(Setup { over_tcp, absent: &["auth"], ..Setup::default() }).await;
        let answer = world.ada.get("/me/access").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.body);
        assert_eq!(answer.body["code"], "unavailable");
        // Nor does anything else fall with it.
        world.nobody.post("/webhooks/bland/abc", json!({})).await.expect(200);
        testkit::eventually("the others are there", DEADLINE, async || {
            let ready = world.nobody.get("//readyz").await;
            (ready.body["failing"] == json!(["auth"])).then_some(())
        })
        .await;
        world.end().await;
    }
}
