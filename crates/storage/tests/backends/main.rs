//! One suite over every backend: a directory, and S3 as an HTTP server of our own speaks it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod s3;

use bytes::Bytes;
use callfairy_core::ErrorCode;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use s3::Bucket;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::{Object, Storage, StorageError};
use tempfile::TempDir;

/// Long enough for several parts.
const LARGE: usize = 20 * 1024 * 1024 + 7;
const NO_LIMIT: u64 = u64::MAX;

/// A store, and a look behind it.
struct Backend {
    name: &'static str,
    storage: Storage,
    behind: Behind,
}

enum Behind {
    Directory(TempDir),
    Bucket(Bucket),
}

impl Backend {
    async fn all() -> [Self; 2] {
        let directory = TempDir::new().unwrap();
        let url = format!("file://{}/files", directory.path().display());
        let bucket = Bucket::start().await;
        let options = bucket.options();
        [
            Self { name: "file", storage: Storage::open(&url).unwrap(), behind: Behind::Directory(directory) },
            Self {
                name: "s3",
                storage: Storage::open_with("s3://bucket/some/prefix", options).unwrap(),
                behind: Behind::Bucket(bucket),
            },
        ]
    }

    /// Everything that lies in the store, finished or not.
    fn contents(&self) -> Vec<String> {
        match &self.behind {
            Behind::Directory(directory) => files(&directory.path().join("files")),
            Behind::Bucket(bucket) => bucket.contents(),
        }
    }

    /// What a dropped upload leaves is cleared away in the background.
    async fn is_empty_soon(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.contents().is_empty() {
            assert!(Instant::now() < deadline, "{}: {:?} is left", self.name, self.contents());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| self::files(directory));
    files.iter().map(|file| file.display().to_string()).chain(below).collect()
}

fn large() -> Vec<u8> {
    (0..251).cycle().take(LARGE).collect()
}

/// In pieces that are no divisors of a part.
fn pieces(content: &[u8]) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
    let pieces: Vec<_> = content.chunks(777_777).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

async fn whole(object: Object) -> Vec<u8> {
    object.stream.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

#[tokio::test]
async fn content_comes_back_as_it_went() {
    for backend in Backend::all().await {
        let storage = &backend.storage;
        for (key, content) in [("large/a.bin", large()), ("small", b"hello".to_vec()), ("empty", vec![])] {
            assert!(!storage.exists(key).await.unwrap());
            let stored = storage.put_stream(key, pieces(&content), content.len() as u64).await.unwrap();
            assert_eq!(stored.bytes, content.len() as u64, "{}", backend.name);
            assert_eq!(stored.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
            assert!(storage.exists(key).await.unwrap());
            let object = storage.get(key).await.unwrap();
            assert_eq!((object.size, object.range.clone()), (stored.bytes, 0..stored.bytes));
            assert!(whole(object).await == content, "{} {key}", backend.name);
        }
        assert_eq!(backend.contents().len(), 3, "{}: no temporary file stays", backend.name);

        storage.put("small", Bytes::from_static(b"other")).await.unwrap();
        assert_eq!(whole(storage.get("small").await.unwrap()).await, b"other", "replaced");
        for key in ["large/a.bin", "small", "empty", "never/was"] {
            storage.delete(key).await.unwrap();
        }
        assert!(!storage.exists("small").await.unwrap());
        assert!(matches!(storage.get("small").await, Err(StorageError::NotFound { key }) if key == "small"));
        assert_eq!(backend.contents(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn nothing_is_seen_before_it_is_whole() {
    for backend in Backend::all().await {
        let (pause, paused) = tokio::sync::oneshot::channel();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let first = pieces(&large());
        let last = stream::once(async move {
            pause.send(()).unwrap();
            gone.await.unwrap();
            Ok(Bytes::from_static(b"end"))
        });
        let storage = backend.storage.clone();
        let put = tokio::spawn(async move { storage.put_stream("a", first.chain(last), NO_LIMIT).await });
        paused.await.unwrap();
        assert!(!backend.contents().is_empty(), "{}: parts are on their way", backend.name);
        assert!(!backend.storage.exists("a").await.unwrap());
        go.send(()).unwrap();
        assert_eq!(put.await.unwrap().unwrap().bytes, LARGE as u64 + 3);
        assert!(backend.storage.exists("a").await.unwrap());
    }
}

#[tokio::test]
async fn content_that_breaks_off_leaves_nothing() {
    for backend in Backend::all().await {
        for content in [large(), b"small".to_vec()] {
            let broken = pieces(&content).chain(stream::iter([Err(Error::other("hung up"))]));
            let error = backend.storage.put_stream("a", broken, NO_LIMIT).await.unwrap_err();
            assert!(matches!(&error, StorageError::Content(cause) if cause.to_string() == "hung up"), "{error:?}");
            assert_eq!(backend.contents(), Vec::<String>::new(), "{}", backend.name);
        }
    }
}

#[tokio::test]
async fn content_over_the_limit_leaves_nothing() {
    for backend in Backend::all().await {
        for content in [large(), b"small".to_vec()] {
            let limit = content.len() as u64 - 1;
            let error = backend.storage.put_stream("a", pieces(&content), limit).await.unwrap_err();
            assert!(matches!(error, StorageError::TooLarge { limit: l } if l == limit), "{error:?}");
            assert_eq!(error.code(), ErrorCode::PayloadTooLarge);
            assert_eq!(backend.contents(), Vec::<String>::new(), "{}", backend.name);
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    for backend in Backend::all().await {
        let (pause, paused) = tokio::sync::oneshot::channel();
        let never = stream::once(async move {
            pause.send(()).unwrap();
            std::future::pending().await
        });
        let (storage, content) = (backend.storage.clone(), pieces(&large()).chain(never));
        let put = tokio::spawn(async move { storage.put_stream("a", content, NO_LIMIT).await });
        paused.await.unwrap();
        assert!(!backend.contents().is_empty(), "{}", backend.name);
        put.abort();
        assert!(put.await.unwrap_err().is_cancelled());
        backend.is_empty_soon().await;
    }
}

#[tokio::test]
async fn a_failed_replacement_leaves_what_was_there() {
    for backend in Backend::all().await {
        backend.storage.put("a", Bytes::from_static(b"first")).await.unwrap();
        let broken = pieces(&large()).chain(stream::iter([Err(Error::other("hung up"))]));
        backend.storage.put_stream("a", broken, NO_LIMIT).await.unwrap_err();
        assert_eq!(whole(backend.storage.get("a").await.unwrap()).await, b"first", "{}", backend.name);
    }
}

#[tokio::test]
async fn ranges() {
    for backend in Backend::all().await {
        let storage = &backend.storage;
        storage.put("digits", Bytes::from_static(b"0123456789")).await.unwrap();
        let mut seen = String::new();
        for object in [
            storage.get_range("digits", 2..5).await,
            storage.get_range("digits", 2..=5).await,
            storage.get_range("digits", 8..).await,
            storage.get_range("digits", ..3).await,
            storage.get_range("digits", 7..1_000).await,
        ] {
            let object = object.unwrap();
            assert_eq!(object.size, 10);
            write!(seen, "{:?}=", object.range).unwrap();
            seen.push_str(str::from_utf8(&whole(object).await).unwrap());
            seen.push(' ');
        }
        assert_eq!(seen, "2..5=234 2..6=2345 8..10=89 0..3=012 7..10=789 ", "{}", backend.name);

        for bad in [10..12, 11..12, 5..5] {
            let error = storage.get_range("digits", bad.clone()).await.unwrap_err();
            assert!(matches!(error, StorageError::OutOfRange { size: 10 }), "{} {bad:?}: {error:?}", backend.name);
        }
        let error = storage.get_range("digits", 10..).await.unwrap_err();
        assert!(matches!(error, StorageError::OutOfRange { size: 10 }), "{error:?}");
        let error = storage.get_range("absent", 0..1).await.unwrap_err();
        assert!(matches!(error, StorageError::NotFound { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn bad_keys_reach_no_backend() {
    for backend in Backend::all().await {
        let storage = &backend.storage;
        for key in ["../escape", "/etc/passwd", "A", ""] {
            let errors = [
                storage.put(key, Bytes::new()).await.unwrap_err(),
                storage.get(key).await.unwrap_err(),
                storage.get_range(key, ..).await.unwrap_err(),
                storage.exists(key).await.unwrap_err(),
                storage.delete(key).await.unwrap_err(),
            ];
            assert!(errors.iter().all(|error| matches!(error, StorageError::Key { .. })), "{errors:?}");
        }
        assert_eq!(backend.contents(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_unavailable_not_empty() {
    let options = Bucket::start().await.options();
    // The server is gone with its handle.
    let options = options.into_iter().chain([("AWS_MAX_RETRIES".to_owned(), "0".to_owned())]);
    let storage = Storage::open_with("s3://bucket", options).unwrap();
    let error = storage.exists("a").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable, "{error:?}");
}

#[test]
fn a_directory_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    Storage::open(&format!("file://{}/a/b", directory.path().display())).unwrap();
    let mode = |path: &str| std::fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a"), mode("a/b")), (0o700, 0o700));
}

#[test]
fn a_bad_url_says_what_is_wrong() {
    for (url, reason) in [
        ("/data", "does not parse"),
        ("ftp://host/data", "expected file:// or s3://"),
        ("file://host/data", "no absolute directory"),
        ("file:///proc/version/files", "cannot be used"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/Bad Prefix", "a prefix that is no key"),
        ("s3://id:hunter2@bucket", "must not hold credentials"),
    ] {
        let error = Storage::open_with(url, []).unwrap_err();
        assert!(matches!(error, StorageError::Url(_)));
        let text = error.to_string();
        assert!(text.contains(reason) && !text.contains("hunter2"), "{url}: {text}");
    }
}
