//! Nothing of the contract is missing: every RPC with a route is mounted and documented, and nothing else is.

use crate::world::{World, unknown};
use proto::{Access, Route, Rpc, Visit};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Default)]
struct Contract(Vec<(Route, Access)>);

impl Contract {
    fn add<R: Rpc>(&mut self) {
        self.0.extend(R::ROUTE.map(|route| (route, R::ACCESS)));
    }

    fn read() -> Vec<(Route, Access)> {
        let mut contract = Self::default();
        proto::each_rpc(&mut contract);
        assert!(contract.0.len() > 30);
        contract.0
    }
}

impl Visit for Contract {
    fn unary<R: Rpc>(&mut self) {
        self.add::<R>();
    }
    fn server_streaming<R: Rpc>(&mut self) {
        self.add::<R>();
    }
    fn client_streaming<R: Rpc>(&mut self) {
        self.add::<R>();
    }
}

/// The names in braces.
fn placeholders(path: &str) -> BTreeSet<String> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_mounted() {
    let world = World::start(false).await;
    for (route, access) in Contract::read() {
        let filled = placeholders(route.path)
            .iter()
            .fold(route.path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), &unknown()));
        let verb: Method = route.verb.parse().unwrap();
        let status = world.nobody.request(verb, &format!("/{filled}")).send().await.unwrap().status().as_u16();
        match access {
            Access::Public => assert!(![401, 404, 405].contains(&status), "{} {}: {status}", route.verb, route.path),
            _ => assert_eq!(status, 401, "{} {}", route.verb, route.path),
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_documented_and_nothing_else() {
    let world = World::start(false).await;
    let document = world.nobody.get("//openapi.json").await.expect(200);
    world.end().await;
    let mut operations = operations(&document);
    for (route, access) in Contract::read() {
        let key = (route.path.to_owned(), route.verb.to_lowercase());
        let Some(place) = operations.iter().position(|(path, verb, _)| (path, verb) == (&key.0, &key.1)) else {
            panic!("{key:?} is not documented")
        };
        let (_, _, operation) = operations.swap_remove(place);
        assert!(operation["responses"].get(route.status.to_string()).is_some(), "{key:?}");
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), access == Access::Public, "{key:?}");
    }
    assert!(operations.is_empty(), "{operations:?}");
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(verb, operation)| (path.clone(), verb.clone(), operation.clone()))
    });
    all.collect()
}

/// What the OpenAPI 3.1 specification demands of the parts that the document uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_valid() {
    let world = World::start(false).await;
    let document = world.nobody.get("//openapi.json").await.expect(200);
    world.end().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let known = ["openapi", "info", "servers", "paths", "components", "tags"];
    assert!(document.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())));

    let mut ids = BTreeSet::new();
    for (path, verb, operation) in operations(&document) {
        let at = format!("{verb} {path}");
        assert!(path.starts_with('/') && ["get", "put", "post", "patch", "delete"].contains(&verb.as_str()), "{at}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}: its id is taken");
        let mut names = BTreeSet::new();
        for parameter in operation["parameters"].as_array().unwrap() {
            let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            assert!(["path", "query", "header"].contains(&place), "{at} {name}");
            assert!(parameter["schema"].is_object(), "{at} {name}");
            assert!(place != "path" || parameter["required"] == true, "{at} {name}");
            assert!(names.insert((place.to_owned(), name.to_owned())), "{at} {name} twice");
        }
        let in_path = names.into_iter().filter(|(place, _)| place == "path").map(|(_, name)| name).collect();
        assert_eq!(placeholders(&path), in_path, "{at}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty(), "{at}");
        for (status, response) in responses {
            assert!(status == "default" || status.parse::<u16>().is_ok_and(|s| (100..600).contains(&s)), "{at}");
            assert!(response["description"].is_string(), "{at} {status}");
        }
        if let Some(body) = operation.get("requestBody") {
            assert!(body["content"].as_object().is_some_and(|content| !content.is_empty()), "{at}");
        }
        for requirement in operation["security"].as_array().unwrap() {
            for scheme in requirement.as_object().unwrap().keys() {
                assert!(document["components"]["securitySchemes"].get(scheme).is_some(), "{at}: {scheme}");
            }
        }
    }
    let count = references(&document, &document);
    assert!(count > 100, "{count}");
}

/// Every `$ref` leads somewhere; answers how many there are.
fn references(document: &Value, part: &Value) -> usize {
    match part {
        Value::Object(object) => {
            let own = object.get("$ref").map_or(0, |target| {
                let pointer = target.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some_and(Value::is_object), "{target} leads nowhere");
                1
            });
            own + object.values().map(|part| references(document, part)).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(|part| references(document, part)).sum(),
        _ => 0,
    }
}
