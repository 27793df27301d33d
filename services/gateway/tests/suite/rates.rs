//! How many requests are answered.

use crate::world::{DEADLINE, Setup, World, own};
use gateway::Limits;
use reqwest::Method;
use serde_json::json;
use testkit::Answer;

/// What a limit of one in a second allows at once.
const BURST: usize = 10;

fn limits(requests_of_caller: u32, requests_of_address: u32) -> Setup {
    let limits = Limits { requests_of_caller, requests_of_address, ..Limits::default() };
    Setup { limits, trusted_proxies: "127.0.0.0/8", ..Setup::default() }
}

fn refused(answer: &Answer) {
    assert_eq!((answer.status, answer.body["code"].as_str()), (429, Some("too_many_requests")), "{answer:?}");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=2).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_does_not_take_another_s_share() {
    let world = World::start_with(limits(1, 0)).await;
    let path = own("/contacts");
    // A second may pass meanwhile, and another.
    let mut answered = 0;
    let last = loop {
        let answer = world.ada.get(&path).await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered < 3 * BURST, "nothing is refused");
    };
    assert!(answered >= BURST, "{answered}");
    refused(&last);
    let bob = world.someone();
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(world.nobody.get("//healthz").await.status, 200);
    testkit::eventually("there is a share again", DEADLINE, async || {
        (world.ada.get(&path).await.status == 200).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_take_another_s_share() {
    let world = World::start_with(limits(0, 1)).await;
    let from = async |address: &str| {
        let request = world.nobody.request(Method::POST, "/auth/login").header("x-forwarded-for", address);
        Answer::read(request.json(&json!({"email": "ada@example.com", "password": "x"})).send().await.unwrap())
            .await
            .unwrap()
    };
    let mut answered = 0;
    let last = loop {
        let answer = from("192.0.2.1").await;
        if answer.status == 429 {
            break answer;
        }
        answered += 1;
        assert!(answered < 3 * BURST, "nothing is refused");
    };
    assert!(answered >= BURST, "{answered}");
    refused(&last);
    assert_ne!(from("192.0.2.2").await.status, 429);
    // Those who have signed in count as well, and what a provider reports does not.
    let ada = world.ada.request(Method::GET, &own("/contacts")).header("x-forwarded-for", "192.0.2.1");
    refused(&Answer::read(ada.send().await.unwrap()).await.unwrap());
    for _ in 0..3 * BURST {
        let webhook =
            world.nobody.request(Method::POST, "/webhooks/bland/token").header("x-forwarded-for", "192.0.2.1");
        let answer = Answer::read(webhook.body("{}").send().await.unwrap()).await.unwrap();
        assert_ne!(answer.status, 429);
    }
    world.end().await;
}

#[test]
fn a_platform_has_limits_without_being_told() {
    let settings = runtime::Settings::load(runtime::Program::Platform, None, &[].into()).unwrap();
    assert_eq!((settings.http.requests_of_caller, settings.http.requests_of_address), (200, 1_000));
}
