//! What a worker of its own needs to be told.

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
