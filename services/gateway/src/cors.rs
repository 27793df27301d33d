//! Browsers' requests from other origins: those on the list, and no others.

use actix_cors::Cors;
use actix_web::middleware::Condition;

/// Seconds that a browser may remember a preflight.
const MAX_AGE: usize = 3_600;

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const SENT: [&str; 8] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-request-id",
];
const SHOWN: [&str; 4] = ["content-disposition", "etag", "retry-after", "x-request-id"];

/// Without origins there are no headers at all. Credentials are bearer tokens, never cookies, so none are allowed for.
pub fn middleware(origins: &[String]) -> Condition<Cors> {
    let cors = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    let cors = cors.allowed_methods(VERBS).allowed_headers(SENT).expose_headers(SHOWN).max_age(MAX_AGE);
    Condition::new(!origins.is_empty(), cors)
}
