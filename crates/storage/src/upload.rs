//! Streams into the store, whole or not at all.

use crate::{BoxError, StorageError, Stored};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, PutPayloadMut};
use sha2::{Digest as _, Sha256};
use std::pin::pin;
use std::sync::Arc;

/// Content goes to the store in parts of this many bytes. S3 takes 5 MiB to 5 GiB, and 10,000 parts.
const PART: usize = 8 * 1024 * 1024;

/// An upload that is aborted unless it is completed, also when the future that owns it is dropped.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn part(&mut self, payload: PutPayload) -> object_store::Result<()> {
        match &mut self.0 {
            Some(upload) => upload.put_part(payload).await,
            None => Ok(()),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        if let Some(upload) = &mut self.0 {
            upload.complete().await?;
        }
        self.0 = None;
        Ok(())
    }

    async fn abort(&mut self) {
        if let Some(mut upload) = self.0.take() {
            // What is left is never visible; a bucket's lifecycle rule clears it away.
            let _ = upload.abort().await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}

pub(crate) async fn put(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    content: impl Stream<Item = Result<Bytes, BoxError>> + Send,
    limit: u64,
) -> Result<Stored, StorageError> {
    let mut upload = Upload(None);
    let result = send(store, path, content, limit, &mut upload).await;
    if result.is_err() {
        upload.abort().await;
    }
    result
}

async fn send(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    content: impl Stream<Item = Result<Bytes, BoxError>> + Send,
    limit: u64,
    upload: &mut Upload,
) -> Result<Stored, StorageError> {
    let failed = StorageError::of(path.as_ref());
    let mut content = pin!(content);
    let mut hash = Sha256::new();
    let mut bytes: u64 = 0;
    let mut part = PutPayloadMut::new();
    while let Some(chunk) = content.next().await {
        let mut chunk = chunk.map_err(StorageError::Content)?;
        bytes = bytes.saturating_add(chunk.len() as u64);
        if bytes > limit {
            return Err(StorageError::TooLarge { limit });
        }
        hash.update(&chunk);
        // Parts of one size: not every store takes others.
        while part.content_length() + chunk.len() >= PART {
            part.push(chunk.split_to(PART - part.content_length()));
            if upload.0.is_none() {
                upload.0 = Some(store.put_multipart(path).await.map_err(&failed)?);
            }
            upload.part(std::mem::take(&mut part).freeze()).await.map_err(&failed)?;
        }
        part.extend_from_slice(&chunk);
    }
    if upload.0.is_none() {
        store.put(path, part.freeze()).await.map_err(&failed)?;
    } else {
        if !part.is_empty() {
            upload.part(part.freeze()).await.map_err(&failed)?;
        }
        upload.complete().await.map_err(&failed)?;
    }
    Ok(Stored { bytes, sha256: hash.finalize().into() })
}
