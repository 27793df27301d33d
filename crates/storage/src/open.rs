//! From a URL to a store.

use crate::StorageError;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// The store, and what stands before each key in it: empty, or with a slash at its end.
pub(crate) fn open(
    url: &str,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, String), StorageError> {
    let parsed = Url::parse(url).map_err(|_| StorageError::Url("does not parse".to_owned()))?;
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() {
        return Err(StorageError::Url("must not hold credentials or a query".to_owned()));
    }
    match parsed.scheme() {
        "file" => {
            let no_path = |()| StorageError::Url("names no absolute directory of this machine".to_owned());
            Ok((directory(&parsed.to_file_path().map_err(no_path)?)?, String::new()))
        }
        "s3" => bucket(&parsed, options),
        other => Err(StorageError::Url(format!("begins with {other}://; expected file:// or s3://"))),
    }
}

fn directory(path: &Path) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let unusable =
        |reason: String| StorageError::Url(format!("names {}, which cannot be used: {reason}", path.display()));
    // What is stored is personal data: for this user alone.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| unusable(error.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn bucket(
    url: &Url,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, String), StorageError> {
    let bucket = url.host_str().filter(|host| !host.is_empty());
    let bucket = bucket.ok_or_else(|| StorageError::Url("names no bucket".to_owned()))?;
    let prefix = match url.path().trim_matches('/') {
        "" => String::new(),
        prefix => {
            crate::key::check(prefix).map_err(|_| StorageError::Url("has a prefix that is no key".to_owned()))?;
            format!("{prefix}/")
        }
    };
    // The HTTP client takes the process's TLS provider. Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
    for (name, value) in options {
        // The AWS_ names that the store does not know belong to other tools.
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.build().map_err(|error| StorageError::Url(format!("cannot be used: {error}")))?;
    Ok((Arc::new(store), prefix))
}
