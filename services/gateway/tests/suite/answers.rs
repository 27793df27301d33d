//! What goes in and what comes out when all is well.

use crate::world::{ORGANISATION, World, own};
use access::Caller;
use reqwest::Method;
use serde_json::{Value, json};

crate::both_ways!(
    a_body_becomes_a_message_and_the_answer_json,
    path_and_query_become_a_message,
    an_empty_answer_is_empty,
    public_routes_take_no_token,
    an_empty_body_is_an_empty_object,
    what_the_path_encodes_is_decoded_once,
    signing_keys_are_at_the_root,
);

async fn a_body_becomes_a_message_and_the_answer_json(world: &World) {
    let body = json!({"name": "Zoë", "phone_number": "+1", "tags": ["a", "b"], "metadata": {"k": "v"}});
    let request = world.ada.request(Method::POST, &own("/contacts")).header("Idempotency-Key", "key-1");
    let answer = testkit::Answer::read(request.json(&body).send().await.unwrap()).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (201, "application/json"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.body["name"], &answer.body["created_at"]), (&json!("Zoë"), &json!("2026-01-01T00:00:00.500Z")));

    let heard = world.seen.one();
    assert_eq!(heard.rpc, "/callfairy.telephony.v1.Contacts/CreateContact");
    assert_eq!(heard.request["organisation_id"], ORGANISATION);
    assert_eq!((&heard.request["tags"], &heard.request["metadata"]), (&body["tags"], &body["metadata"]));
    assert_eq!(heard.idempotency_key.as_deref(), Some("key-1"));
    assert!(matches!(heard.caller, Caller::User(_)));
}

async fn path_and_query_become_a_message(world: &World) {
    let path = own("/contacts?page_size=7&search=J%C3%B6rg+M&order_by=name&page_token=a%2Bb%2F");
    assert_eq!(world.ada.get(&path).await.expect(200)["next_page_token"], "more");
    let expected = json!({
        "organisation_id": ORGANISATION, "page_size": 7, "search": "Jörg M", "order_by": "name", "page_token": "a+b/", "tag": "",
    });
    assert_eq!(world.seen.one().request, expected);
}

async fn an_empty_answer_is_empty(world: &World) {
    let answer = world.ada.post("/auth/logout", json!({})).await;
    assert_eq!((answer.status, &answer.body, answer.header("content-type")), (204, &Value::Null, ""));
    world.seen.one();
}

async fn public_routes_take_no_token(world: &World) {
    let login = json!({"email": "a@b.example", "password": "hunter2"});
    for client in [&world.nobody, &world.ada, &world.nobody.with_token("rubbish")] {
        assert_eq!(client.post("/auth/login", login.clone()).await.expect(200)["token_type"], "Bearer");
        assert_eq!(world.seen.one().caller, Caller::Anonymous);
    }
}

async fn an_empty_body_is_an_empty_object(world: &World) {
    let answer = world.ada.request(Method::POST, "/auth/logout").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    world.seen.one();
    let problem = world.ada.request(Method::POST, &own("/contacts")).send().await.unwrap();
    let problem = testkit::Answer::read(problem).await.unwrap().expect(400);
    let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert_eq!(fields, ["name", "phone_number"]);
}

async fn what_the_path_encodes_is_decoded_once(world: &World) {
    for (path, token) in [("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("a%2Bb+c%20d", "a+b+c d"), ("%C3%BC", "ü")] {
        world.nobody.post(&format!("/webhooks/bland/{path}"), json!({})).await.expect(200);
        assert_eq!(world.seen.one().request["token"], token, "{path}");
    }
}

async fn signing_keys_are_at_the_root(world: &World) {
    let keys = world.nobody.get("//.well-known/jwks.json").await.expect(200);
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["kid"]), (&json!("OKP"), &json!("test")));
}
