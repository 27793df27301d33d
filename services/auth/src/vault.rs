//! What auth seals with the master key.

use crate::Error;
use runtime::KeyRing;
use runtime::vault::{self, VaultError};
use zeroize::Zeroizing;

/// What a sealed value is.
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

impl<'a> From<Place<'a>> for vault::Place<'a> {
    fn from(place: Place<'a>) -> Self {
        let (what, row) = match place {
            Place::SigningKey(kid) => ("a signing key", kid.as_bytes()),
            Place::Successor(row) => ("a refresh token", row),
            Place::Mail(row) => ("the token of a mail", row),
            Place::Totp(row) => ("a TOTP secret", row),
            Place::Verifier(row) => ("a PKCE verifier", row),
        };
        Self { what, row }
    }
}

/// Seals with the current master key and opens with any of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault(vault::Vault);

impl Vault {
    pub fn new(keys: KeyRing) -> Self {
        Self(vault::Vault::new(keys, "auth"))
    }

    pub fn seal(&self, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.seal(place.into(), secret)?)
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(self.0.open(place.into(), sealed)?)
    }

    /// Tells two requests apart without telling what is in them.
    pub fn fingerprint(&self, bytes: &[u8]) -> Result<[u8; 32], Error> {
        Ok(self.0.fingerprint(bytes)?)
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Randomness(error) => Self::Randomness(error),
            VaultError::Undecryptable(what) => Self::Undecryptable(what),
            VaultError::Defect(defect) => Self::Defect(defect),
        }
    }
}
