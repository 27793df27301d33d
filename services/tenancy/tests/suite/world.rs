//! tenancy as it runs, with stand-ins for auth and agent.

use crate::post::Post;
use crate::reviews::Reviewer;
use access::{Client, LocalSlot, Meta, ServiceIdentity, Services};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callfairy_core::{Clock, ErrorCode, Id, OrganisationId, Problem, UserId};
use db::diesel::sql_types::BigInt;
use db::diesel::{self, RunQueryDsl};
use proto::rpc::audit_log::ListAuditLogs;
use proto::rpc::authority::{GetAccess, ReportAccount, ReportAssignment};
use proto::rpc::grants::GrantUserPermission;
use proto::rpc::members::AddMember;
use proto::rpc::organisations::{CreateOrganisation, UpdateOrganisation};
use proto::tenancy::*;
use proto::{Permission, Rpc};
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tenancy::{Config, MIGRATIONS};
use testkit::{Database, FixedClock, TestKey};
use tokio::task::JoinHandle;

/// Longer than anything here should take, however busy the machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub struct World {
    pub database: Database,
    pub clock: FixedClock,
    pub tenancy: Client,
    /// Of another service.
    pub service: ServiceIdentity,
    pub superadmin: UserId,
    /// The mail that auth was asked for.
    pub post: Post,
    /// What agent was asked to look at.
    pub reviewer: Reviewer,
    settings: Settings,
    context: Context,
    shutdown: Shutdown,
    served: JoinHandle<Result<(), BoxError>>,
    _data: TempDir,
}

impl World {
    /// An empty tenancy that knows one superadmin.
    pub async fn start(database: Database, over_tcp: bool) -> Self {
        let (data, clock, slots) = (TempDir::new().unwrap(), FixedClock::default(), LocalSlots::default());
        let url = database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "tenancy", &MIGRATIONS)).await.unwrap().unwrap();

        let listener = if over_tcp {
            Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
        } else {
            Listener::local(slots.tenancy.clone())
        };
        let mut environment = Environment::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("CALLFAIRY_DATA_DIR", data.path().display().to_string());
        set("CALLFAIRY_TENANCY_DATABASE_URL", database.url().to_owned());
        set("CALLFAIRY_INTERNAL_KEY", BASE64_STANDARD.encode([1; 32]));
        set("CALLFAIRY_MASTER_KEY", BASE64_STANDARD.encode([2; 32]));
        if let Some(address) = listener.address() {
            set("CALLFAIRY_TENANCY_URL", format!("http://{address}"));
        }
        let settings = Settings::load(Program::Platform, None, &environment).unwrap();
        let mut clients = Clients::local(&slots);
        if over_tcp {
            clients.tenancy = Clients::remote(&settings).unwrap().tenancy;
        }
        let keys = settings.internal_keys().unwrap();
        let context = |name| Context::new(name, clients.clone(), &keys, Arc::new(clock.clone()));
        let post = Post::default();
        serve_auth(&context("auth"), &slots.auth, post.clone());
        let reviewer = Reviewer::default();
        slots.agent.fill(Arc::new(Services::new(context("agent").guard()).reviews(reviewer.clone())));

        let (shutdown, service, context) = (Shutdown::new(), context("agent").identity, context("tenancy"));
        let config = Config::new(&settings, context.clone()).unwrap();
        let served = tokio::spawn(tenancy::serve(config, listener, shutdown.clone()));
        let world = Self {
            database,
            clock,
            tenancy: clients.tenancy.clone(),
            service,
            superadmin: UserId::new(),
            post,
            reviewer,
            settings,
            context,
            shutdown,
            served,
            _data: data,
        };
        world.is_up().await;
        world.report_account(AccountFact { is_superadmin: true, ..account(world.superadmin, "Root") }).await;
        world
    }

    async fn is_up(&self) {
        testkit::eventually("tenancy answers", DEADLINE, async || {
            let answer = self.asks::<proto::rpc::authority::GetRoles>(GetRolesRequest::default()).await;
            answer.ok().map(|_| ())
        })
        .await;
    }

    /// As this tenancy was given.
    pub fn config(&self) -> Config {
        Config::new(&self.settings, self.context.clone()).unwrap()
    }

    /// The latest change of access that this tenancy's process knows of.
    pub fn latest_change(&self) -> i64 {
        self.context.clients.latest_change.get()
    }

    /// A finished test leaves nothing behind.
    pub async fn end(self) {
        self.shutdown.begin();
        self.served.await.unwrap().unwrap();
    }

    /// As a user.
    pub async fn call<R: Rpc>(&self, user: UserId, request: R::Request) -> Result<R::Response, Problem> {
        self.tenancy.unary::<R>(&self.signed_in(user), request).await
    }

    /// As another service.
    pub async fn asks<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.tenancy.unary::<R>(&self.service.meta().unwrap(), request).await
    }

    /// What goes beside a user's request.
    pub fn signed_in(&self, user: UserId) -> Meta {
        TestKey::default().signed_in(user, self.clock.now())
    }

    pub async fn report_account(&self, fact: AccountFact) {
        self.asks::<ReportAccount>(fact).await.unwrap();
    }

    pub async fn report_assignment(&self, fact: AssignmentFact) {
        self.asks::<ReportAssignment>(fact).await.unwrap();
    }

    /// An active account that is nobody's agent.
    pub async fn user(&self, name: &str) -> UserId {
        let user = UserId::new();
        self.report_account(account(user, name)).await;
        user
    }

    /// An active account with an active assignment.
    pub async fn agent(&self, name: &str, organisation: &str, permissions: &[Permission]) -> UserId {
        let user = self.user(name).await;
        self.report_assignment(assignment(user, organisation, permissions)).await;
        user
    }

    /// An active account that is a member.
    pub async fn member(&self, name: &str, organisation: &str) -> UserId {
        let user = self.user(name).await;
        self.invite(organisation, &account(user, name).email).await;
        user
    }

    /// What the audit log holds of an action, the newest first.
    pub async fn audited(&self, action: &str) -> Vec<AuditLogEntry> {
        let request = ListAuditLogsRequest { action: action.to_owned(), page_size: 200, ..Default::default() };
        self.call::<ListAuditLogs>(self.superadmin, request).await.unwrap().audit_logs
    }

    /// Waits until all that was recorded is in the log.
    pub async fn all_is_recorded(&self) {
        let pool = db::Pool::open(self.database.url(), "tenancy", 1).unwrap();
        testkit::eventually("the outbox was empty", DEADLINE, async || {
            let count = |db: &mut db::Db| -> Result<i64, db::Error> {
                let count = diesel::dsl::sql::<BigInt>("SELECT count(*) FROM outbox");
                Ok(db::on!(db, |c| count.get_result(c))?)
            };
            (pool.read(count).await.unwrap() == 0).then_some(())
        })
        .await;
    }

    /// By a superadmin.
    pub async fn invite(&self, organisation: &str, email: &str) {
        let request = AddMemberRequest {
            organisation_id: organisation.to_owned(),
            email: email.to_owned(),
            ..Default::default()
        };
        self.call::<AddMember>(self.superadmin, request).await.unwrap();
    }

    /// Directly.
    pub async fn grant(&self, user: UserId, permissions: &[Permission]) {
        for permission in permissions {
            let request = GrantUserPermissionRequest { id: user.to_string(), key: (*permission).into() };
            self.call::<GrantUserPermission>(self.superadmin, request).await.unwrap();
        }
    }

    /// As the authority tells it to the other services; of which change, suite::changes asks.
    pub async fn snapshot(&self, user: UserId, organisation: &str) -> AccessSnapshot {
        let request = GetAccessRequest {
            user_id: user.to_string(),
            organisation_id: organisation.to_owned(),
            ..Default::default()
        };
        AccessSnapshot { as_of: 0, ..self.asks::<GetAccess>(request).await.unwrap() }
    }

    pub async fn organisation(&self, name: &str) -> Organisation {
        let request = CreateOrganisationRequest { name: name.to_owned(), ..Default::default() };
        self.call::<CreateOrganisation>(self.superadmin, request).await.unwrap()
    }

    pub async fn deactivate(&self, organisation: &str) {
        let request = UpdateOrganisationRequest {
            organisation_id: organisation.to_owned(),
            is_active: Some(false),
            ..Default::default()
        };
        self.call::<UpdateOrganisation>(self.superadmin, request).await.unwrap();
    }
}

pub fn account(user: UserId, name: &str) -> AccountFact {
    AccountFact {
        user_id: user.to_string(),
        version: 1,
        email: format!("{}@example.com", name.to_lowercase()),
        name: name.to_owned(),
        is_active: true,
        is_superadmin: false,
        ended_sessions: vec![],
    }
}

pub fn assignment(user: UserId, organisation: &str, permissions: &[Permission]) -> AssignmentFact {
    AssignmentFact {
        assignment_id: Id::<()>::new().to_string(),
        version: 1,
        user_id: user.to_string(),
        organisation_id: organisation.to_owned(),
        is_active: true,
        permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
    }
}

/// What a snapshot allows.
pub fn keys(snapshot: &AccessSnapshot) -> Vec<&'static str> {
    let allowed = proto::PERMISSIONS.iter().filter(|info| snapshot.permissions & bit(info.permission) != 0);
    allowed.map(|info| info.key).collect()
}

pub fn bit(permission: Permission) -> u64 {
    1 << (permission as i32 - 1)
}

/// An id that nothing has.
pub fn nobody() -> String {
    OrganisationId::new().to_string()
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> ErrorCode {
    answer.unwrap_err().code
}

fn serve_auth(context: &Context, slot: &LocalSlot, post: Post) {
    slot.fill(Arc::new(Services::new(context.guard()).keys(TestKey::default()).membership_mail(post)));
}
