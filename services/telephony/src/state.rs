//! What handlers and background tasks work with.

use crate::domain::phone::Country;
use crate::domain::webhook_token::WebhookTokens;
use crate::error::Result;
use access::{OrgScope, SystemScope};
use callfairy_core::{Problem, Secret, Timestamp};
use queue::Queue;
use runtime::Context;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct State {
    /// Shows no organisation's rows: see [`State::of`].
    pub pool: db::Pool,
    pub storage: storage::Storage,
    pub queue: Queue,
    pub context: Context,
    pub calls: Arc<CallSettings>,
    pub organisations: crate::organisations::Organisations,
}

/// How calls are placed and reported.
#[derive(Debug)]
pub struct CallSettings {
    /// Where providers reach the gateway.
    pub public_url: Url,
    /// What the provider signs its webhooks with; `None`: the token in the path is all there is.
    pub webhook_secret: Option<Secret>,
    pub webhook_tokens: WebhookTokens,
    /// In flight at the provider at one time, over all organisations.
    pub max_concurrent: u32,
    /// Begun in a second, over all organisations.
    pub per_second: u32,
    /// How long a claim holds.
    pub lease: Duration,
    /// How often the provider is asked for a call that nothing is heard of.
    pub poll: Duration,
    /// How often what fell silent is looked for.
    pub sweep: Duration,
}

impl State {
    /// The tables as one organisation's; `pool` itself shows no organisation's rows.
    pub fn of(&self, scope: &OrgScope) -> db::Pool {
        self.pool.of(scope.organisation_id())
    }

    /// Records what is no change, such as reading what only some may read: before it is shown.
    pub async fn record(&self, scope: &OrgScope, entry: audit::Entry) -> Result<()> {
        let (entry, now) = (entry.within(scope.organisation_id()), self.now());
        self.of(scope).write(move |db| Ok(audit::record(db, &entry, now)?)).await
    }

    /// The country that a request names, or else the organisation's.
    pub async fn default_country(
        &self,
        scope: &OrgScope,
        named: Option<String>,
    ) -> std::result::Result<Option<String>, Problem> {
        if let Some(named) = named.filter(|code| !code.is_empty()) {
            return Ok(Some(named));
        }
        let settings = self.organisations.settings(scope.organisation_id()).await?;
        let own = Some(settings.default_country.clone());
        // Where nobody has a telephone, it helps no number.
        Ok(own.filter(|code| Country::parse(code).is_ok()))
    }

    /// The tables of all organisations.
    pub fn of_everyone(&self, _: SystemScope) -> db::Pool {
        self.pool.of_everyone()
    }

    pub fn now(&self) -> Timestamp {
        self.context.clock.now()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("context", &self.context).field("calls", &self.calls).finish_non_exhaustive()
    }
}
