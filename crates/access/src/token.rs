//! Bearer tokens: what they say, and whether it is true.

use crate::identity::SERVICE_TOKEN_TYPE;
use crate::{Caller, InternalKey, User, VerificationKeys};
use callfairy_core::{Clock, Problem, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The `typ` of an access token (RFC 9068).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// Who issues access tokens.
pub const ISSUER: &str = "callfairy";
/// Whom they are meant for.
pub const AUDIENCE: &str = "callfairy-api";

/// Tokens that were verified and are remembered, by the hash of the whole token.
const REMEMBERED: usize = 100_000;
/// No token of ours is longer.
const MAX_TOKEN_LENGTH: usize = 2_048;
/// Clocks of two machines may differ by this many seconds.
const LEEWAY: i64 = 5;

/// What an access token says: who, never what they may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    /// The session.
    pub sid: Uuid,
    pub jti: Uuid,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
}

/// Tells who sent a token.
#[derive(Clone)]
pub struct TokenVerifier {
    keys: VerificationKeys,
    internal: InternalKey,
    clock: Arc<dyn Clock>,
    verified: Arc<Cache<[u8; 32], (Caller, i64)>>,
}

impl TokenVerifier {
    pub fn new(keys: VerificationKeys, internal: InternalKey, clock: Arc<dyn Clock>) -> Self {
        Self { keys, internal, clock, verified: Arc::new(Cache::new(REMEMBERED)) }
    }

    /// Who sent the token. An error is `unauthenticated`, or `unavailable` when the keys could not be had.
    pub async fn verify(&self, token: &str) -> Result<Caller, Problem> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(bad("the token is not valid"));
        }
        let now = self.clock.now();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some((caller, expires)) = self.verified.get(&hash) {
            if expires > now.get().as_second() {
                return Ok(caller);
            }
            self.verified.remove(&hash);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("the token is not valid"))?;
        // The type decides which key is tried, and each key verifies one algorithm only.
        match (header.typ.as_deref(), header.alg) {
            (Some(ACCESS_TOKEN_TYPE), Algorithm::EdDSA) => {
                let kid = header.kid.as_deref().ok_or_else(|| bad("the token names no key"))?;
                let claims = self.access_claims(token, kid, now).await?;
                let caller = Caller::User(User { id: claims.sub, session_id: claims.sid });
                self.verified.insert(hash, (caller.clone(), claims.exp));
                Ok(caller)
            }
            (Some(SERVICE_TOKEN_TYPE), Algorithm::HS256) => Ok(Caller::Service(self.internal.verify(token, now)?)),
            _ => Err(bad("the token is not of a type that is accepted here")),
        }
    }

    async fn access_claims(&self, token: &str, kid: &str, now: Timestamp) -> Result<AccessClaims, Problem> {
        let key = self.keys.find(kid).await?.ok_or_else(|| bad("the token's key is not known"))?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_exp = false; // by our clock, below
        let claims = jsonwebtoken::decode::<AccessClaims>(token, &key, &validation)
            .map_err(|_| bad("the token is not valid"))?;
        let (claims, seconds) = (claims.claims, now.get().as_second());
        if claims.exp <= seconds {
            return Err(bad("the token has expired"));
        }
        if claims.iat > seconds.saturating_add(LEEWAY) {
            return Err(bad("the token is not valid yet"));
        }
        Ok(claims)
    }
}

fn bad(why: &str) -> Problem {
    Problem::unauthenticated(why)
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenVerifier")
    }
}
