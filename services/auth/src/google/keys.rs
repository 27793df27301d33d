//! The keys that ID tokens are verified with (RFC 7517), by their ids.

use super::Failure;
use super::http::Http;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Clock, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// An unknown key id makes us ask for the keys, but not more often than this, also when the answer fails: made-up ids must
/// not load Google.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Known keys are asked for again after this, so that withdrawn ones go.
const KEYS_LIVE: Duration = Duration::from_hours(1);
/// Keys in one set.
const MAX_KEYS: usize = 50;
/// Bytes of an RSA modulus: shorter ones are too weak, longer ones cost too much.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// A public key, and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

pub struct Keys {
    http: Http,
    url: Url,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    /// When these came.
    came: Option<Timestamp>,
    /// When we asked last, with or without success.
    asked: Option<Timestamp>,
}

impl Keys {
    pub fn new(http: Http, url: Url, clock: Arc<dyn Clock>) -> Self {
        Self { http, url, clock, known: RwLock::default(), asking: Mutex::default() }
    }

    /// The key with this id, if there is one.
    pub async fn find(&self, kid: &str) -> Result<Option<Arc<Key>>, Failure> {
        if let Some(key) = self.look(kid) {
            return Ok(Some(key));
        }
        let _one_at_a_time = self.asking.lock().await;
        if let Some(key) = self.look(kid) {
            return Ok(Some(key));
        }
        let now = self.clock.now();
        let (asked, live) = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.asked, known.came.is_some_and(|came| now.since(came) < KEYS_LIVE))
        };
        if asked.is_some_and(|asked| now.since(asked) < ASK_AGAIN_AFTER) {
            return if live { Ok(None) } else { Err(Failure::OutOfReach) };
        }
        self.known.write().unwrap_or_else(PoisonError::into_inner).asked = Some(now);
        let keys = read(&self.http.get(&self.url).await?)?;
        let found = keys.get(kid).cloned();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, came: Some(now), asked: Some(now) };
        Ok(found)
    }

    fn look(&self, kid: &str) -> Option<Arc<Key>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let live = known.came.is_some_and(|came| self.clock.now().since(came) < KEYS_LIVE);
        known.keys.get(kid).filter(|_| live).cloned()
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Keys of kinds that are not known here are left out.
fn read(content: &[u8]) -> Result<HashMap<String, Arc<Key>>, Failure> {
    let set: Set = serde_json::from_slice(content).map_err(|error| {
        tracing::warn!(%error, "Google's keys cannot be read");
        Failure::OutOfReach
    })?;
    let known = |value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        Some((jwk.kid.clone(), Arc::new(key(&jwk)?)))
    };
    Ok(set.keys.into_iter().take(MAX_KEYS).filter_map(known).collect())
}

fn key(jwk: &Jwk) -> Option<Key> {
    let (algorithm, name, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => {
            let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
            let length = BASE64_URL_SAFE_NO_PAD.decode(n).ok()?.len();
            let key = RSA_BYTES.contains(&length).then(|| DecodingKey::from_rsa_components(n, e).ok())??;
            (Algorithm::RS256, "RS256", key)
        }
        ("EC", Some("P-256")) => {
            let key = DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok()?;
            (Algorithm::ES256, "ES256", key)
        }
        _ => return None,
    };
    let fits =
        jwk.r#use.as_deref().is_none_or(|purpose| purpose == "sig") && jwk.alg.as_deref().is_none_or(|alg| alg == name);
    fits.then_some(Key { algorithm, key })
}
