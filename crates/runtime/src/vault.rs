//! Secrets at rest: encrypted with the deployment's master key.

use crate::{Key, KeyRing};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes in front of each ciphertext. Random ones of this length do not repeat.
const NONCE: usize = 24;

/// Where a sealed value stands. It is bound to its place: one that is moved to another row does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// With its article, such as `a signing key`: errors say it.
    pub what: &'static str,
    /// What names the row.
    pub row: &'a [u8],
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
    /// By none of the master keys, or not what was sealed there.
    #[error("{0} cannot be decrypted")]
    Undecryptable(&'static str),
    #[error("{0}")]
    Defect(String),
}

/// One service's. Seals with the current master key and opens with any of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault {
    keys: Arc<KeyRing>,
    service: &'static str,
}

impl Vault {
    /// What one service sealed, no other one opens.
    pub fn new(keys: KeyRing, service: &'static str) -> Self {
        Self { keys: Arc::new(keys), service }
    }

    pub fn seal(&self, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).map_err(VaultError::Randomness)?;
        let payload = Payload { msg: secret, aad: &self.bound(place) };
        let sealed = cipher(self.keys.current()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::Defect(format!("cannot encrypt {}", place.what)))?;
        Ok([nonce.as_slice(), sealed.as_slice()].concat())
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let undecryptable = || VaultError::Undecryptable(place.what);
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(undecryptable)?;
        let (nonce, bound) = (XNonce::from(*nonce), self.bound(place));
        let open = |key| cipher(key).decrypt(&nonce, Payload { msg: sealed, aad: &bound }).ok();
        self.keys.all().find_map(open).map(Zeroizing::new).ok_or_else(undecryptable)
    }

    /// Tells two requests apart without telling what is in them: a plain hash of a request that holds a secret could be
    /// searched for it.
    pub fn fingerprint(&self, bytes: &[u8]) -> Result<[u8; 32], VaultError> {
        let mac = Hmac::<Sha256>::new_from_slice(self.keys.current().expose());
        let mut mac = mac.map_err(|error| VaultError::Defect(error.to_string()))?;
        mac.update(&[b"callfairy ", self.service.as_bytes(), b" request "].concat());
        mac.update(bytes);
        Ok(mac.finalize().into_bytes().into())
    }

    fn bound(&self, place: Place<'_>) -> Vec<u8> {
        [b"callfairy ", self.service.as_bytes(), b" ", place.what.as_bytes(), b" ", place.row].concat()
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Environment, Program, Settings};

    const ONE: &str = "b25lb25lb25lb25lb25lb25lb25lb25lb25lb25lb24=";
    const TWO: &str = "dHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHc=";

    fn ring(keys: &[&str]) -> KeyRing {
        let environment = Environment::from([("CALLFAIRY_MASTER_KEY".to_owned(), keys.join(","))]);
        Settings::load(Program::Platform, None, &environment).unwrap().master_keys().unwrap()
    }

    fn vault(keys: &[&str]) -> Vault {
        Vault::new(ring(keys), "auth")
    }

    const MAIL: Place<'_> = Place { what: "the token of a mail", row: b"7" };

    #[test]
    fn opens_what_it_sealed_in_its_place_alone() {
        let vault = vault(&[TWO]);
        let sealed = vault.seal(MAIL, b"token").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"token"));
        assert_eq!(vault.open(MAIL, &sealed).unwrap().as_slice(), b"token");
        for place in [Place { row: b"8", ..MAIL }, Place { what: "a refresh token", ..MAIL }] {
            assert!(matches!(vault.open(place, &sealed), Err(VaultError::Undecryptable(_))), "{place:?}");
        }
        assert!(Vault::new(ring(&[TWO]), "tenancy").open(MAIL, &sealed).is_err());
        assert!(vault.open(MAIL, &sealed[1..]).is_err());
        assert!(vault.open(MAIL, b"short").is_err());
    }

    #[test]
    fn a_replaced_key_still_opens() {
        let sealed = vault(&[TWO]).seal(MAIL, b"token").unwrap();
        assert_eq!(vault(&[ONE, TWO]).open(MAIL, &sealed).unwrap().as_slice(), b"token");
        assert!(vault(&[ONE]).open(MAIL, &sealed).is_err());
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
