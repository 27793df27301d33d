//! The public keys.

use crate::keys::StoredKeys;
use access::{Call, KeySource};
use callfairy_core::Problem;
use proto::auth::SigningKeys;
use proto::rpc::keys::ListSigningKeys;

pub struct Keys(StoredKeys);

impl Keys {
    pub fn new(keys: StoredKeys) -> Self {
        Self(keys)
    }
}

impl access::Keys for Keys {
    async fn list_signing_keys(&self, _: Call<ListSigningKeys>) -> Result<SigningKeys, Problem> {
        Ok(SigningKeys { keys: self.0.keys().await? })
    }
}
