//! The public keys, for auth's own guard.

use crate::Error;
use crate::store::signing_key;
use access::KeySource;
use async_trait::async_trait;
use callfairy_core::{Clock, Problem};
use db::Pool;
use proto::auth::SigningKey;
use std::sync::Arc;

/// The published keys, from auth's own table. Cheap to clone.
#[derive(Clone)]
pub struct StoredKeys {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl KeySource for StoredKeys {
    async fn keys(&self) -> Result<Vec<SigningKey>, Problem> {
        let now = self.clock.now();
        Ok(self.pool.read(move |db| Ok::<_, Error>(signing_key::published(db, now)?)).await?)
    }
}
