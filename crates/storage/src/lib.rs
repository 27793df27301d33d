//! The object store: uploads, error reports, recordings.
//!
//! Owns: where large content lies (a directory, or S3), and that nothing is seen under a key before it is whole
//! and durable. Refuses: who may read what, and content held whole in memory: it comes and goes in streams.
//!
//! To add a backend: a scheme in `open`, then run the tests of `tests/backends.rs` on it.

mod error;
mod key;
mod open;
mod upload;

pub use error::StorageError;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _};
use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

/// Any error of whoever gives the content.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An object store. Cheap to clone.
///
/// Keys are made by us, never by callers: at most 512 bytes of `a-z 0-9 _ . -`, in parts between slashes, none
/// of them empty or only dots. What exists under a key is replaced.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    pub sha256: [u8; 32],
}

/// What is read.
pub struct Object {
    /// The whole object's length in bytes.
    pub size: u64,
    /// Which bytes of it the stream holds.
    pub range: Range<u64>,
    pub stream: BoxStream<'static, Result<Bytes, StorageError>>,
}

impl Storage {
    /// Opens `file:///an/absolute/directory`, which is made if it is absent, or `s3://bucket/prefix` with the
    /// standard `AWS_` variables of the environment (`AWS_ENDPOINT` for other stores that speak S3).
    pub fn open(url: &str) -> Result<Self, StorageError> {
        Self::open_with(url, std::env::vars().filter(|(name, _)| name.starts_with("AWS_")))
    }

    /// The same with the `AWS_` variables given.
    pub fn open_with(url: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self, StorageError> {
        let (store, prefix) = open::open(url, options)?;
        Ok(Self { store, prefix })
    }

    /// Stores a stream of at most `limit` bytes, a few megabytes of it in memory at one time. Nothing is stored
    /// when the stream fails ([`StorageError::Content`]), is longer ([`StorageError::TooLarge`]), or when the
    /// future is dropped.
    pub async fn put_stream<E: Into<BoxError>>(
        &self,
        key: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        limit: u64,
    ) -> Result<Stored, StorageError> {
        upload::put(&self.store, &self.path(key)?, content.map_err(Into::into), limit).await
    }

    /// Stores what is small enough to be held whole.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<Stored, StorageError> {
        let content = futures_util::stream::iter([Ok::<_, BoxError>(content)]);
        self.put_stream(key, content, u64::MAX).await
    }

    /// The whole object.
    pub async fn get(&self, key: &str) -> Result<Object, StorageError> {
        let path = self.path(key)?;
        self.store.get(&path).await.map(Object::from).map_err(StorageError::of(key))
    }

    /// Some bytes of the object, as many of them as there are. [`StorageError::OutOfRange`] if there is none.
    pub async fn get_range(&self, key: &str, range: impl RangeBounds<u64> + Send) -> Result<Object, StorageError> {
        let path = self.path(key)?;
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let wanted = match range.end_bound() {
            Bound::Included(last) => GetRange::Bounded(start..last.saturating_add(1)),
            Bound::Excluded(end) => GetRange::Bounded(start..*end),
            Bound::Unbounded => GetRange::Offset(start),
        };
        let empty = matches!(&wanted, GetRange::Bounded(range) if range.is_empty());
        let failure = if empty {
            None
        } else {
            let options = GetOptions { range: Some(wanted), ..GetOptions::default() };
            match self.store.get_opts(&path, options).await {
                Ok(result) => return Ok(result.into()),
                Err(error) => Some(error),
            }
        };
        // Each backend says in its own way that the range lies behind the end: the length tells.
        let size = self.store.head(&path).await.map_err(StorageError::of(key))?.size;
        match failure {
            Some(error) if start < size => Err(StorageError::of(key)(error)),
            _ => Err(StorageError::OutOfRange { size }),
        }
    }

    /// Whether anything is stored under the key.
    pub async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        match self.store.head(&self.path(key)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(StorageError::of(key)(error)),
        }
    }

    /// Removes what is stored under the key, if anything is.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StorageError::of(key)(error)),
        }
    }

    fn path(&self, key: &str) -> Result<Path, StorageError> {
        key::check(key)?;
        Path::parse(format!("{}{key}", self.prefix)).map_err(|_| StorageError::Key { key: key.to_owned() })
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({}, {:?})", self.store, self.prefix)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:?} of {} bytes)", self.range, self.size)
    }
}

impl From<GetResult> for Object {
    fn from(result: GetResult) -> Self {
        let (size, range) = (result.meta.size, result.range.clone());
        let key = result.meta.location.to_string();
        let stream = result.into_stream().map_err(StorageError::of(&key)).boxed();
        Self { size, range, stream }
    }
}
