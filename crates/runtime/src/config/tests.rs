#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::error::{ConfigError, Source};
use super::program::{Program, Service};
use super::settings::{LogFormat, Settings};
use super::table::{CONFIG_VARIABLE, SETTINGS};
use super::values::Environment;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    Settings::load(Program::Platform, None, &environment(pairs))
}

fn load_file(toml: &str, pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("callfairy.toml");
    std::fs::write(&path, toml).unwrap();
    Settings::load(Program::Platform, Some(&path), &environment(pairs))
}

fn described(settings: &Settings, variable: &str) -> (Option<String>, Source) {
    let found = settings.describe().iter().find(|d| d.variable == variable).unwrap();
    (found.value.clone(), found.source.clone())
}

#[test]
fn starts_with_nothing_given() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.http.addr.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.http.public_url.as_str(), "http://127.0.0.1:8080/");
    assert!(settings.http.cors_origins.is_empty());
    assert!(settings.data_dir.is_absolute() && settings.data_dir.ends_with("data"));
    let database = settings.database(Service::Tenancy).expose();
    assert_eq!(database, format!("sqlite:{}/tenancy.db", settings.data_dir.display()));
    assert!(settings.storage_url.starts_with("file:///") && settings.storage_url.ends_with("/data/files/"));
    assert_eq!(settings.endpoints.telephony.addr.to_string(), "127.0.0.1:7004");
    assert_eq!(settings.endpoints.get(Service::Telephony).url.as_str(), "http://127.0.0.1:7004/");
    assert_eq!(settings.calls.claim_lease, Duration::from_secs(30));
    assert!(settings.amqp_url.is_none() && settings.bland.api_key.is_none() && settings.ops_addr.is_none());
    assert!(settings.password_hashers >= 1);
    assert_eq!(settings.telemetry.log_format, LogFormat::Text);
    let sources: BTreeSet<_> = settings.describe().iter().map(|d| d.source.to_string()).collect();
    assert_eq!(sources, BTreeSet::from(["default".to_owned()]));
}

#[test]
fn every_row_is_read_and_named_once() {
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.variable).collect();
    let keys: BTreeSet<_> = SETTINGS.iter().map(super::Setting::key).collect();
    assert_eq!((names.len(), keys.len()), (SETTINGS.len(), SETTINGS.len()));
    assert!(SETTINGS.iter().all(|setting| !setting.description.is_empty()));
    // A row that nothing parses would take any value: no setting takes a line break, except free secrets.
    for setting in SETTINGS {
        let free = setting.secret && !setting.variable.ends_with("_URL") && !setting.variable.ends_with("_KEY");
        if free || ["BLAND_API_KEY", "CALLFAIRY_DATA_DIR"].contains(&setting.variable) {
            continue;
        }
        let error = load(&[(setting.variable, "\u{1}\n,\u{1}")]).expect_err(setting.variable);
        assert!(error.to_string().starts_with(setting.variable), "{error}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_is_expected() {
    let cases = [
        ("CALLFAIRY_HTTP_ADDR", "localhost", "an IP address with a port"),
        ("CALLFAIRY_HTTP_ADDR", "127.0.0.1:99999", "an IP address with a port"),
        ("CALLFAIRY_PUBLIC_URL", "ftp://example.com", "an http:// or https:// URL"),
        ("CALLFAIRY_PUBLIC_URL", "https://user:word@example.com", "without user name"),
        ("CALLFAIRY_CORS_ORIGINS", "https://a.example,*", "origins"),
        ("CALLFAIRY_CORS_ORIGINS", "https://a.example/", "origins"),
        ("CALLFAIRY_TRUSTED_PROXIES", "10.0.0.0/33", "networks"),
        ("CALLFAIRY_DATABASE_POOL_SIZE", "0", "a whole number from 1 to 1000"),
        ("CALLFAIRY_DATABASE_POOL_SIZE", "ten", "a whole number from 1 to 1000"),
        ("CALLFAIRY_CLAIM_LEASE_SECONDS", "1", "whole seconds from 5 to 600"),
        ("CALLFAIRY_SIMULATOR_SPEED", "0", "a number above 0"),
        ("CALLFAIRY_SIMULATOR_SPEED", "NaN", "a number above 0"),
        ("CALLFAIRY_QUEUE_PREFIX", "A b", "a-z, 0-9"),
        ("CALLFAIRY_STORAGE_URL", "file://relative/directory", "file:///"),
        ("CALLFAIRY_STORAGE_URL", "gs://bucket", "file:///"),
        ("CALLFAIRY_SUPERADMIN_EMAIL", "admin", "an e-mail address"),
        ("CALLFAIRY_LOG", "loud=very", "a level"),
        ("CALLFAIRY_LOG_FORMAT", "xml", "text or json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "an http:// or https:// URL"),
    ];
    for (variable, value, expected) in cases {
        let error = load(&[(variable, value)]).expect_err(variable).to_string();
        assert!(error.starts_with(&format!("{variable} (environment): expected ")), "{error}");
        assert!(error.contains(expected) && error.ends_with(&format!("but it is {value:?}")), "{error}");
    }
}

#[test]
fn a_bad_secret_is_named_but_not_shown() {
    let cases = [
        ("DATABASE_URL", "mysql://u:hunter2@db/x", "postgres://"),
        ("DATABASE_URL", "sqlite:hunter2.db", "postgres://"),
        ("CALLFAIRY_AUTH_DATABASE_URL", "mysql://u:hunter2@db/x", "sqlite:<file>"),
        ("AMQP_URL", "http://u:hunter2@mq", "amqp:// or amqps://"),
        ("CALLFAIRY_SMTP_URL", "hunter2", "smtp:// or smtps://"),
        ("CALLFAIRY_MASTER_KEY", "hunter2", "32 bytes in base64"),
        ("CALLFAIRY_MASTER_KEY", "aHVudGVyMg==", "32 bytes in base64"),
        ("CALLFAIRY_INTERNAL_KEY", "hunter2,hunter2", "32 bytes in base64"),
    ];
    for (variable, value, expected) in cases {
        let error = load(&[(variable, value)]).expect_err(variable);
        let (text, debug) = (error.to_string(), format!("{error:?}"));
        assert!(text.starts_with(variable) && text.contains(expected), "{text}");
        assert!(!text.contains("hunter2") && !debug.contains("hunter2"), "{text} {debug}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    for (name, nearest) in [
        ("CALLFAIRY_HTTP_ADR", "CALLFAIRY_HTTP_ADDR"),
        ("CALLFAIRY_MASTERKEY_FILE", "CALLFAIRY_MASTER_KEY_FILE"),
        ("CALLFAIRY_DATABASE_URL", "DATABASE_URL"),
        ("CALLFAIRY_BLAND_API_KEY_FILE", "BLAND_API_KEY_FILE"),
        ("CALLFAIRY_CONFIGURATION", "CALLFAIRY_CONFIG"),
        // Only secrets are read from files.
        ("CALLFAIRY_HTTP_ADDR_FILE", "CALLFAIRY_HTTP_ADDR"),
    ] {
        let error = load(&[(name, "x")]).expect_err(name).to_string();
        assert_eq!(error, format!("{name} (environment) is no setting; did you mean {nearest}?"));
    }
    let error = load_file("htp_addr = '127.0.0.1:1'", &[]).unwrap_err().to_string();
    assert!(error.starts_with("htp_addr (") && error.ends_with("did you mean http_addr?"), "{error}");
    let error = load_file("config = 'other.toml'", &[]).unwrap_err().to_string();
    assert!(error.starts_with("config ("), "{error}");
}

#[test]
fn other_peoples_variables_are_left_alone() {
    load(&[("PATH", "/bin"), ("CALLFAIRY_TEST_POSTGRES_URL", "x"), ("DATABASE_HOST", "x"), ("OTEL_BSP_X", "x")])
        .unwrap();
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_default() {
    let toml = "http_addr = '127.0.0.1:1000'\ndatabase_pool_size = 20\nsimulator_speed = 2.5\n\
                cors_origins = ['https://a.example', 'https://b.example']\namqp_url = 'amqp://file'";
    let settings = load_file(toml, &[("CALLFAIRY_HTTP_ADDR", "127.0.0.1:2000"), ("AMQP_URL", "")]).unwrap();
    assert_eq!(settings.http.addr.port(), 2_000);
    assert_eq!(settings.database_pool_size, 20);
    assert!((settings.simulator.speed - 2.5).abs() < f64::EPSILON);
    assert_eq!(settings.http.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.amqp_url.as_ref().unwrap().expose(), "amqp://file", "an empty value is none");
    assert_eq!(settings.calls.per_second, 10);

    assert_eq!(described(&settings, "CALLFAIRY_HTTP_ADDR"), (Some("127.0.0.1:2000".to_owned()), Source::Environment));
    let (value, source) = described(&settings, "CALLFAIRY_DATABASE_POOL_SIZE");
    assert!(value.as_deref() == Some("20") && source.to_string().ends_with("callfairy.toml"), "{source}");
    assert_eq!(described(&settings, "CALLFAIRY_CALLS_PER_SECOND"), (Some("10".to_owned()), Source::Default));
    assert_eq!(described(&settings, "CALLFAIRY_OPS_ADDR"), (None, Source::Default));
}

#[test]
fn a_bad_file_is_named_with_its_line_and_quotes_nothing() {
    let error = load_file("http_addr = '127.0.0.1:1'\nmaster_key = 'hunter2", &[]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("callfairy.toml, line 2: "), "{text}");
    assert!(!format!("{text} {error:?}").contains("hunter2"), "{error:?}");
    let text = load_file("[http]\naddr = '127.0.0.1:1'", &[]).unwrap_err().to_string();
    assert!(text.starts_with("http ("), "{text}");
    let text = load_file("http_addr = 'x'", &[]).unwrap_err().to_string();
    assert!(text.starts_with("CALLFAIRY_HTTP_ADDR (") && text.contains("callfairy.toml): expected"), "{text}");
}

#[test]
fn the_file_is_found_by_the_variable_and_must_exist() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.toml");
    let named = [(CONFIG_VARIABLE, path.to_str().unwrap())];
    let error = load(&named).unwrap_err().to_string();
    assert!(error.starts_with(CONFIG_VARIABLE) && error.contains("a.toml"), "{error}");
    std::fs::write(&path, "sweep_seconds = 7").unwrap();
    assert_eq!(load(&named).unwrap().calls.sweep, Duration::from_secs(7));

    let other = directory.path().join("b.toml");
    std::fs::write(&other, "sweep_seconds = 8").unwrap();
    let settings = Settings::load(Program::Platform, Some(&other), &environment(&named)).unwrap();
    assert_eq!(settings.calls.sweep, Duration::from_secs(8), "the argument goes over the variable");
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "sk-1\r\n").unwrap();
    let file = path.to_str().unwrap();

    let settings = load(&[("BLAND_API_KEY_FILE", file)]).unwrap();
    assert_eq!(settings.bland.api_key.as_ref().unwrap().expose(), "sk-1");
    assert_eq!(described(&settings, "BLAND_API_KEY"), (Some("[secret]".to_owned()), Source::SecretFile(path.clone())));

    let settings = load_file(&format!("bland_api_key_file = '{file}'"), &[]).unwrap();
    assert_eq!(settings.bland.api_key.as_ref().unwrap().expose(), "sk-1");
    let settings = load_file(&format!("bland_api_key_file = '{file}'"), &[("BLAND_API_KEY", "sk-2")]).unwrap();
    assert_eq!(settings.bland.api_key.as_ref().unwrap().expose(), "sk-2");

    let error = load(&[("BLAND_API_KEY", "sk-2"), ("BLAND_API_KEY_FILE", file)]).unwrap_err();
    assert!(matches!(&error, ConfigError::BothGiven { name, .. } if name == "BLAND_API_KEY"), "{error}");
    let error = load(&[("BLAND_API_KEY_FILE", "/absent")]).unwrap_err().to_string();
    assert!(error.starts_with("BLAND_API_KEY_FILE: cannot read /absent"), "{error}");
    std::fs::write(&path, "\n").unwrap();
    let error = load(&[("BLAND_API_KEY_FILE", file)]).unwrap_err().to_string();
    assert!(error.starts_with("BLAND_API_KEY_FILE") && error.ends_with("which is empty"), "{error}");
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let settings = load(&[
        ("DATABASE_URL", "postgres://fairy:hunter2@db:5433/calls?password=hunter2"),
        ("AMQP_URL", "amqp://guest:hunter2@mq/%2f"),
        ("CALLFAIRY_SMTP_URL", "smtps://fairy:hunter2@mail"),
        ("BLAND_API_KEY", "hunter2"),
        ("BLAND_WEBHOOK_SECRET", "hunter2"),
        ("CALLFAIRY_SUPERADMIN_PASSWORD", "hunter2"),
        ("CALLFAIRY_MASTER_KEY", KEY),
        ("CALLFAIRY_INTERNAL_KEY", KEY),
    ])
    .unwrap();
    for secret in [&settings.bland.api_key, &settings.bland.webhook_secret, &settings.superadmin.password] {
        assert_eq!(secret.as_ref().unwrap().expose(), "hunter2");
    }
    let shown = format!("{settings:?} {:#?}", settings.describe());
    assert!(!shown.contains("hunter2") && !shown.contains("AAAA"), "{shown}");
    let database = Some("postgres://[secret]@db:5433/calls".to_owned());
    assert_eq!(described(&settings, "DATABASE_URL").0, database);
    assert_eq!(described(&settings, "CALLFAIRY_AGENT_DATABASE_URL").0, database, "what is used is shown");
    assert_eq!(described(&settings, "AMQP_URL").0.as_deref(), Some("amqp://[secret]@mq/%2f"));
    assert_eq!(described(&settings, "CALLFAIRY_MASTER_KEY").0.as_deref(), Some("[secret]"));
}

#[test]
fn a_service_may_have_its_own_database_and_address() {
    let settings = load(&[
        ("DATABASE_URL", "postgres://db/all"),
        ("CALLFAIRY_AUTH_DATABASE_URL", "sqlite:/var/lib/auth.db"),
        ("CALLFAIRY_AGENT_ADDR", "0.0.0.0:9003"),
        ("CALLFAIRY_AUTH_URL", "https://auth.internal"),
        ("CALLFAIRY_HTTP_ADDR", "127.0.0.1:9000"),
    ])
    .unwrap();
    assert_eq!(settings.database(Service::Auth).expose(), "sqlite:/var/lib/auth.db");
    assert_eq!(settings.database(Service::Telephony).expose(), "postgres://db/all");
    assert_eq!(settings.endpoints.agent.url.as_str(), "http://127.0.0.1:9003/");
    assert_eq!(settings.endpoints.auth.url.as_str(), "https://auth.internal/");
    assert_eq!(settings.http.public_url.as_str(), "http://127.0.0.1:9000/");
}

#[test]
fn programs_that_run_apart_demand_what_they_share() {
    let mut given = vec![];
    for (name, value) in [("AMQP_URL", "amqp://mq"), ("CALLFAIRY_MASTER_KEY", KEY), ("CALLFAIRY_INTERNAL_KEY", KEY)] {
        let error = Settings::load(Program::Auth, None, &environment(&given)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} is required: ")), "{error}");
        given.push((name, value));
    }
    Settings::load(Program::Auth, None, &environment(&given)).unwrap();
    given.remove(1);
    Settings::load(Program::Worker, None, &environment(&given)).expect("the worker encrypts nothing");
}

#[test]
fn loading_writes_nothing() {
    let directory = TempDir::new().unwrap();
    let data: PathBuf = directory.path().join("data");
    let settings = load(&[("CALLFAIRY_DATA_DIR", data.to_str().unwrap())]).unwrap();
    assert_eq!(settings.data_dir, data);
    assert!(!data.exists());
}
