//! What can go wrong, as the outside reads it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Every failure that a caller can be told of. Closed: a new one is added here, and only here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A field is missing, malformed, too long or out of range; `Problem::fields` names it.
    InvalidArgument,
    /// No token, or one that is not valid.
    Unauthenticated,
    /// Unknown address, wrong password, unverified or deactivated account: never told apart.
    InvalidCredentials,
    /// The password is right; the account asks for a code of its authenticator app as well.
    TotpRequired,
    /// Signed in, but not allowed; `Problem::permission` names what is missing.
    PermissionDenied,
    /// The permission belongs to superadmins alone and cannot be granted.
    PermissionNotGrantable,
    /// Unknown, or of an organisation that the caller has no access to.
    NotFound,
    /// Such a thing exists already, or it is in a state that does not allow this.
    Conflict,
    /// The idempotency key was used before with another request.
    IdempotencyKeyReused,
    /// It existed and was used up, such as a single-use token.
    Gone,
    /// The body is larger than the route's limit.
    PayloadTooLarge,
    /// The body is not of a type that the route reads.
    UnsupportedMediaType,
    /// The path exists, the verb does not.
    MethodNotAllowed,
    /// Too many requests; `Problem::retry_after` says when to come again.
    TooManyRequests,
    /// Something this depends on is out of reach; try again later.
    Unavailable,
    /// The request's time ran out.
    DeadlineExceeded,
    /// The service does not have this method (an older version, or a wrong address).
    Unimplemented,
    /// A defect of ours. The cause is in the log, never in the answer.
    Internal,
}

impl ErrorCode {
    pub const ALL: &'static [Self] = &[
        Self::InvalidArgument,
        Self::Unauthenticated,
        Self::InvalidCredentials,
        Self::TotpRequired,
        Self::PermissionDenied,
        Self::PermissionNotGrantable,
        Self::NotFound,
        Self::Conflict,
        Self::IdempotencyKeyReused,
        Self::Gone,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::MethodNotAllowed,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::Unimplemented,
        Self::Internal,
    ];

    /// The code as it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TotpRequired => "totp_required",
            Self::PermissionDenied => "permission_denied",
            Self::PermissionNotGrantable => "permission_not_grantable",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Gone => "gone",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One bad field of a request, by its path as the caller wrote it: `contacts[3].phone_number`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// A failure as the outside may read it: no SQL, no stack, no secret. The cause, if there is one, is
/// logged where the `Problem` is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: ErrorCode,
    pub detail: String,
    pub fields: Vec<FieldError>,
    /// The key of the missing permission, with [`ErrorCode::PermissionDenied`].
    pub permission: Option<String>,
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), permission: None, retry_after: None }
    }

    /// One bad field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// Several bad fields.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            several => format!("{} fields are not valid", several.len()),
        };
        Self { fields, ..Self::new(ErrorCode::InvalidArgument, detail) }
    }

    /// The one answer for everything that does not exist for this caller.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "there is no such thing here")
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, detail)
    }

    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unauthenticated, detail)
    }

    /// `permission` is the key of what the caller lacks.
    pub fn permission_denied(permission: &str) -> Self {
        Self {
            permission: Some(permission.to_owned()),
            ..Self::new(ErrorCode::PermissionDenied, format!("this needs the permission {permission}"))
        }
    }

    /// A dependency is out of reach: `what` names it in the caller's words.
    pub fn unavailable(what: &str) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(ErrorCode::Unavailable, format!("{what} is out of reach at the moment"))
        }
    }

    /// A defect: the answer says nothing of it. Log the cause before.
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "something went wrong on our side")
    }

    /// Whether the same request may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, ErrorCode::Unavailable | ErrorCode::DeadlineExceeded | ErrorCode::TooManyRequests)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_as_it_is_written() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(*code));
            assert_eq!(serde_json::to_string(code).ok(), Some(format!("\"{code}\"")));
        }
        assert_eq!(ErrorCode::parse("nope"), None);
    }

    #[test]
    fn one_bad_field_is_named_in_the_detail() {
        let problem = Problem::field("name", "is required");
        assert_eq!(problem.detail, "name: is required");
        assert_eq!(problem.code, ErrorCode::InvalidArgument);
    }
}
