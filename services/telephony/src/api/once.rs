//! Requests that create: the same idempotency key has one effect and one answer.

use crate::error::{Error, Result};
use access::{Call, Scoped};
use callfairy_core::{Problem, Timestamp};
use db::{Db, idempotency};
use prost::Message;
use proto::Rpc;
use sha2::{Digest, Sha256};

/// What makes two requests the same.
#[derive(Debug, Clone)]
pub struct OnceKey {
    scope: String,
    key: Option<String>,
    hash: [u8; 32],
}

impl OnceKey {
    pub fn of<R: Scoped>(call: &Call<R>) -> Self
    where
        R::Request: Message,
    {
        Self::with_hash(call, Sha256::digest(call.request.encode_to_vec()).into())
    }

    /// For a request whose content is not all in its message.
    pub fn with_hash<R: Scoped>(call: &Call<R>, hash: [u8; 32]) -> Self {
        Self {
            scope: format!("{}{}", call.scope().organisation_id(), <R as Rpc>::GRPC_PATH),
            key: call.idempotency_key().map(str::to_owned),
            hash,
        }
    }

    /// Runs `create` unless this request was answered before. Inside a write transaction.
    pub fn run<T: Message + Default>(
        &self,
        db: &mut Db,
        now: Timestamp,
        create: impl FnOnce(&mut Db) -> Result<T>,
    ) -> Result<T> {
        let done = idempotency::once::<Error>(db, &self.scope, self.key.as_deref(), &self.hash, now, |db| {
            create(db).map(|made| made.encode_to_vec())
        })?;
        T::decode(done.response()?.as_slice()).map_err(|error| {
            tracing::error!(%error, "a remembered answer cannot be read");
            Problem::internal().into()
        })
    }
}
