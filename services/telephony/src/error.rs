//! What goes wrong in telephony, and what the outside reads of it.

use callfairy_core::Problem;
use db::diesel;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Db(#[from] db::Error),
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    /// What the caller is told as it stands.
    #[error("{0}")]
    Problem(Problem),
}

pub type Result<T> = std::result::Result<T, Error>;

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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Db(error) => error.into(),
            Error::Storage(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the object store failed");
                Self::unavailable("the file storage")
            }
            Error::Problem(problem) => problem,
        }
    }
}
