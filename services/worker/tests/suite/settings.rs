//! What a worker of its own needs to be told.

use crate::world::{Setting, World};
use runtime::config::Environment;
use runtime::{Program, Settings};

fn settings(more: &[(&str, &str)]) -> Settings {
    let mut environment = Environment::new();
    let always =
        [("AMQP_URL", "amqp://localhost"), ("CALLFAIRY_INTERNAL_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")];
    for (name, value) in always.iter().chain(more) {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    Settings::load(Program::Worker, None, &environment).unwrap()
}

#[test]
fn an_absent_key_is_named() {
    let error = worker::account(&settings(&[])).unwrap_err().to_string();
    assert!(error.starts_with("BLAND_API_KEY is required"), "{error}");
}

#[test]
fn the_platforms_account() {
    let account =
        worker::account(&settings(&[("BLAND_API_KEY", "sesame"), ("BLAND_BASE_URL", "http://127.0.0.1:9")])).unwrap();
    assert_eq!((account.api_key.expose(), account.base_url.as_str()), ("sesame", "http://127.0.0.1:9/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_when_it_is_ready() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut world = World::with(Setting { ops_addr: Some(free), ..Setting::default() }).await;
    let client = voice::http::client(voice::http::Timeouts::default()).unwrap();
    let url = format!("http://{free}/readyz");
    World::until("it is ready", async || client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200))
        .await;
    world.stop().await;
    assert!(client.get(&url).send().await.is_err());
}
