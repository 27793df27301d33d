//! Where the services are, and what a service needs to work with the others.

use crate::{BoxError, KeyRing, Settings};
use access::{
    AuthKeys, Client, Guard, InternalKey, KeySource, LatestChange, LocalSlot, Refusals, RemoteAuthority,
    ServiceIdentity, SnapshotSource, Snapshots, TokenVerifier, VerificationKeys,
};
use callfairy_core::{Clock, SystemClock};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Endpoint;

/// A service that does not take a connection within this time is out of reach.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The services with RPCs. Channels connect when they are used, so the order of starting does not matter.
#[derive(Debug, Clone)]
pub struct Clients {
    pub auth: Client,
    pub tenancy: Client,
    pub agent: Client,
    pub telephony: Client,
    /// What this process knows of the changes of access.
    pub latest_change: LatestChange,
}

impl Clients {
    /// Over TCP, at the addresses of the configuration.
    pub fn remote(settings: &Settings) -> Result<Self, BoxError> {
        let latest_change = LatestChange::default();
        let channel = |url: &url::Url| -> Result<Client, BoxError> {
            let endpoint = Endpoint::from_shared(url.as_str().to_owned())?
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(KEEPALIVE)
                .keep_alive_while_idle(true)
                .tcp_nodelay(true);
            Ok(Client::wire(endpoint, latest_change.clone()))
        };
        let endpoints = &settings.endpoints;
        Ok(Self {
            auth: channel(&endpoints.auth.url)?,
            tenancy: channel(&endpoints.tenancy.url)?,
            agent: channel(&endpoints.agent.url)?,
            telephony: channel(&endpoints.telephony.url)?,
            latest_change,
        })
    }

    /// See [`Client::reconnected`].
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self {
            auth: self.auth.reconnected(),
            tenancy: self.tenancy.reconnected(),
            agent: self.agent.reconnected(),
            telephony: self.telephony.reconnected(),
            latest_change: self.latest_change.clone(),
        }
    }

    /// Whether all of them run in this process.
    pub fn are_local(&self) -> bool {
        [&self.auth, &self.tenancy, &self.agent, &self.telephony].into_iter().all(Client::is_local)
    }

    /// In this process: each service fills its slot when it is ready.
    pub fn local(slots: &LocalSlots) -> Self {
        Self {
            auth: Client::Local(slots.auth.clone()),
            tenancy: Client::Local(slots.tenancy.clone()),
            agent: Client::Local(slots.agent.clone()),
            telephony: Client::Local(slots.telephony.clone()),
            latest_change: LatestChange::default(),
        }
    }
}

/// A place for each service of one process.
#[derive(Debug, Clone, Default)]
pub struct LocalSlots {
    pub auth: LocalSlot,
    pub tenancy: LocalSlot,
    pub agent: LocalSlot,
    pub telephony: LocalSlot,
}

/// What every service is given: the others, its own identity, the time.
#[derive(Clone)]
pub struct Context {
    pub clients: Clients,
    pub identity: ServiceIdentity,
    pub clock: Arc<dyn Clock>,
    /// What the guards made here refuse, until somebody takes it.
    pub refusals: Refusals,
    internal: InternalKey,
}

impl Context {
    /// For the service named `name`.
    pub fn new(name: &str, clients: Clients, internal: &KeyRing, clock: Arc<dyn Clock>) -> Self {
        let previous = internal.all().skip(1).map(|key| key.expose().as_slice());
        let internal = InternalKey::new(internal.current().expose(), previous);
        let identity = ServiceIdentity::new(name, internal.clone(), clock.clone());
        let refusals = Refusals::new(clock.clone());
        Self { clients, identity, clock, refusals, internal }
    }

    /// For a service with a process of its own: the others over TCP, the machine's clock.
    pub fn remote(name: &str, settings: &Settings) -> Result<Self, BoxError> {
        let clients = Clients::remote(settings)?;
        Ok(Self::new(name, clients, &settings.internal_keys()?, Arc::new(SystemClock)))
    }

    /// The guard of a service that asks auth for keys and tenancy for access.
    pub fn guard(&self) -> Guard {
        self.guard_with(self.auth_keys(), self.snapshots())
    }

    /// The guard of auth or tenancy, which ask themselves.
    pub fn guard_with(&self, keys: Arc<dyn KeySource>, snapshots: Snapshots) -> Guard {
        Guard::new(self.verifier(keys), snapshots).counting(self.refusals.clone())
    }

    /// What tenancy says, kept fresh while the guard's services are served.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.authority(), self.clients.latest_change.clone())
    }

    pub fn auth_keys(&self) -> Arc<dyn KeySource> {
        Arc::new(AuthKeys(self.clients.auth.clone()))
    }

    pub fn authority(&self) -> Arc<dyn SnapshotSource> {
        Arc::new(RemoteAuthority { client: self.clients.tenancy.clone(), identity: self.identity.clone() })
    }

    /// Tells who sent a token, without deciding what they may do.
    pub fn verifier(&self, keys: Arc<dyn KeySource>) -> TokenVerifier {
        TokenVerifier::new(VerificationKeys::new(keys), self.internal.clone(), self.clock.clone())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("clients", &self.clients)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
