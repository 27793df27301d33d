//! Browsers that are sent to another place, and come back with a cookie.

use crate::world::World;
use reqwest::Method;
use serde_json::Value;

crate::both_ways!(are_sent_on_with_a_cookie, come_back_with_it, show_it_nowhere_else);

const CALLBACK: &str =
    "/auth/google/callback?state=s-1&code=4%2Fx&scope=email%20openid&authuser=0&prompt=consent&hd=example.com";

async fn are_sent_on_with_a_cookie(world: &World) {
    let response = world.nobody.request(Method::GET, "/auth/google/start").send().await.unwrap();
    assert_eq!(response.status(), 302);
    let location = "https://accounts.example.com/authorize?state=s-1&nonce=n-1";
    assert_eq!(response.headers()["location"], location);
    let cookie = "callfairy_sign_in=cfb_abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax";
    assert_eq!(response.headers()["set-cookie"], cookie);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body, serde_json::json!({"location": location}), "no script reads the cookie");
}

async fn come_back_with_it(world: &World) {
    let come_back = async |cookies: &[&str]| {
        let request = world.nobody.request(Method::GET, CALLBACK);
        let request = cookies.iter().fold(request, |request, cookie| request.header("cookie", *cookie));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("set-cookie"));
        world.seen.one().request
    };
    let heard = come_back(&["theme=dark; callfairy_sign_in=cfb_abc; other=1"]).await;
    assert_eq!((&heard["cookie"], &heard["state"], &heard["code"]), (&"cfb_abc".into(), &"s-1".into(), &"4/x".into()));
    assert_eq!(come_back(&["theme=dark", "callfairy_sign_in=cfb_abc"]).await["cookie"], "cfb_abc");
    for others in [&[][..], &["xcallfairy_sign_in=cfb_abc"], &["callfairy_sign_in"], &["a=callfairy_sign_in=cfb_abc"]] {
        assert_eq!(come_back(others).await.get("cookie").unwrap_or(&Value::Null), &Value::Null, "{others:?}");
    }
    // Only from the header: a link that holds it would let anybody pass.
    let in_link = world.nobody.get(&format!("{CALLBACK}&cookie=cfb_abc")).await.expect(400);
    assert_eq!(in_link["errors"][0]["field"], "cookie");
    world.seen.nothing();
}

async fn show_it_nowhere_else(world: &World) {
    let request = world.nobody.request(Method::GET, "/auth/google/start").header("cookie", "callfairy_sign_in=cfb_abc");
    assert_eq!(request.send().await.unwrap().status(), 302);
    assert_eq!(world.seen.one().request, serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_tls_the_cookie_belongs_to_this_host_alone() {
    let setup = crate::world::Setup { public_url: "https://calls.example.com", ..Default::default() };
    let world = World::start_with(setup).await;
    let response = world.nobody.request(Method::GET, "/auth/google/start").send().await.unwrap();
    let cookie = "__Host-callfairy_sign_in=cfb_abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure";
    assert_eq!(response.headers()["set-cookie"], cookie);
    world.seen.one();
    for (name, shown) in [("__Host-callfairy_sign_in", true), ("callfairy_sign_in", false)] {
        let request = world.nobody.request(Method::GET, CALLBACK).header("cookie", format!("{name}=cfb_abc"));
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(world.seen.one().request["cookie"] == "cfb_abc", shown, "{name}");
    }
    world.end().await;
}
