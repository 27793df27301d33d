//! Whether an organisation is active, as tenancy says; remembered for a moment.

use access::{Client, ServiceIdentity};
use callfairy_core::{OrganisationId, Problem};
use proto::rpc::organisations::LookUpOrganisations;
use proto::tenancy::LookUpOrganisationsRequest;
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
    cache: Arc<Cache<OrganisationId, (bool, Instant)>>,
}

impl Organisations {
    pub fn new(tenancy: Client, identity: ServiceIdentity) -> Self {
        Self { tenancy, identity, cache: Arc::new(Cache::new(KEPT)) }
    }

    /// False for an unknown one. An error when tenancy is out of reach: then nobody dials.
    pub async fn is_active(&self, id: OrganisationId) -> Result<bool, Problem> {
        if let Some((active, asked)) = self.cache.get(&id)
            && asked.elapsed() < LIFETIME
        {
            return Ok(active);
        }
        let asked = Instant::now();
        let request = LookUpOrganisationsRequest { ids: vec![id.to_string()] };
        let answer = self.tenancy.unary::<LookUpOrganisations>(&self.identity.meta()?, request).await?;
        let active = answer.organisations.first().is_some_and(|o| o.is_active);
        self.cache.insert(id, (active, asked));
        Ok(active)
    }
}

impl std::fmt::Debug for Organisations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Organisations")
    }
}
