//! The keys of access tokens: the public ones for auth's own guard, the private one to sign with.

use crate::Error;
use crate::domain::signing_key::Signer;
use crate::store::signing_key::{self, KeyRow};
use crate::vault::Vault;
use access::KeySource;
use async_trait::async_trait;
use audit::{Action, Actor, Entry};
use callfairy_core::{Clock, Problem, Secret, Timestamp, UserId};
use db::Pool;
use proto::auth::SigningKey;
use runtime::KeyRing;
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;

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

/// Signs with the key whose turn it is, so that a new one is used by every process from the same moment. Cheap to clone.
#[derive(Clone)]
pub struct Signers {
    pool: Pool,
    vault: Vault,
    /// The last one that was needed, by its id: which one it must be is looked up each time, what it is only once.
    known: Arc<RwLock<Arc<(String, Signer)>>>,
}

impl Signers {
    /// The first start makes a key.
    pub async fn open(pool: Pool, vault: Vault, now: Timestamp) -> Result<Self, Error> {
        let key = current(&pool, &vault, now).await?;
        let known = Arc::new(RwLock::new(Arc::new(signer(key, &vault)?)));
        Ok(Self { pool, vault, known })
    }

    pub async fn sign(&self, user: UserId, session: Uuid, now: Timestamp) -> Result<Secret, Error> {
        let key = self.pool.read(move |db| Ok::<_, Error>(signing_key::signing(db, now)?)).await?;
        let key = match key {
            Some(key) => key,
            None => current(&self.pool, &self.vault, now).await?,
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.0 == key.kid {
            return known.1.sign(user, session, now);
        }
        let fresh = Arc::new(signer(key, &self.vault)?);
        self.known.write().unwrap_or_else(PoisonError::into_inner).clone_from(&fresh);
        tracing::info!(kid = fresh.0, "signs with another key");
        fresh.1.sign(user, session, now)
    }
}

async fn current(pool: &Pool, vault: &Vault, now: Timestamp) -> Result<KeyRow, Error> {
    let vault = vault.clone();
    pool.write(move |db| signing_key::current(db, &vault, now)).await
}

fn signer(key: KeyRow, vault: &Vault) -> Result<(String, Signer), Error> {
    let signer = Signer::new(&key.open(vault)?);
    Ok((key.kid, signer))
}

/// The key that signs next.
#[derive(Debug)]
pub struct NextKey {
    pub kid: String,
    /// Until then the one before it signs; its tokens are good to their end.
    pub signs_from: Timestamp,
    /// Not if another rotation has made it a moment ago.
    pub is_new: bool,
}

/// Makes the key that access tokens are signed with from a moment later on. Nobody is signed out: every process of auth
/// follows by itself, and the old key is published until its last token has expired.
pub async fn rotate_signing_key(pool: &Pool, master_keys: KeyRing, now: Timestamp) -> Result<NextKey, Error> {
    let vault = Vault::new(master_keys);
    // A key that the others cannot read would stop them.
    let (row, is_new) = pool
        .write(move |db| {
            signing_key::current(db, &vault, now)?.open(&vault)?;
            let (row, is_new) = signing_key::rotate(db, &vault, now)?;
            if is_new {
                audit::record(db, &Entry::new(Actor::System, Action::SigningKeyRotated), now)?;
            }
            Ok::<_, Error>((row, is_new))
        })
        .await?;
    Ok(NextKey { kid: row.kid, signs_from: row.signs_from.0, is_new })
}
