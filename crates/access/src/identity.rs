//! Service identities: how one of our services proves to another who it is.

use crate::Meta;
use callfairy_core::{Clock, Problem, Secret, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) const SERVICE_TOKEN_TYPE: &str = "service+jwt";
const ISSUER: &str = "callfairy-internal";
const LIFETIME: Duration = Duration::from_mins(1);
/// A token is used for half of its life, so that it does not expire on its way.
const RENEW_AFTER: Duration = Duration::from_secs(30);

/// The deployment's internal key, which signs and verifies service identities. At least 32 bytes.
#[derive(Clone)]
pub struct InternalKey {
    encoding: Arc<EncodingKey>,
    /// The current key first, then those that it replaced.
    decoding: Arc<[DecodingKey]>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The service's name.
    sub: String,
    /// Seconds since 1970.
    iat: i64,
    exp: i64,
}

impl InternalKey {
    /// `current` signs; it and the `previous` ones verify, so that a key can be replaced while services run.
    pub fn new<'k>(current: &'k [u8], previous: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let decoding = std::iter::once(current).chain(previous).map(DecodingKey::from_secret).collect();
        Self { encoding: Arc::new(EncodingKey::from_secret(current)), decoding }
    }

    fn sign(&self, service: &str, now: Timestamp) -> Result<Secret, Problem> {
        let seconds = now.get().as_second();
        let lifetime = i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX);
        let claims =
            Claims { iss: ISSUER.into(), sub: service.into(), iat: seconds, exp: seconds.saturating_add(lifetime) };
        let header = Header { typ: Some(SERVICE_TOKEN_TYPE.into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.encoding).map(Secret::new).map_err(|error| {
            tracing::error!(%error, "cannot sign a service identity");
            Problem::internal()
        })
    }

    /// The service's name, if the token is one of ours and still good.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<str>, Problem> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.validate_aud = false;
        validation.validate_exp = false; // by our clock, below
        let bad = || Problem::unauthenticated("the service identity is not valid");
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &validation).ok();
        let claims = self.decoding.iter().find_map(decode).ok_or_else(bad)?.claims;
        let seconds = now.get().as_second();
        if claims.exp <= seconds || claims.iat > seconds.saturating_add(60) {
            return Err(bad());
        }
        Ok(claims.sub.into())
    }
}

impl fmt::Debug for InternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InternalKey([secret])")
    }
}

/// A service's own name with the key that proves it.
#[derive(Clone)]
pub struct ServiceIdentity {
    name: Arc<str>,
    key: InternalKey,
    clock: Arc<dyn Clock>,
    current: Arc<Mutex<Option<(Secret, Timestamp)>>>,
}

impl ServiceIdentity {
    pub fn new(name: &str, key: InternalKey, clock: Arc<dyn Clock>) -> Self {
        Self { name: name.into(), key, clock, current: Arc::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to send beside a request.
    pub fn meta(&self) -> Result<Meta, Problem> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, made)) = current.as_ref()
            && now >= *made
            && now.since(*made) < RENEW_AFTER
        {
            return Ok(Meta::with_token(token.clone()));
        }
        let token = self.key.sign(&self.name, now)?;
        *current = Some((token.clone(), now));
        Ok(Meta::with_token(token))
    }
}

impl fmt::Debug for ServiceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceIdentity").field(&self.name).finish()
    }
}
