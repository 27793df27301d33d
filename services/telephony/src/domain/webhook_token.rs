//! The unguessable part of a webhook's path: whose call it reports, proved by the platform's key, kept nowhere.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::OrganisationId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

const PURPOSE: &[u8] = b"callfairy provider webhook v1";
const ID: usize = 16;
const PROOF: usize = 32;

/// Makes and reads webhook tokens.
#[derive(Clone)]
pub struct WebhookTokens {
    /// The current key first, then those that it replaced.
    keys: Vec<Hmac<Sha256>>,
}

impl WebhookTokens {
    /// At least one key.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        // HMAC takes keys of any length.
        Self { keys: keys.into_iter().filter_map(|key| Hmac::new_from_slice(key).ok()).collect() }
    }

    /// The token of an organisation, for a URL.
    pub fn make(&self, organisation: OrganisationId) -> String {
        let mut token = organisation.as_bytes().to_vec();
        if let Some(key) = self.keys.first() {
            token.extend(proof(key, organisation).finalize().into_bytes());
        }
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// Whose token it is, if it is one.
    pub fn read(&self, token: &str) -> Option<OrganisationId> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == ID + PROOF)?;
        let (id, given) = bytes.split_at(ID);
        let organisation = OrganisationId::from_uuid(Uuid::from_slice(id).ok()?);
        // `verify_slice` takes the same time wherever the difference is.
        self.keys.iter().any(|key| proof(key, organisation).verify_slice(given).is_ok()).then_some(organisation)
    }
}

fn proof(key: &Hmac<Sha256>, organisation: OrganisationId) -> Hmac<Sha256> {
    key.clone().chain_update(PURPOSE).chain_update(organisation.as_bytes())
}

impl std::fmt::Debug for WebhookTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookTokens([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_tokens_are_read() {
        let (old, new) = ([1; 32], [2; 32]);
        let tokens = WebhookTokens::new([new.as_slice(), old.as_slice()]);
        let id = OrganisationId::new();
        assert_eq!(tokens.read(&tokens.make(id)), Some(id));
        assert_eq!(tokens.read(&WebhookTokens::new([old.as_slice()]).make(id)), Some(id));
        assert_eq!(tokens.read(&WebhookTokens::new([[3; 32].as_slice()]).make(id)), None);
        let mut forged = tokens.make(id).into_bytes();
        forged[3] ^= 1;
        assert_eq!(tokens.read(&String::from_utf8_lossy(&forged)), None);
        for text in ["", "x", "%%%", &"A".repeat(500)] {
            assert_eq!(tokens.read(text), None, "{text}");
        }
    }
}
