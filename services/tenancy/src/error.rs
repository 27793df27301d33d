//! What goes wrong in tenancy, and what the outside reads of it.

use callfairy_core::Problem;
use runtime::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Db(#[from] db::Error),
    /// What the caller is told as it stands.
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Db(error) => error.into(),
            Error::Problem(problem) => problem,
            Error::Vault(_) | Error::Randomness(_) => {
                tracing::error!(%error, "cannot answer");
                Self::internal()
            }
        }
    }
}
