//! telephony as it runs, with stand-ins for what it asks of auth and tenancy.

use access::{Call, Client, Meta, PermissionSet, ServiceIdentity, Services};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callfairy_core::{Clock, ErrorCode, OrganisationId, Problem, UserId};
use proto::rpc::authority as authority_rpc;
use proto::rpc::organisations as organisations_rpc;
use proto::rpc::settings as settings_rpc;
use proto::tenancy::{self as api, AccessSnapshot, Relation};
use proto::types::Empty;
use proto::{Permission, Rpc};
use queue::{Queue, RetryPolicy};
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::Storage;
use telephony::{Config, MIGRATIONS};
use tempfile::TempDir;
use testkit::{AuditLog, Database, FixedClock, TestKey};
use tokio::task::JoinHandle;

/// Longer than anything here should take, however busy the machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

pub struct World {
    pub clock: FixedClock,
    pub telephony: Client,
    /// For workers.
    pub context: Context,
    pub queue: Queue,
    pub storage: Storage,
    /// telephony's own tables, to set what only time would bring.
    pub pool: db::Pool,
    pub tenancy: Tenancy,
    /// What telephony recorded for the audit log.
    pub audit_log: AuditLog,
    settings: Settings,
    over_tcp: bool,
    /// telephony's own.
    own: Context,
    shutdown: Shutdown,
    served: JoinHandle<Result<(), BoxError>>,
    data: TempDir,
    database: Database,
}

impl World {
    /// An empty telephony.
    pub async fn start(database: Database, over_tcp: bool) -> Self {
        let (data, clock, slots) = (TempDir::new().unwrap(), FixedClock::default(), LocalSlots::default());
        let url = database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "telephony", &MIGRATIONS)).await.unwrap().unwrap();

        let listener = if over_tcp {
            Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
        } else {
            Listener::local(slots.telephony.clone())
        };
        let mut environment = Environment::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("CALLFAIRY_DATA_DIR", data.path().display().to_string());
        set("CALLFAIRY_TELEPHONY_DATABASE_URL", database.url().to_owned());
        set("CALLFAIRY_INTERNAL_KEY", BASE64_STANDARD.encode([1; 32]));
        set("CALLFAIRY_MASTER_KEY", BASE64_STANDARD.encode([2; 32]));
        set("CALLFAIRY_SWEEP_SECONDS", "1".to_owned());
        if let Some(address) = listener.address() {
            set("CALLFAIRY_TELEPHONY_URL", format!("http://{address}"));
        }
        let settings = Settings::load(Program::Platform, None, &environment).unwrap();
        let mut clients = Clients::local(&slots);
        if over_tcp {
            clients.telephony = Clients::remote(&settings).unwrap().telephony;
        }
        let keys = settings.internal_keys().unwrap();
        let context = |name| Context::new(name, clients.clone(), &keys, Arc::new(clock.clone()));

        let tenancy = Tenancy::default();
        slots.auth.fill(Arc::new(Services::new(context("auth").guard()).keys(TestKey::default())));
        let services = Services::new(context("tenancy").guard());
        let audit_log = AuditLog::default();
        let services = services.authority(tenancy.clone()).organisations(tenancy.clone()).settings(tenancy.clone());
        let services = services.audit_log(audit_log.clone());
        slots.tenancy.fill(Arc::new(services));

        // Pauses that a test can wait for.
        let pauses = (Duration::from_millis(5), Duration::from_millis(20));
        let policy = RetryPolicy { pause_min: pauses.0, pause_max: pauses.1, ..RetryPolicy::default() };
        let (queue, shutdown) = (Queue::embedded_with(policy), Shutdown::new());
        let own = context("telephony");
        let config = Config::new(&settings, own.clone(), queue.clone()).unwrap();
        let served = tokio::spawn(telephony::serve(config, listener, shutdown.clone()));
        let world = Self {
            clock: clock.clone(),
            telephony: clients.telephony.clone(),
            context: context("worker"),
            queue,
            storage: Storage::open(&settings.storage_url).unwrap(),
            pool: db::Pool::open(database.url(), "telephony", 2).unwrap().of_everyone(),
            tenancy,
            audit_log,
            settings,
            over_tcp,
            own,
            shutdown,
            served,
            data,
            database,
        };
        testkit::eventually("telephony answers", DEADLINE, async || {
            let request = proto::jobs::ClaimImportRequest { import_id: nobody(), ..Default::default() };
            world.asks::<proto::rpc::import_jobs::ClaimImport>(request).await.ok()
        })
        .await;
        world
    }

    /// A finished test leaves nothing behind.
    pub async fn end(self) {
        self.shutdown.begin();
        self.served.await.unwrap().unwrap();
    }

    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Another telephony on the same tables, which nobody calls, until `done`.
    pub async fn with_replica(&self, done: impl Future<Output = ()>) {
        let config = Config::new(&self.settings, self.own.clone(), self.queue.clone()).unwrap();
        let (shutdown, listener) = (Shutdown::new(), Listener::local(LocalSlots::default().telephony));
        let served = tokio::spawn(telephony::serve(config, listener, shutdown.clone()));
        done.await;
        shutdown.begin();
        served.await.unwrap().unwrap();
    }

    /// As a user.
    pub async fn call<R: Rpc>(&self, user: UserId, request: R::Request) -> Result<R::Response, Problem> {
        self.telephony.unary::<R>(&self.signed_in(user), request).await
    }

    /// As a user, with an idempotency key.
    pub async fn call_once<R: Rpc>(
        &self,
        user: UserId,
        key: &str,
        request: R::Request,
    ) -> Result<R::Response, Problem> {
        let meta = Meta { idempotency_key: Some(key.to_owned()), ..self.signed_in(user) };
        self.telephony.unary::<R>(&meta, request).await
    }

    /// Runs what a caller does who then is gone, with all its connections.
    pub async fn vanishing_caller<F, Fut>(&self, call: F)
    where
        F: FnOnce(Client) -> Fut + Send + 'static,
        Fut: Future<Output = ()>,
    {
        if !self.over_tcp {
            return call(self.telephony.clone()).await;
        }
        let settings = self.settings.clone();
        let process = move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { call(Clients::remote(&settings).unwrap().telephony).await });
        };
        tokio::task::spawn_blocking(process).await.unwrap();
    }

    /// As another service.
    pub async fn asks<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.telephony.unary::<R>(&self.service().meta().unwrap(), request).await
    }

    pub fn service(&self) -> &ServiceIdentity {
        &self.context.identity
    }

    /// An active organisation, and somebody who may do everything in it.
    pub fn organisation(&self) -> (OrganisationId, UserId) {
        let organisation = OrganisationId::new();
        (organisation, self.agent(organisation, PermissionSet::grantable()))
    }

    pub fn agent(&self, organisation: OrganisationId, permissions: PermissionSet) -> UserId {
        let user = UserId::new();
        self.tenancy.0.lock().unwrap().insert((user, organisation), permissions);
        user
    }

    /// What goes beside a user's request.
    pub fn signed_in(&self, user: UserId) -> Meta {
        TestKey::default().signed_in(user, self.clock.now())
    }

    /// Runs SQL on telephony's tables.
    pub async fn sql(&self, sql: &str) {
        let sql = sql.to_owned();
        self.pool.write(move |db| Ok::<_, db::Error>(db.batch_execute(&sql)?)).await.unwrap();
    }

    /// The files in the object store.
    pub fn stored(&self) -> Vec<std::path::PathBuf> {
        let mut files = vec![];
        let mut directories = vec![self.data.path().join("files")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

/// An id that nothing has.
pub fn nobody() -> String {
    OrganisationId::new().to_string()
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> ErrorCode {
    answer.unwrap_err().code
}

/// The one bad field of an answer.
pub fn field<T: std::fmt::Debug>(answer: Result<T, Problem>) -> String {
    let problem = answer.unwrap_err();
    assert_eq!(problem.fields.len(), 1, "{problem:?}");
    problem.fields[0].field.clone()
}

/// Who may do what, and how each organisation calls.
#[derive(Debug, Clone, Default)]
pub struct Tenancy(
    Arc<Mutex<HashMap<(UserId, OrganisationId), PermissionSet>>>,
    Arc<Mutex<HashMap<OrganisationId, api::CallingSettings>>>,
);

impl Tenancy {
    fn knows(&self, organisation: &str) -> bool {
        let known = self.0.lock().unwrap();
        known.keys().any(|(_, known)| known.to_string() == organisation)
    }

    pub fn set(&self, organisation: OrganisationId, settings: api::CallingSettings) {
        self.1.lock().unwrap().insert(organisation, settings);
    }
}

fn unused<T>() -> Result<T, Problem> {
    Err(Problem::new(ErrorCode::Unimplemented, "telephony does not ask this"))
}

impl access::Authority for Tenancy {
    async fn get_access(&self, call: Call<authority_rpc::GetAccess>) -> Result<AccessSnapshot, Problem> {
        let request = call.request;
        let key = (request.user_id.parse().unwrap(), request.organisation_id.parse().unwrap_or(OrganisationId::new()));
        let permissions = self.0.lock().unwrap().get(&key).copied();
        Ok(AccessSnapshot {
            user_is_active: true,
            is_superadmin: false,
            organisation_exists: self.knows(&request.organisation_id),
            relation: permissions.map_or(Relation::Unspecified, |_| Relation::Agent).into(),
            permissions: permissions.unwrap_or_default().bits(),
            as_of: 0,
        })
    }

    async fn report_account(&self, _: Call<authority_rpc::ReportAccount>) -> Result<Empty, Problem> {
        unused()
    }

    async fn report_assignment(&self, _: Call<authority_rpc::ReportAssignment>) -> Result<Empty, Problem> {
        unused()
    }

    /// It cannot be followed: what it says counts for one request.
    async fn follow_access(&self, _: Call<authority_rpc::FollowAccess>) -> Result<api::AccessChanges, Problem> {
        Err(Problem::unavailable("tenancy"))
    }

    async fn get_roles(&self, _: Call<authority_rpc::GetRoles>) -> Result<api::GetRolesResponse, Problem> {
        unused()
    }
}

impl access::Organisations for Tenancy {
    async fn look_up_organisations(
        &self,
        call: Call<organisations_rpc::LookUpOrganisations>,
    ) -> Result<api::LookUpOrganisationsResponse, Problem> {
        let known = call.request.ids.into_iter().filter(|id| self.knows(id));
        let active = |id| api::LookedUpOrganisation { id, name: "Acme".to_owned(), is_active: true };
        Ok(api::LookUpOrganisationsResponse { organisations: known.map(active).collect() })
    }

    async fn list_organisations(
        &self,
        _: Call<organisations_rpc::ListOrganisations>,
    ) -> Result<api::ListOrganisationsResponse, Problem> {
        unused()
    }

    async fn create_organisation(
        &self,
        _: Call<organisations_rpc::CreateOrganisation>,
    ) -> Result<api::Organisation, Problem> {
        unused()
    }

    async fn get_organisation(
        &self,
        _: Call<organisations_rpc::GetOrganisation>,
    ) -> Result<api::Organisation, Problem> {
        unused()
    }

    async fn update_organisation(
        &self,
        _: Call<organisations_rpc::UpdateOrganisation>,
    ) -> Result<api::Organisation, Problem> {
        unused()
    }
}

impl access::Settings for Tenancy {
    async fn get_calling_settings(
        &self,
        call: Call<settings_rpc::GetCallingSettings>,
    ) -> Result<api::CallingSettings, Problem> {
        let organisation = call.request.organisation_id.parse().unwrap();
        Ok(self.1.lock().unwrap().get(&organisation).cloned().unwrap_or_default())
    }

    async fn get_organisation_settings(
        &self,
        _: Call<settings_rpc::GetOrganisationSettings>,
    ) -> Result<api::OrganisationSettings, Problem> {
        unused()
    }

    async fn update_organisation_settings(
        &self,
        _: Call<settings_rpc::UpdateOrganisationSettings>,
    ) -> Result<api::OrganisationSettings, Problem> {
        unused()
    }
}

/// Permissions of somebody who may do one thing.
pub fn only(permission: Permission) -> PermissionSet {
    [permission].into_iter().collect()
}
