//! What is refused, with the field and the reason.

use crate::world::{Setup, World, own};
use bytes::Bytes;
use futures_util::stream;
use gateway::Limits;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::convert::Infallible;
use testkit::Answer;

crate::both_ways!(bad_fields_are_named);

/// JSON as text, with its content type.
async fn send(world: &World, verb: Method, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = world.ada.request(verb, path).header("content-type", kind).body(body);
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn bad_fields_are_named(world: &World) {
    let contacts = own("/contacts");
    let query = |query: &str| (Method::GET, format!("{contacts}?{query}"), "");
    let body = |body: &'static str| (Method::POST, contacts.clone(), body);
    for ((verb, path, body), field) in [
        (query("page_size=x"), "page_size"),
        (query("page_size=-1"), "page_size"),
        (query("page_size=1&page_size=2"), "page_size"),
        (query("order_by=bogus"), "order_by"),
        (query("nope=1"), "nope"),
        (query("organisation_id=x"), "organisation_id"),
        (query(&format!("search={}", "x".repeat(201))), "search"),
        (body(r#"{"nope":1}"#), "nope"),
        (body(r#"{"name":"a","name":"b"}"#), "name"),
        (body(r#"{"name":7}"#), "name"),
        (body(r#"{"tags":["a",7]}"#), "tags[1]"),
        (body(r#"{"metadata":{"a":{}}}"#), "metadata.a"),
        (body(r#"{"organisation_id":"x"}"#), "organisation_id"),
        (body(r#"{"name":"a","phone_number":""}"#), "phone_number"),
        ((Method::POST, format!("{contacts}?name=x"), "{}"), "name"),
        ((Method::GET, own("/calls?status=bogus"), ""), "status"),
        ((Method::GET, own("/calls?from=yesterday"), ""), "from"),
        ((Method::GET, "/organisations/7/contacts".to_owned(), ""), "organisation_id"),
        ((Method::GET, own("/contacts/7"), ""), "id"),
    ] {
        let answer = send(world, verb, &path, "application/json", body).await;
        let problem = answer.expect(400);
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["field"]),
            (&json!("invalid_argument"), &json!(field)),
            "{path} {body}"
        );
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert_eq!(problem["detail"], format!("{field}: {message}"));
        for jargon in ["u32", "invalid type", "column", "struct", "`"] {
            assert!(!message.contains(jargon), "{message}");
        }
    }
    world.seen.nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_what_they_say() {
    let world = World::start(false).await;
    let contacts = own("/contacts");
    let good = r#"{"name":"a","phone_number":"+1"}"#;
    for (kind, body, status) in [
        ("application/json", good, 201),
        ("application/json; charset=UTF-8", good, 201),
        ("application/merge-patch+json", good, 201),
        ("application/json; charset=latin1", good, 415),
        ("text/plain", good, 415),
        ("application/x-www-form-urlencoded", "name=a", 415),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("nonsense", good, 415),
        ("text/plain", "", 400),
        ("application/json", "{", 400),
        ("application/json", " ", 400),
        ("application/json", "[]", 400),
        ("application/json", "{} {}", 400),
    ] {
        let answer = send(&world, Method::POST, &contacts, kind, body).await;
        assert_eq!(answer.status, status, "{kind} {body}: {}", answer.body);
    }
    let untyped = world.ada.request(Method::POST, &contacts).body(good).send().await.unwrap();
    assert_eq!(untyped.status(), 415);
    let zipped = world.ada.request(Method::POST, &contacts).header("content-encoding", "gzip").json(&json!({}));
    assert_eq!(zipped.send().await.unwrap().status(), 415);

    let problem = send(&world, Method::POST, &contacts, "application/json", "{\n  \"name\": oops }").await.expect(400);
    assert_eq!(problem["detail"], "the body is not valid JSON: expected value at line 2 column 11");
    let deep = format!("{{\"metadata\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let problem = send(&world, Method::POST, &contacts, "application/json", deep).await.expect(400);
    assert!(problem["detail"].as_str().unwrap().contains("recursion limit exceeded"), "{problem}");
    let problem = send(&world, Method::GET, &contacts, "application/json", "{}").await.expect(400);
    assert_eq!(problem["detail"], "this route takes no body");
    let many = vec!["tag=a"; 1_001].join("&");
    world.ada.get(&format!("{contacts}?{many}")).await.expect(400);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_a_limit() {
    let limits = Limits { body: 64 * 1024, ..Limits::default() };
    let world = World::start_with(Setup { limits, ..Setup::default() }).await;
    let contact = |filler: usize| json!({"name": "a", "phone_number": "+1", "metadata": {"a": "x".repeat(filler)}});
    let exactly = 64 * 1024 - contact(0).to_string().len();
    let streamed = |body: Value| {
        let pieces: Vec<_> = body.to_string().into_bytes().chunks(1_000).map(Bytes::copy_from_slice).collect();
        Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)))
    };
    for (filler, status) in [(exactly, 400), (exactly + 1, 413)] {
        // A value of that length is too long for the field, but it was read.
        let whole =
            send(&world, Method::POST, &own("/contacts"), "application/json", contact(filler).to_string()).await;
        assert_eq!(whole.status, status, "{filler}");
        let chunked =
            send(&world, Method::POST, &own("/contacts"), "application/json", streamed(contact(filler))).await;
        assert_eq!(chunked.status, status, "{filler}");
        if status == 413 {
            assert_eq!(chunked.header("content-type"), "application/problem+json");
            assert_eq!(
                (&chunked.body["code"], &chunked.body["detail"]),
                (&json!("payload_too_large"), &json!("the body is larger than 65536 bytes"))
            );
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_and_verbs() {
    let world = World::start(false).await;
    for path in [
        "//nope",
        "/nope",
        "//api",
        "//api/v1/me/",
        "//api/v1//me",
        "//metrics",
        "//docs/../Cargo.toml",
        "//docs/nope.js",
    ] {
        let answer = world.ada.get(path).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{path}");
    }
    for (verb, path, allow) in [
        (Method::PUT, own("/contacts"), "GET, POST"),
        (Method::DELETE, own("/contacts"), "GET, POST"),
        (Method::GET, "/auth/login".to_owned(), "POST"),
        (Method::OPTIONS, "/me".to_owned(), "GET, PATCH"),
        (Method::POST, "//healthz".to_owned(), "GET, HEAD"),
        (Method::POST, "//docs".to_owned(), "GET, HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/me".to_owned(), "GET, PATCH"),
    ] {
        // No token is needed to learn that a verb is wrong: the document says so too.
        let answer = Answer::read(world.nobody.request(verb.clone(), &path).send().await.unwrap()).await.unwrap();
        let sorted = |list: &str| {
            let mut verbs: Vec<String> = list.split(", ").map(str::to_owned).collect();
            verbs.sort();
            verbs
        };
        assert_eq!((answer.status, sorted(answer.header("allow"))), (405, sorted(allow)), "{verb} {path}");
        assert_eq!(answer.body["code"], "method_not_allowed");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    world.end().await;
}
