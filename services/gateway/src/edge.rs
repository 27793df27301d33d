//! What every request passes on its way in and every answer on its way out: the request's id, the trace, the access
//! log, the headers that protect browsers, and the body of a failure.

use crate::gateway::Gateway;
use crate::problem::{self, Failure};
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use callfairy_core::Id;
use runtime::telemetry;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;
use tracing::{Instrument, Span, field};

/// Characters of a request's id that came from outside.
const MAX_REQUEST_ID: usize = 128;
/// Characters of a trace header: the W3C's own bound for `tracestate`.
const MAX_TRACE: usize = 512;
/// What stands for the route of a request that no route takes: the path itself may hold ids and tokens.
const UNMATCHED: &str = "unmatched";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// For answers that do not say otherwise.
const PROTECTION: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
/// Browsers that came by TLS once come by nothing else for a year.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The name of one request in logs, traces and answers.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The client's, if it can stand in a log as it is; else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let fits = |id: &&str| {
            let known = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
            !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(known)
        };
        Self(sent.filter(fits).map_or_else(|| Id::<Self>::new().to_string(), str::to_owned))
    }

    /// The id that the edge gave the request.
    pub fn get(request: &HttpRequest) -> String {
        request.extensions().get::<Self>().map(|id| id.0.clone()).unwrap_or_default()
    }
}

/// The contract's path that took a request.
#[derive(Debug, Clone, Copy)]
pub struct Matched(pub &'static str);

/// The outermost middleware.
pub async fn pass(
    gateway: web::Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = field::Empty,
        http.request.method = %method,
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        request_id = %id.0,
    );
    telemetry::set_parent(&span, &trace_headers(request.headers()));
    request.extensions_mut().insert(id.clone());

    let response = next.call(request).instrument(span.clone()).await?.map_into_boxed_body();

    span.in_scope(|| {
        let (response, code) = finish(response, &gateway, &id.0);
        let route = matched(response.request());
        let status = response.status().as_u16();
        let span = Span::current();
        span.record("otel.name", format!("{method} {route}"));
        span.record("http.route", &*route);
        span.record("http.response.status_code", status);
        let milliseconds = started.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(%method, %route, status, code, milliseconds, request_id = id.0, "answered");
        Ok(response)
    })
}

/// Adds what all answers have in common, and writes the body of a failure, whose code it returns.
fn finish(response: ServiceResponse, gateway: &Gateway, id: &str) -> (ServiceResponse, Option<&'static str>) {
    let failure = response.response().error().map(|error| match error.as_error::<Failure>() {
        Some(failure) => failure.problem.clone(),
        None => problem::of_status(response.status(), error),
    });
    let code = failure.as_ref().map(|problem| problem.code.as_str());
    let mut response = match failure {
        Some(problem) => response.map_body(|head, _| {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
            BoxBody::new(problem::body(&problem, id, telemetry::trace_id()))
        }),
        None => response,
    };
    let response_headers = response.headers_mut();
    for (name, value) in PROTECTION {
        if !response_headers.contains_key(&name) {
            response_headers.insert(name, value);
        }
    }
    if gateway.is_behind_tls {
        response_headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        response_headers.insert(REQUEST_ID, id);
    }
    (response, code)
}

/// W3C trace context as it came, by lower-case names.
fn trace_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= MAX_TRACE).then(|| (name.to_owned(), value.to_owned()))
    };
    TRACE.iter().filter_map(|name| text(name)).collect()
}

/// The path of the contract, or of a page, that took the request.
fn matched(request: &HttpRequest) -> Cow<'static, str> {
    match request.extensions().get::<Matched>() {
        Some(Matched(path)) => Cow::Borrowed(path),
        None => request.match_pattern().map_or(UNMATCHED.into(), Cow::Owned),
    }
}
