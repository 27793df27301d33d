//! The document and the page that shows it.

use crate::world::{Setup, World};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_needs_nobody_else() {
    let world = World::start(false).await;
    let root = world.nobody.get("//").await;
    assert_eq!((root.status, root.header("location")), (302, "docs"));
    let answer = world.nobody.get("//docs").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy").to_owned();
    assert!(
        policy.contains("script-src 'self';") && !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    let page = answer.expect(200).as_str().unwrap().to_owned();
    assert!(!page.contains("//"), "nothing from elsewhere");
    assert!(
        !page.contains("<style") && !page.contains("style=") && !page.contains("<script>") && !page.contains(" on"),
        "{page}"
    );

    let named = |attribute: &str| {
        let opening = format!("{attribute}=\"");
        let values = page.split(&opening).skip(1).filter_map(|rest| rest.split('"').next());
        values.filter(|value| !value.starts_with("data:")).map(str::to_owned).collect::<Vec<_>>()
    };
    let files: BTreeSet<String> = named("src").into_iter().chain(named("href")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let answer = world.nobody.get(&format!("//{file}")).await;
        let kind = if file.contains("js") { "text/javascript" } else { "text/css" };
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{file}");
        let content = answer.body.as_str().unwrap().to_owned();
        if !file.contains("swagger-ui") {
            assert!(!content.contains("http"), "{file}");
        }
        if file.contains("bundle") {
            assert!(content.len() > 1_000_000 && content.contains("SwaggerUIBundle"));
        }
    }
    let initializer = world.nobody.get("//docs/initializer.js").await.expect(200);
    assert!(initializer.as_str().unwrap().contains("url: \"openapi.json\""));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_says_where_the_api_is() {
    let public_url = "https://calls.example.com/";
    let world = World::start_with(Setup { public_url, ..Setup::default() }).await;
    let answer = world.nobody.get("//openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.expect(200);
    assert_eq!(document["servers"], json!([{"url": "https://calls.example.com"}]));
    assert_eq!(document["openapi"], "3.1.0");
    world.end().await;
}
