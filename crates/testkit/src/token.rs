//! A stand-in for auth's signing key, and tokens that it signed.

use access::{ACCESS_TOKEN_TYPE, AUDIENCE, AccessClaims, Call, ISSUER, KeySource, Keys, Meta};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Problem, Secret, Timestamp, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proto::auth::{SigningKey, SigningKeys};
use proto::rpc::keys::ListSigningKeys;
use uuid::Uuid;

const KEY_ID: &str = "test";
/// How long a token is valid, in seconds.
const VALID_SECONDS: i64 = 600;

/// A key that access tokens are signed with. It is also the one RPC of auth that every service asks: mount it with
/// `Services::keys`.
#[derive(Debug, Clone, Copy)]
pub struct TestKey([u8; 32]);

impl Default for TestKey {
    fn default() -> Self {
        Self::new([7; 32])
    }
}

impl TestKey {
    /// All have the same id; another seed makes the key of a forger.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// What auth publishes of it.
    pub fn public(&self) -> SigningKey {
        let public = ed25519_dalek::SigningKey::from_bytes(&self.0).verifying_key();
        SigningKey {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: KEY_ID.to_owned(),
            r#use: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
            x: BASE64_URL_SAFE_NO_PAD.encode(public.as_bytes()),
        }
    }

    /// A token with these claims, of the type `kind`.
    pub fn sign(&self, kind: &str, claims: &AccessClaims) -> String {
        // PKCS #8 of an Ed25519 key (RFC 8410) is this and the seed.
        const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key = EncodingKey::from_ed_der(&[PREFIX.as_slice(), &self.0].concat());
        let (typ, kid) = (Some(kind.to_owned()), Some(KEY_ID.to_owned()));
        let header = Header { typ, kid, ..Header::new(Algorithm::EdDSA) };
        match jsonwebtoken::encode(&header, claims, &key) {
            Ok(token) => token,
            Err(error) => panic!("a token cannot be signed: {error}"),
        }
    }

    /// What goes beside a request of somebody who has signed in just now, in a session of its own.
    pub fn signed_in(&self, user: UserId, now: Timestamp) -> Meta {
        Meta::with_token(Secret::new(self.sign(ACCESS_TOKEN_TYPE, &claims(user, now))))
    }
}

/// What auth says of somebody who has signed in just now.
pub fn claims(user: UserId, now: Timestamp) -> AccessClaims {
    let seconds = now.get().as_second();
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user,
        sid: Uuid::now_v7(),
        jti: Uuid::now_v7(),
        iat: seconds,
        exp: seconds + VALID_SECONDS,
    }
}

impl Keys for TestKey {
    async fn list_signing_keys(&self, _: Call<ListSigningKeys>) -> Result<SigningKeys, Problem> {
        Ok(SigningKeys { keys: vec![self.public()] })
    }
}

#[async_trait]
impl KeySource for TestKey {
    async fn keys(&self) -> Result<Vec<SigningKey>, Problem> {
        Ok(vec![self.public()])
    }
}
