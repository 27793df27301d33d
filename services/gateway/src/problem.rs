//! Failures as HTTP tells them: RFC 9457 bodies, and the one mapping from error codes to statuses.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use callfairy_core::{ErrorCode, FieldError, Problem};
use serde::Serialize;
use std::fmt;

pub const CONTENT_TYPE: &str = "application/problem+json";

/// Why a handler gave no answer. [`crate::edge`] writes the body, since only it knows the request's id.
#[derive(Debug)]
pub struct Failure {
    pub problem: Problem,
    /// The verbs that the path has, with [`ErrorCode::MethodNotAllowed`].
    allow: Option<String>,
}

impl Failure {
    /// `allow` lists the verbs that the path has.
    pub fn method_not_allowed(allow: String) -> Self {
        let problem = Problem::new(ErrorCode::MethodNotAllowed, format!("this path takes {allow}"));
        Self { problem, allow: Some(allow) }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, allow: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        status(self.problem.code)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Some(wait) = self.problem.retry_after {
            let begun = u64::from(wait.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, wait.as_secs().saturating_add(begun).max(1)));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.finish()
    }
}

/// The HTTP status of each code.
pub fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated | ErrorCode::InvalidCredentials | ErrorCode::TotpRequired => {
            StatusCode::UNAUTHORIZED
        }
        ErrorCode::PermissionDenied | ErrorCode::PermissionNotGrantable => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict | ErrorCode::IdempotencyKeyReused => StatusCode::CONFLICT,
        ErrorCode::Gone => StatusCode::GONE,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a refusal of the HTTP library itself says, such as that of a preflight.
pub fn of_status(status: StatusCode, detail: impl fmt::Display) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ErrorCode::PayloadTooLarge, "the body is too large"),
        status if status.is_client_error() => Problem::new(ErrorCode::InvalidArgument, detail.to_string()),
        _ => Problem::internal(),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    instance: String,
    code: ErrorCode,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// The problem as JSON. Two problems that are alike differ in the ids alone.
pub fn body(problem: &Problem, request_id: &str, trace_id: Option<String>) -> Vec<u8> {
    let body = Body {
        kind: format!("urn:callfairy:problem:{}", problem.code),
        title: title(problem.code),
        status: status(problem.code).as_u16(),
        detail: &problem.detail,
        instance: format!("urn:request:{request_id}"),
        code: problem.code,
        errors: &problem.fields,
        permission: problem.permission.as_deref(),
        trace_id,
    };
    // Nothing in it can fail to be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The code in words: `Not found`.
fn title(code: ErrorCode) -> String {
    let words = code.as_str().replace('_', " ");
    let (first, rest) = words.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_code_is_a_failure_with_its_own_type() {
        let mut kinds = std::collections::HashSet::new();
        for code in ErrorCode::ALL {
            assert!(status(*code).is_client_error() || status(*code).is_server_error(), "{code}");
            let body = body(&Problem::new(*code, "why"), "r1", None);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["status"], status(*code).as_u16());
            assert_eq!(body["code"], code.as_str());
            assert!(kinds.insert(body["type"].to_string()), "{code}");
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_suffice() {
        for (wait, told) in [(0, "1"), (1, "1"), (999, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let mut problem = Problem::new(ErrorCode::TooManyRequests, "slow down");
            problem.retry_after = Some(Duration::from_millis(wait));
            let response = Failure::from(problem).error_response();
            assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), told, "{wait} ms");
        }
    }
}
