//! Creating once, however often the client asks.

use crate::{Error, Result};
use access::{Call, SignedIn};
use callfairy_core::{Problem, Timestamp};
use db::Db;
use prost::Message;
use sha2::{Digest, Sha256};

/// The idempotency key of a call, if it has one: the caller's own, for this method and this request.
pub struct OnceKey {
    scope: String,
    key: Option<String>,
    request_hash: [u8; 32],
}

impl OnceKey {
    pub fn of<R: SignedIn>(call: &Call<R>) -> Result<Self, Problem> {
        Ok(Self {
            scope: format!("{}{}", call.user()?.id, R::GRPC_PATH),
            key: call.idempotency_key().map(str::to_owned),
            request_hash: Sha256::digest(call.request.encode_to_vec()).into(),
        })
    }

    /// Runs `f`, or answers what it answered the first time. Belongs into the transaction of the change.
    pub fn run<M: Message + Default>(
        &self,
        db: &mut Db,
        now: Timestamp,
        f: impl FnOnce(&mut Db) -> Result<M>,
    ) -> Result<M> {
        let encoded = |db: &mut Db| Ok::<_, Error>(f(db)?.encode_to_vec());
        let once = db::idempotency::once(db, &self.scope, self.key.as_deref(), &self.request_hash, now, encoded)?;
        M::decode(once.response()?.as_slice()).map_err(|error| {
            tracing::error!(%error, "a remembered answer cannot be read");
            Problem::internal().into()
        })
    }
}
