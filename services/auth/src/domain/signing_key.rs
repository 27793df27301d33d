//! The keys that access tokens are signed with: Ed25519 (RFC 8037).

use crate::Error;
use access::{ACCESS_TOKEN_TYPE, AUDIENCE, AccessClaims, ISSUER};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Secret, Timestamp, UserId};
use ed25519_dalek::SigningKey as Ed25519;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long an access token lives.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_mins(10);
/// A new key is published this long before it signs. Who verifies tokens asks for keys that they do not know, but not twice
/// within seconds ([`access::VerificationKeys`]): by then each knows it, or asks.
pub const PUBLISHED_BEFORE_USE: Duration = Duration::from_secs(30);
/// A retired key stays in the published set until the last token that it signed has expired, and a little longer for
/// clocks that differ.
pub const PUBLISHED_AFTER_RETIREMENT: Duration = Duration::from_mins(15);

/// Bytes of the private key.
pub const LENGTH: usize = 32;
/// What stands before the private key in PKCS #8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A private key with its public half.
pub struct KeyPair {
    private: Zeroizing<[u8; LENGTH]>,
    public: [u8; LENGTH],
}

impl KeyPair {
    pub fn generate() -> Result<Self, Error> {
        let mut private = Zeroizing::new([0_u8; LENGTH]);
        getrandom::fill(private.as_mut_slice())?;
        Ok(Self::from_private(private))
    }

    pub fn from_private(private: Zeroizing<[u8; LENGTH]>) -> Self {
        let public = Ed25519::from_bytes(&private).verifying_key().to_bytes();
        Self { private, public }
    }

    pub fn private(&self) -> &[u8; LENGTH] {
        &self.private
    }

    pub fn public(&self) -> &[u8; LENGTH] {
        &self.public
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub fn kid(&self) -> String {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(&self.public));
        base64url(&Sha256::digest(jwk))
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.kid()).finish()
    }
}

/// A public key as verifiers read it.
pub fn published(kid: String, public: &[u8]) -> proto::auth::SigningKey {
    proto::auth::SigningKey {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        kid,
        r#use: "sig".into(),
        alg: "EdDSA".into(),
        x: base64url(public),
    }
}

/// Signs access tokens.
pub struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    pub fn new(pair: &KeyPair) -> Self {
        let der = Zeroizing::new([PKCS8_HEAD.as_slice(), pair.private().as_slice()].concat());
        let header =
            Header { typ: Some(ACCESS_TOKEN_TYPE.into()), kid: Some(pair.kid()), ..Header::new(Algorithm::EdDSA) };
        Self { header, key: EncodingKey::from_ed_der(&der) }
    }

    pub fn sign(&self, user: UserId, session: Uuid, now: Timestamp) -> Result<Secret, Error> {
        let seconds = now.get().as_second();
        let claims = AccessClaims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user,
            sid: session,
            jti: Uuid::new_v4(),
            iat: seconds,
            exp: now.plus(ACCESS_TOKEN_LIFETIME).get().as_second(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key);
        token.map(Secret::new).map_err(|error| Error::Defect(format!("cannot sign an access token: {error}")))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.header.kid).finish()
    }
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The key of RFC 8037, appendix A.
    fn rfc_8037() -> KeyPair {
        let private = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        KeyPair::from_private(Zeroizing::new(private.try_into().unwrap()))
    }

    #[test]
    fn agrees_with_the_rfc() {
        let pair = rfc_8037();
        assert_eq!(base64url(pair.public()), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(pair.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn signs_what_the_public_key_verifies() {
        let (pair, now) = (KeyPair::generate().unwrap(), Timestamp::UNIX_EPOCH.plus(Duration::from_secs(7)));
        let (user, session) = (UserId::new(), Uuid::now_v7());
        let token = Signer::new(&pair).sign(user, session, now).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_exp = false;
        let decode = |pair: &KeyPair| {
            let key = jsonwebtoken::DecodingKey::from_ed_components(&base64url(pair.public())).unwrap();
            jsonwebtoken::decode::<AccessClaims>(token.expose(), &key, &validation)
        };
        let decoded = decode(&pair).unwrap();
        assert_eq!((decoded.claims.sub, decoded.claims.sid), (user, session));
        assert_eq!((decoded.claims.iat, decoded.claims.exp), (7, 607));
        assert_eq!(decoded.header.kid, Some(pair.kid()));
        assert!(decode(&rfc_8037()).is_err());
    }

    #[test]
    fn does_not_show_the_private_key() {
        let pair = rfc_8037();
        let shown = format!("{pair:?} {:?}", Signer::new(&pair));
        assert!(!shown.contains("nWGxne") && !shown.contains("157, 97"), "{shown}");
    }
}
