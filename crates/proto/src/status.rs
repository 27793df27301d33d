//! The one mapping between problems and gRPC.

use crate::types;
use callfairy_core::{ErrorCode, FieldError, Problem};
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};

/// A problem as a gRPC status; its details travel along.
pub fn status(problem: &Problem) -> Status {
    let details = types::Problem {
        code: problem.code.as_str().to_owned(),
        detail: problem.detail.clone(),
        fields: problem
            .fields
            .iter()
            .map(|f| types::FieldError { field: f.field.clone(), message: f.message.clone() })
            .collect(),
        permission: problem.permission.clone().unwrap_or_default(),
        retry_after_seconds: problem.retry_after.map_or(0, |wait| wait.as_secs().max(1)),
    };
    Status::with_details(grpc_code(problem.code), &problem.detail, details.encode_to_vec().into())
}

/// What a gRPC status says, whoever sent it: ours with details, or the library's own without.
pub fn problem(status: &Status) -> Problem {
    if !status.details().is_empty()
        && let Ok(details) = types::Problem::decode(status.details())
        && let Some(code) = ErrorCode::parse(&details.code)
    {
        return Problem {
            code,
            detail: details.detail,
            fields: details.fields.into_iter().map(|f| FieldError { field: f.field, message: f.message }).collect(),
            permission: Some(details.permission).filter(|key| !key.is_empty()),
            retry_after: Some(Duration::from_secs(details.retry_after_seconds)).filter(|wait| !wait.is_zero()),
        };
    }
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => {
            Problem::new(ErrorCode::InvalidArgument, status.message())
        }
        Code::Unauthenticated => Problem::unauthenticated(status.message()),
        Code::PermissionDenied => Problem::new(ErrorCode::PermissionDenied, status.message()),
        Code::NotFound => Problem::not_found(),
        Code::AlreadyExists | Code::Aborted => Problem::conflict(status.message()),
        Code::ResourceExhausted => Problem::new(ErrorCode::TooManyRequests, status.message()),
        Code::Unavailable => Problem::unavailable("a service"),
        Code::Unimplemented => Problem::new(ErrorCode::Unimplemented, "this is not available here"),
        Code::DeadlineExceeded | Code::Cancelled => {
            Problem::new(ErrorCode::DeadlineExceeded, "the request's time ran out")
        }
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Problem::internal(),
    }
}

fn grpc_code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidArgument | ErrorCode::UnsupportedMediaType | ErrorCode::MethodNotAllowed => {
            Code::InvalidArgument
        }
        ErrorCode::Unauthenticated | ErrorCode::InvalidCredentials | ErrorCode::TotpRequired => Code::Unauthenticated,
        ErrorCode::PermissionDenied | ErrorCode::PermissionNotGrantable => Code::PermissionDenied,
        ErrorCode::NotFound | ErrorCode::Gone => Code::NotFound,
        ErrorCode::Conflict | ErrorCode::IdempotencyKeyReused => Code::Aborted,
        ErrorCode::PayloadTooLarge | ErrorCode::TooManyRequests => Code::ResourceExhausted,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorCode::Unimplemented => Code::Unimplemented,
        ErrorCode::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_arrives_as_it_left() {
        for code in ErrorCode::ALL {
            let mut sent = Problem::new(*code, "why");
            sent.permission = Some("view_calls".into());
            sent.retry_after = Some(Duration::from_secs(7));
            sent.fields = vec![FieldError { field: "name".into(), message: "is required".into() }];
            assert_eq!(problem(&status(&sent)), sent);
        }
    }

    #[test]
    fn a_foreign_status_tells_no_internals() {
        assert_eq!(problem(&Status::internal("SELECT * FROM users")), Problem::internal());
        assert_eq!(problem(&Status::unavailable("tcp connect error")).code, ErrorCode::Unavailable);
    }
}
