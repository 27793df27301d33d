//! What can go wrong with storage.

use crate::BoxError;
use callfairy_core::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The configured URL cannot be used; the text says why.
    #[error("the storage URL {0}")]
    Url(String),
    #[error("{key:?} is no storage key")]
    Key { key: String },
    #[error("nothing is stored under {key}")]
    NotFound { key: String },
    #[error("the content is longer than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the range holds nothing of the {size} bytes")]
    OutOfRange { size: u64 },
    /// Whoever gave the content did not give all of it.
    #[error("the content broke off")]
    Content(#[source] BoxError),
    #[error("the object store failed at {key}")]
    Backend { key: String, source: Box<object_store::Error> },
}

impl StorageError {
    /// The code under which a caller is told of it.
    pub fn code(&self) -> ErrorCode {
        match self {
            // Keys and URLs are not made by callers.
            Self::Url(_) | Self::Key { .. } => ErrorCode::Internal,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::OutOfRange { .. } | Self::Content(_) => ErrorCode::InvalidArgument,
            Self::Backend { .. } => ErrorCode::Unavailable,
        }
    }

    pub(crate) fn of(key: &str) -> impl Fn(object_store::Error) -> Self + Send + use<> {
        let key = key.to_owned();
        move |error| match error {
            object_store::Error::NotFound { .. } => Self::NotFound { key: key.clone() },
            error => Self::Backend { key: key.clone(), source: Box::new(error) },
        }
    }
}
