//! Whether the front door is open.

use crate::world::{Setup, World};
use reqwest::Method;
use serde_json::json;

crate::both_ways!(alive_and_ready);

async fn alive_and_ready(world: &World) {
    for path in ["//healthz", "//readyz"] {
        assert_eq!(world.nobody.get(path).await.expect(200), json!({"status": "ok"}));
        let head = world.nobody.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_what_is_missing() {
    for over_tcp in [false, true] {
        let absent = &["auth", "tenancy", "agent", "telephony"];
        let world = World::start_with(Setup { over_tcp, absent, ..Setup::default() }).await;
        let answer = world.nobody.get("//readyz").await;
        assert_eq!(answer.body, json!({"status": "unavailable", "failing": absent}));
        assert_eq!(answer.status, 503);
        world.nobody.get("//healthz").await.expect(200);
        world.end().await;
    }
}
