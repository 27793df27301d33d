//! The gateway as it runs, and those who call it.

use crate::fakes::{self, Seen};
use access::{
    ACCESS_TOKEN_TYPE, AsOf, Changes, KeyHash, Relation, Services, Snapshot, SnapshotSource, Snapshots, WorkingKey,
};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callfairy_core::{Clock, Id, OrganisationId, Problem, UserId};
use gateway::{Config, Limits};
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown, serve_grpc};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Client, FixedClock, TestKey};
use tokio::task::JoinHandle;

/// Longer than anything here should take, however busy the machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The organisation that Ada is an agent of.
pub const ORGANISATION: &str = "0190a6f1-0000-7000-8000-000000000001";
/// One that exists, but that she has nothing to do with.
pub const FOREIGN: &str = "0190a6f1-0000-7000-8000-000000000002";

pub struct World {
    pub address: SocketAddr,
    pub nobody: Client,
    /// An agent who may do all that can be granted.
    pub ada: Client,
    pub clock: FixedClock,
    pub seen: Arc<Seen>,
    pub context: Context,
    pub shutdown: Shutdown,
    served: JoinHandle<Result<(), BoxError>>,
    services: Vec<JoinHandle<Result<(), BoxError>>>,
}

/// How a test differs from the usual.
#[derive(Default)]
pub struct Setup {
    pub over_tcp: bool,
    pub limits: Limits,
    pub origins: &'static str,
    pub public_url: &'static str,
    pub trusted_proxies: &'static str,
    /// Names of services that are not there.
    pub absent: &'static [&'static str],
}

impl World {
    /// Another one like Ada.
    pub fn someone(&self) -> Client {
        someone(&self.nobody, &self.clock)
    }

    pub async fn start(over_tcp: bool) -> Self {
        Self::start_with(Setup { over_tcp, ..Setup::default() }).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let (clock, slots, seen) = (FixedClock::default(), LocalSlots::default(), Arc::new(Seen::default()));
        let mut environment = Environment::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("CALLFAIRY_INTERNAL_KEY", BASE64_STANDARD.encode([1; 32]));
        set("CALLFAIRY_CORS_ORIGINS", setup.origins.to_owned());
        set("CALLFAIRY_PUBLIC_URL", setup.public_url.to_owned());
        set("CALLFAIRY_TRUSTED_PROXIES", setup.trusted_proxies.to_owned());
        let mut listeners = Vec::new();
        for (name, slot) in [
            ("auth", &slots.auth),
            ("tenancy", &slots.tenancy),
            ("agent", &slots.agent),
            ("telephony", &slots.telephony),
        ] {
            let listener = if setup.over_tcp {
                Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
            } else {
                Listener::local(slot.clone())
            };
            if let Some(address) = listener.address() {
                set(&format!("CALLFAIRY_{}_URL", name.to_uppercase()), format!("http://{address}"));
            }
            listeners.push((name, listener));
        }
        let settings = Settings::load(Program::Platform, None, &environment).unwrap();
        let clients = if setup.over_tcp { Clients::remote(&settings).unwrap() } else { Clients::local(&slots) };
        let context = Context::new("gateway", clients, &settings.internal_keys().unwrap(), Arc::new(clock.clone()));

        let shutdown = Shutdown::new();
        listeners.retain(|(name, _)| !setup.absent.contains(name));
        let services = listeners.into_iter().map(|(name, listener)| {
            let snapshots = Snapshots::new(Arc::new(Authority), context.clients.latest_change.clone());
            let services = Services::new(context.guard_with(context.auth_keys(), snapshots));
            let services = fakes::mount(name, services, &seen);
            let shutdown = seen.end.clone();
            tokio::spawn(serve_grpc(listener, services, shutdown))
        });
        let services = services.collect();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config { limits: setup.limits, ..Config::new(&settings, context.clone()) };
        let served = tokio::spawn(gateway::serve(config, listener, shutdown.clone()));
        let nobody = Client::new(format!("http://{address}"));
        let ada = someone(&nobody, &clock);
        let world = Self { address, nobody, ada, clock, seen, context, shutdown, served, services };
        if setup.absent.is_empty() {
            testkit::eventually("all is ready", DEADLINE, async || {
                (world.nobody.get("//readyz").await.status == 200).then_some(())
            })
            .await;
        }
        world
    }

    /// Answers how the gateway ended.
    pub async fn stopped(&mut self) -> Result<(), BoxError> {
        (&mut self.served).await.unwrap()
    }

    /// A finished test leaves nothing behind.
    pub async fn end(mut self) {
        self.shutdown.begin();
        self.stopped().await.unwrap();
        self.end_services().await;
    }

    pub async fn end_services(&mut self) {
        self.seen.end.begin();
        for service in self.services.drain(..) {
            service.await.unwrap().unwrap();
        }
    }
}

/// A client of somebody new.
fn someone(nobody: &Client, clock: &FixedClock) -> Client {
    nobody.with_token(TestKey::default().sign(ACCESS_TOKEN_TYPE, &testkit::claims(UserId::new(), clock.now())))
}

/// Everybody who has signed in is an agent of [`ORGANISATION`].
struct Authority;

#[async_trait]
impl SnapshotSource for Authority {
    async fn snapshot(&self, _: access::User, organisation: Option<OrganisationId>) -> Result<AsOf<Snapshot>, Problem> {
        let named = organisation.map(|id| id.to_string()).unwrap_or_default();
        let is_agent = named == ORGANISATION;
        let value = Snapshot {
            user_is_active: true,
            is_superadmin: false,
            organisation_exists: is_agent || named == FOREIGN,
            relation: if is_agent { Relation::Agent } else { Relation::None },
            permissions: access::PermissionSet::grantable(),
        };
        Ok(AsOf { number: 0, value })
    }

    async fn api_key(&self, _: &KeyHash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        Ok(None)
    }

    /// Nothing ever changes.
    async fn changes(&self, after: Option<i64>, wait: Duration) -> Result<Changes, Problem> {
        if after.is_some() {
            tokio::time::sleep(wait).await;
        }
        Ok(Changes { head: 0, subjects: after.map(|_| vec![]) })
    }
}

/// `path` below the organisation.
pub fn own(path: &str) -> String {
    format!("/organisations/{ORGANISATION}{path}")
}

/// An id that nothing has.
pub fn unknown() -> String {
    Id::<()>::new().to_string()
}
