//! Logs and traces.

use crate::world::{World, own, unknown};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Method;
use serde_json::json;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use testkit::Answer;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

/// What the whole process has logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static SUBSCRIBER: LazyLock<()> = LazyLock::new(|| {
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let logs = tracing_subscriber::fmt::layer().json().with_writer(|| Log).with_filter(LevelFilter::INFO);
    let traces = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(LevelFilter::INFO);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(logs).with(traces)).unwrap();
});

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines that name this.
fn lines(name: &str) -> Vec<serde_json::Value> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains(name)).map(|line| serde_json::from_str(line).unwrap()).collect()
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on() {
    LazyLock::force(&SUBSCRIBER);
    for over_tcp in [false, true] {
        let world = World::start(over_tcp).await;
        let request = world
            .ada
            .request(Method::GET, &own("/contacts"))
            .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
            .header("tracestate", "vendor=1");
        assert_eq!(request.send().await.unwrap().status(), 200);
        let heard = world.seen.one();
        let parent = &heard.trace["traceparent"];
        assert!(parent.starts_with(&format!("00-{TRACE}-")) && !parent.contains("b7ad6b7169203331"), "{parent}");
        assert_eq!(heard.trace["tracestate"], "vendor=1");

        let failed =
            world.ada.request(Method::GET, "/nope").header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
        let problem = Answer::read(failed.send().await.unwrap()).await.unwrap();
        assert_eq!(problem.body["trace_id"], TRACE);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_the_route_and_no_secret() {
    LazyLock::force(&SUBSCRIBER);
    let world = World::start(false).await;
    let id = unknown();
    for (verb, path, route, status, code) in [
        (
            Method::GET,
            own(&format!("/contacts/{id}?secret=1")),
            "/api/v1/organisations/{organisation_id}/contacts/{id}",
            400,
            "invalid_argument",
        ),
        (Method::POST, format!("/webhooks/bland/{id}"), "/api/v1/webhooks/bland/{token}", 200, ""),
        (Method::GET, format!("/reset?token={id}"), "unmatched", 404, "not_found"),
        (Method::DELETE, format!("/webhooks/bland/{id}"), "/api/v1/webhooks/bland/{token}", 405, "method_not_allowed"),
    ] {
        let request_id = unknown();
        let request = world.ada.request(verb.clone(), &path).header("x-request-id", &request_id);
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
        let lines: Vec<_> =
            lines(&request_id).into_iter().filter(|line| line["fields"]["message"] == "answered").collect();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let fields = &line["fields"];
        assert_eq!((&fields["method"], &fields["route"]), (&json!(verb.as_str()), &json!(route)));
        assert_eq!((&fields["status"], fields["code"].as_str().unwrap_or_default()), (&json!(status), code));
        assert!(fields["milliseconds"].is_f64());
    }
    let token = world.ada.token().unwrap().to_owned();
    world.end().await;
    assert!(lines(&id).is_empty(), "{:?}", lines(&id));
    assert!(lines(&token).is_empty());
}
