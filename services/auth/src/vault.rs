//! Secrets at rest: encrypted with the deployment's master key.

use crate::Error;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use runtime::{Key, KeyRing};
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes in front of each ciphertext. Random ones of this length do not repeat.
const NONCE: usize = 24;

/// What a sealed value is. It is bound to its place: a value that is moved to another row does not open.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// The private key with this id.
    SigningKey(&'a str),
    /// The successor of the refresh token with this hash.
    Successor(&'a [u8]),
    /// The token in the mail with this id.
    Mail(&'a [u8]),
    /// The authenticator app's secret of the user with this id.
    Totp(&'a [u8]),
    /// The PKCE verifier of the flow with this state.
    Verifier(&'a [u8]),
}

impl Place<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::SigningKey(_) => "a signing key",
            Self::Successor(_) => "a refresh token",
            Self::Mail(_) => "the token of a mail",
            Self::Totp(_) => "a TOTP secret",
            Self::Verifier(_) => "a PKCE verifier",
        }
    }

    fn bound(self) -> Vec<u8> {
        let row = match self {
            Self::SigningKey(kid) => kid.as_bytes(),
            Self::Successor(row) | Self::Mail(row) | Self::Totp(row) | Self::Verifier(row) => row,
        };
        [b"callfairy auth ", self.name().as_bytes(), b" ", row].concat()
    }
}

/// Seals with the current master key and opens with any of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault(Arc<KeyRing>);

impl Vault {
    pub fn new(keys: KeyRing) -> Self {
        Self(Arc::new(keys))
    }

    pub fn seal(&self, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: secret, aad: &place.bound() };
        let sealed = cipher(self.0.current()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::Defect(format!("cannot encrypt {}", place.name())))?;
        Ok([nonce.as_slice(), sealed.as_slice()].concat())
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let undecryptable = || Error::Undecryptable(place.name());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(undecryptable)?;
        let (nonce, bound) = (XNonce::from(*nonce), place.bound());
        let open = |key| cipher(key).decrypt(&nonce, Payload { msg: sealed, aad: &bound }).ok();
        self.0.all().find_map(open).map(Zeroizing::new).ok_or_else(undecryptable)
    }

    /// Tells two requests apart without telling what is in them: a plain hash of a request that holds a password
    /// could be searched for it.
    pub fn fingerprint(&self, bytes: &[u8]) -> Result<[u8; 32], Error> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.current().expose());
        let mut mac = mac.map_err(|error| Error::Defect(error.to_string()))?;
        mac.update(b"callfairy auth request ");
        mac.update(bytes);
        Ok(mac.finalize().into_bytes().into())
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use runtime::config::{Environment, Program, Settings};

    const ONE: &str = "b25lb25lb25lb25lb25lb25lb25lb25lb25lb25lb24=";
    const TWO: &str = "dHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHc=";

    fn vault(keys: &[&str]) -> Vault {
        let environment = Environment::from([("CALLFAIRY_MASTER_KEY".to_owned(), keys.join(","))]);
        Vault::new(Settings::load(Program::Platform, None, &environment).unwrap().master_keys().unwrap())
    }

    #[test]
    fn opens_what_it_sealed_in_its_place_alone() {
        let vault = vault(&[TWO]);
        let sealed = vault.seal(Place::Mail(b"7"), b"token").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"token"));
        assert_eq!(vault.open(Place::Mail(b"7"), &sealed).unwrap().as_slice(), b"token");
        for place in [Place::Mail(b"8"), Place::Successor(b"7"), Place::SigningKey("7")] {
            assert!(matches!(vault.open(place, &sealed), Err(Error::Undecryptable(_))), "{place:?}");
        }
        assert!(vault.open(Place::Mail(b"7"), &sealed[1..]).is_err());
        assert!(vault.open(Place::Mail(b"7"), b"short").is_err());
    }

    #[test]
    fn a_replaced_key_still_opens() {
        let sealed = vault(&[TWO]).seal(Place::Mail(b"7"), b"token").unwrap();
        assert_eq!(vault(&[ONE, TWO]).open(Place::Mail(b"7"), &sealed).unwrap().as_slice(), b"token");
        assert!(vault(&[ONE]).open(Place::Mail(b"7"), &sealed).is_err());
    }

    #[test]
    fn fingerprints_need_the_key() {
        let (vault, other) = (vault(&[TWO]), vault(&[ONE]));
        let one = vault.fingerprint(b"a").unwrap();
        assert_eq!(one, vault.fingerprint(b"a").unwrap());
        assert_ne!(one, vault.fingerprint(b"b").unwrap());
        assert_ne!(one, other.fingerprint(b"a").unwrap());
    }
}
