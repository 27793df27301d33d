//! The public keys that access tokens are verified with.

use crate::{Client, Meta};
use async_trait::async_trait;
use callfairy_core::Problem;
use jsonwebtoken::DecodingKey;
use proto::auth::{ListSigningKeysRequest, SigningKey};
use proto::rpc::keys::ListSigningKeys;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// An unknown key id makes us ask for the keys, but not more often than this: made-up ids must not load auth.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Known keys are asked for again after this, so that withdrawn ones go.
const KEYS_LIVE: Duration = Duration::from_mins(5);

/// Where the keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    async fn keys(&self) -> Result<Vec<SigningKey>, Problem>;
}

/// auth, by its public RPC.
#[derive(Debug, Clone)]
pub struct AuthKeys(pub Client);

#[async_trait]
impl KeySource for AuthKeys {
    async fn keys(&self) -> Result<Vec<SigningKey>, Problem> {
        let answer = self.0.unary::<ListSigningKeys>(&Meta::default(), ListSigningKeysRequest {}).await?;
        Ok(answer.keys)
    }
}

/// The keys by their ids, asked for when an unknown one turns up.
#[derive(Clone)]
pub struct VerificationKeys {
    source: Arc<dyn KeySource>,
    known: Arc<RwLock<Known>>,
    asking: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<DecodingKey>>,
    asked: Option<Instant>,
}

impl VerificationKeys {
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self { source, known: Arc::default(), asking: Arc::default() }
    }

    /// The key with this id. `None`: there is none; an error: auth could not be asked.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Arc<DecodingKey>>, Problem> {
        let (key, age) = self.look(id);
        match (key, age) {
            (Some(key), Some(age)) if age < KEYS_LIVE => return Ok(Some(key)),
            (None, Some(age)) if age < ASK_AGAIN_AFTER => return Ok(None),
            _ => {}
        }
        let _one_at_a_time = self.asking.lock().await;
        let (_, age) = self.look(id);
        if age.is_none_or(|age| age >= ASK_AGAIN_AFTER) {
            let keys = self.source.keys().await?;
            let keys = keys.iter().filter_map(|key| Some((key.kid.clone(), Arc::new(decoding_key(key)?)))).collect();
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, asked: Some(Instant::now()) };
        }
        Ok(self.look(id).0)
    }

    fn look(&self, id: &str) -> (Option<Arc<DecodingKey>>, Option<Duration>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (known.keys.get(id).cloned(), known.asked.map(|asked| asked.elapsed()))
    }
}

fn decoding_key(key: &SigningKey) -> Option<DecodingKey> {
    (key.kty == "OKP" && key.crv == "Ed25519").then(|| DecodingKey::from_ed_components(&key.x).ok())?
}

impl fmt::Debug for VerificationKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationKeys")
    }
}
