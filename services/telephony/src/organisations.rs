//! Whether an organisation is active and how it calls, as tenancy says; remembered for a moment.

use access::{Client, ServiceIdentity};
use callfairy_core::{OrganisationId, Problem};
use proto::rpc::organisations::LookUpOrganisations;
use proto::rpc::settings::GetCallingSettings;
use proto::tenancy::{CallingSettings, GetCallingSettingsRequest, LookUpOrganisationsRequest};
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LIFETIME: Duration = Duration::from_secs(1);
const KEPT: usize = 10_000;

#[derive(Clone)]
pub struct Organisations {
    tenancy: Client,
    identity: ServiceIdentity,
    active: Arc<Cache<OrganisationId, (bool, Instant)>>,
    settings: Arc<Cache<OrganisationId, (Arc<CallingSettings>, Instant)>>,
}

impl Organisations {
    pub fn new(tenancy: Client, identity: ServiceIdentity) -> Self {
        let (active, settings) = (Arc::new(Cache::new(KEPT)), Arc::new(Cache::new(KEPT)));
        Self { tenancy, identity, active, settings }
    }

    /// False for an unknown one. An error when tenancy is out of reach: then nobody dials.
    pub async fn is_active(&self, id: OrganisationId) -> Result<bool, Problem> {
        if let Some((active, asked)) = self.active.get(&id)
            && asked.elapsed() < LIFETIME
        {
            return Ok(active);
        }
        let asked = Instant::now();
        let request = LookUpOrganisationsRequest { ids: vec![id.to_string()] };
        let answer = self.tenancy.unary::<LookUpOrganisations>(&self.identity.meta()?, request).await?;
        let active = answer.organisations.first().is_some_and(|o| o.is_active);
        self.active.insert(id, (active, asked));
        Ok(active)
    }

    /// How it calls. An error when tenancy is out of reach: nobody guesses.
    pub async fn settings(&self, id: OrganisationId) -> Result<Arc<CallingSettings>, Problem> {
        if let Some((settings, asked)) = self.settings.get(&id)
            && asked.elapsed() < LIFETIME
        {
            return Ok(settings);
        }
        let asked = Instant::now();
        let request = GetCallingSettingsRequest { organisation_id: id.to_string() };
        let settings = Arc::new(self.tenancy.unary::<GetCallingSettings>(&self.identity.meta()?, request).await?);
        self.settings.insert(id, (settings.clone(), asked));
        Ok(settings)
    }
}

impl std::fmt::Debug for Organisations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Organisations")
    }
}
