//! What goes wrong in auth, and what the outside reads of it.

use callfairy_core::Problem;
use std::time::Duration;

/// When to come again if all hashers are busy.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Db(#[from] db::Error),
    /// What the caller is told as it stands.
    #[error("{0}")]
    Problem(Problem),
    /// No hasher became free in time.
    #[error("too many passwords are being checked")]
    Busy,
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// None of the master keys decrypts it. `0` says what.
    #[error("{0} cannot be decrypted: is the master key the one that encrypted it, or listed behind the new one?")]
    Undecryptable(&'static str),
    /// The setting cannot be used.
    #[error("{name}: {why}")]
    Setting { name: &'static str, why: String },
    /// What should not be possible; the text is for the log.
    #[error("{0}")]
    Defect(String),
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Logs the cause once, here, since the answer says nothing of it.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Db(error) => error.into(),
            Error::Problem(problem) => problem,
            Error::Busy => Self { retry_after: Some(BUSY_RETRY_AFTER), ..Self::unavailable("signing in") },
            Error::Randomness(_) | Error::Undecryptable(_) | Error::Setting { .. } | Error::Defect(_) => {
                tracing::error!(%error, "cannot answer");
                Self::internal()
            }
        }
    }
}
