//! agent as it runs, between stand-ins for its neighbours.

use crate::neighbours::{Mood, Neighbours};
use access::{Client, Meta, Services};
use agent::{Config, MIGRATIONS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callfairy_core::{Clock, ErrorCode, OrganisationId, Problem, UserId};
use proto::Rpc;
use proto::agent::{
    Agent, AssignAgentRequest, GetAgentRequest, ListAgentsRequest, RevokeAgentRequest, RevokeAgentResponse,
};
use proto::auth::User;
use proto::rpc::agents::{AssignAgent, GetAgent, ListAgents, RevokeAgent};
use proto::tenancy::LookedUpOrganisation;
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use testkit::{AuditLog, Database, FixedClock, TestKey};
use tokio::task::JoinHandle;

/// Longer than anything here should take, however busy the machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

pub struct World {
    pub database: Database,
    pub clock: FixedClock,
    pub agent: Client,
    pub neighbours: Neighbours,
    /// What agent recorded for the audit log.
    pub audit_log: AuditLog,
    pub superadmin: UserId,
    /// Of agent itself.
    pub context: Context,
    settings: Settings,
    shutdown: Shutdown,
    served: Mutex<Option<JoinHandle<Result<(), BoxError>>>>,
    _data: TempDir,
}

impl World {
    /// An empty agent, between neighbours that know one superadmin.
    pub async fn start(database: Database, over_tcp: bool) -> Self {
        let (data, clock, slots) = (TempDir::new().unwrap(), FixedClock::default(), LocalSlots::default());
        let url = database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "agent", &MIGRATIONS)).await.unwrap().unwrap();

        let listener = if over_tcp {
            Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
        } else {
            Listener::local(slots.agent.clone())
        };
        let mut environment = Environment::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("CALLFAIRY_DATA_DIR", data.path().display().to_string());
        set("CALLFAIRY_AGENT_DATABASE_URL", database.url().to_owned());
        set("CALLFAIRY_INTERNAL_KEY", BASE64_STANDARD.encode([1; 32]));
        if let Some(address) = listener.address() {
            set("CALLFAIRY_AGENT_URL", format!("http://{address}"));
        }
        let settings = Settings::load(Program::Platform, None, &environment).unwrap();
        let mut clients = Clients::local(&slots);
        if over_tcp {
            clients.agent = Clients::remote(&settings).unwrap().agent;
        }
        let keys = settings.internal_keys().unwrap();
        let context = |name| Context::new(name, clients.clone(), &keys, Arc::new(clock.clone()));
        let neighbours = Neighbours::default();
        let auth = Services::new(context("auth").guard()).keys(TestKey::default()).users(neighbours.clone());
        slots.auth.fill(Arc::new(auth));
        let tenancy = Services::new(context("tenancy").guard());
        let audit_log = AuditLog::default();
        let tenancy =
            tenancy.organisations(neighbours.clone()).authority(neighbours.clone()).audit_log(audit_log.clone());
        slots.tenancy.fill(Arc::new(tenancy));

        let (shutdown, context) = (Shutdown::new(), context("agent"));
        let served = tokio::spawn(agent::serve(Config::new(&settings, context.clone()), listener, shutdown.clone()));
        let world = Self {
            agent: clients.agent.clone(),
            database,
            clock,
            neighbours,
            audit_log,
            superadmin: UserId::new(),
            context,
            settings,
            shutdown,
            served: Mutex::new(Some(served)),
            _data: data,
        };
        world.neighbours.with(|known| known.superadmins.insert(world.superadmin));
        world.know(world.superadmin, "Root");
        testkit::eventually("agent answers", DEADLINE, async || {
            let answer = world.call::<ListAgents>(world.superadmin, ListAgentsRequest::default()).await;
            answer.ok().map(|_| ())
        })
        .await;
        world
    }

    /// As this agent was given.
    pub fn config(&self) -> Config {
        Config::new(&self.settings, self.context.clone())
    }

    /// A finished test leaves nothing behind.
    pub async fn end(self) {
        self.stop().await;
    }

    /// Stops agent, if it runs; everything else stays.
    pub async fn stop(&self) {
        self.shutdown.begin();
        let served = self.served.lock().unwrap().take();
        if let Some(served) = served {
            served.await.unwrap().unwrap();
        }
    }

    pub async fn call<R: Rpc>(&self, user: UserId, request: R::Request) -> Result<R::Response, Problem> {
        self.agent.unary::<R>(&self.signed_in(user), request).await
    }

    /// As the superadmin.
    pub async fn ask<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.call::<R>(self.superadmin, request).await
    }

    /// What goes beside a user's request.
    pub fn signed_in(&self, user: UserId) -> Meta {
        TestKey::default().signed_in(user, self.clock.now())
    }

    /// An active user that auth knows.
    pub fn user(&self, name: &str) -> UserId {
        let user = UserId::new();
        self.know(user, name);
        user
    }

    fn know(&self, id: UserId, name: &str) {
        let user = User {
            id: id.to_string(),
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_lowercase()),
            is_active: true,
            ..Default::default()
        };
        self.neighbours.with(|known| known.users.insert(id, user));
    }

    /// An active organisation that tenancy knows.
    pub fn organisation(&self, name: &str) -> OrganisationId {
        let id = OrganisationId::new();
        let organisation = LookedUpOrganisation { id: id.to_string(), name: name.to_owned(), is_active: true };
        self.neighbours.with(|known| known.organisations.insert(id, organisation));
        id
    }

    pub fn mood(&self, mood: Mood) {
        self.neighbours.with(|known| known.mood = mood);
    }

    /// Whether each assignment is active, as tenancy knows it.
    pub fn known_active(&self, agent: &Agent) -> Option<bool> {
        self.neighbours.with(|known| known.facts.get(&agent.id).map(|fact| fact.is_active))
    }

    /// With the default package.
    pub async fn assign(&self, user: UserId, organisation: OrganisationId) -> Agent {
        self.ask::<AssignAgent>(assignment(user, organisation)).await.unwrap()
    }

    pub async fn revoke(&self, id: &str) -> Result<RevokeAgentResponse, Problem> {
        self.ask::<RevokeAgent>(RevokeAgentRequest { id: id.to_owned() }).await
    }

    pub async fn get(&self, id: &str) -> Agent {
        self.ask::<GetAgent>(GetAgentRequest { id: id.to_owned() }).await.unwrap()
    }

    /// The first page of what is active, or has ended.
    pub async fn agents(&self, active: bool) -> Vec<Agent> {
        let request = ListAgentsRequest { active: Some(active), page_size: 200, ..Default::default() };
        self.ask::<ListAgents>(request).await.unwrap().agents
    }
}

pub fn assignment(user: UserId, organisation: OrganisationId) -> AssignAgentRequest {
    AssignAgentRequest { user_id: user.to_string(), organisation_id: organisation.to_string(), ..Default::default() }
}

/// An id that nothing has.
pub fn nobody() -> String {
    UserId::new().to_string()
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> ErrorCode {
    answer.unwrap_err().code
}

/// The code and the field that it names.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Problem>) -> (ErrorCode, String) {
    let problem = answer.unwrap_err();
    (problem.code, problem.fields.first().map(|field| field.field.clone()).unwrap_or_default())
}
