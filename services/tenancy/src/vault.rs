//! What tenancy seals with the master key.

use crate::Result;
use callfairy_core::{OrganisationId, Secret};
use runtime::KeyRing;
use runtime::vault::{self, Place};

/// Seals with the current master key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault(vault::Vault);

impl Vault {
    pub fn new(keys: KeyRing) -> Self {
        Self(vault::Vault::new(keys, "tenancy"))
    }

    /// An organisation's key of a provider, which opens as that organisation's alone.
    pub fn seal_provider_key(&self, organisation: OrganisationId, key: &Secret) -> Result<Vec<u8>> {
        let id = organisation.uuid();
        let place = Place { what: "a provider's key", row: id.as_bytes() };
        Ok(self.0.seal(place, key.expose().as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use runtime::config::Environment;
    use runtime::{Program, Settings};

    #[test]
    fn a_key_opens_as_its_own_organisation_s_alone() {
        let key = ("CALLFAIRY_MASTER_KEY".to_owned(), "b25lb25lb25lb25lb25lb25lb25lb25lb25lb25lb24=".to_owned());
        let settings = Settings::load(Program::Platform, None, &Environment::from([key])).unwrap();
        let keys = settings.master_keys().unwrap();
        let (ours, theirs) = (OrganisationId::new(), OrganisationId::new());
        let sealed = Vault::new(keys.clone()).seal_provider_key(ours, &Secret::new("sk-1234567890")).unwrap();
        let open = |id: OrganisationId| {
            let id = id.uuid();
            let place = Place { what: "a provider's key", row: id.as_bytes() };
            vault::Vault::new(keys.clone(), "tenancy").open(place, &sealed)
        };
        assert_eq!(open(ours).unwrap().as_slice(), b"sk-1234567890");
        assert!(open(theirs).is_err());
    }
}
