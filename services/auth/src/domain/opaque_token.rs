//! Tokens that mean nothing by themselves: 256 random bits, of which only the hash is kept.

use crate::Error;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::Secret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Bytes of randomness.
const LENGTH: usize = 32;

/// SHA-256 of the whole token. A token has 256 random bits, so no slow hash is needed.
pub type Hash = [u8; 32];

/// What a token is for; its beginning says so, to people and to scanners for leaked secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Refresh,
    SingleUse,
    /// Leads an answer of Google's to the sign-in that asked.
    State,
    /// The cookie of a browser that was sent to Google.
    Browser,
    /// Comes back inside an ID token.
    Nonce,
    /// Proves to Google that who asked is who comes for the answer (RFC 7636).
    Verifier,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "cfr_",
            Self::SingleUse => "cfv_",
            Self::State => "cfs_",
            Self::Browser => "cfb_",
            Self::Nonce => "cfn_",
            Self::Verifier => "cfp_",
        }
    }
}

/// A new token.
pub fn generate(kind: Kind) -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0_u8; LENGTH]);
    getrandom::fill(bytes.as_mut_slice())?;
    let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok(Secret::new(format!("{}{}", kind.prefix(), *text)))
}

/// The hash of a token that may be one of this kind; `None`: it is none of ours.
pub fn read(kind: Kind, text: &str) -> Option<Hash> {
    let random = text.strip_prefix(kind.prefix())?;
    let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(random).ok()?);
    (bytes.len() == LENGTH).then(|| hash(text))
}

pub fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn knows_its_own() {
        let (one, other) = (generate(Kind::Refresh).unwrap(), generate(Kind::Refresh).unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 4 + 43);
        assert_eq!(read(Kind::Refresh, one.expose()), Some(hash(one.expose())));
    }

    #[test]
    fn refuses_others() {
        let token = generate(Kind::Refresh).unwrap();
        let token = token.expose();
        assert_eq!(read(Kind::SingleUse, token), None);
        for text in ["", "cfr_", &token[..46], &format!("{token}A"), &token.replace("cfr_", "cfr_ "), "cfr_%%%"] {
            assert_eq!(read(Kind::Refresh, text), None, "{text}");
        }
    }
}
