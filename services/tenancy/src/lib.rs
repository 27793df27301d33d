//! The tenants of the platform, and the authority on who may do what in them.
//!
//! Owns: organisations, their members and API keys; what superadmins grant to users directly; the facts that auth
//! (accounts) and agent (assignments) report; what follows from all that, as the rules in `domain/access.rs` say; the
//! audit log, into which all services write what was done (`domain/chain.rs`, and the crate `audit`).
//! Refuses: to be the source of those facts. Whether an account is active is auth's to say, who is whose agent is
//! agent's; both report each change with a version, and an older one changes nothing here.
//!
//! Deactivating an organisation ends everybody's access to it but the superadmins', at once. Its agent's assignment, or
//! that of a user who was deactivated, is revoked where it was made, soon after (`reviews.rs`): it does not come back.
//!
//! To add an RPC: write it in `proto/callfairy/tenancy`, build, and the compiler asks for its method in `api/`; what
//! it reads and writes goes into `store/`. To add a rule: `domain/access.rs`, and the same in the plain words of its
//! tests.

mod api;
mod domain;
mod error;
mod relay;
mod reviews;
mod store;
mod vault;
mod verification;

pub use verification::{Fault, VerificationError, Verified, verify_audit_log};

use error::{Error, Result};
use vault::Vault;

use access::{Services, Snapshots};
use callfairy_core::Secret;
use db::{Migrations, Pool};
use runtime::health::Health;
use runtime::{BoxError, Context, KeyRing, Listener, Program, Service, Settings, Shutdown, Tasks};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

pub const MIGRATIONS: Migrations =
    db::migrations!("../../migrations/tenancy/postgres", "../../migrations/tenancy/sqlite");

/// What tenancy needs to run.
#[derive(Debug)]
pub struct Config {
    pub database_url: Secret,
    pub pool_size: u32,
    /// Seals what must not be read.
    pub master_keys: KeyRing,
    /// Where the service's own binary answers health checks.
    pub ops_addr: Option<SocketAddr>,
    pub context: Context,
}

impl Config {
    pub fn new(settings: &Settings, context: Context) -> Result<Self, BoxError> {
        Ok(Self {
            database_url: settings.database(Service::Tenancy).clone(),
            pool_size: settings.database_pool_size,
            master_keys: settings.master_keys()?,
            ops_addr: settings.ops_addr.filter(|_| settings.program == Program::Tenancy),
            context,
        })
    }
}

/// tenancy as a program of its own: the other services over TCP.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("tenancy", &settings)?;
    let listener = Listener::bind(settings.endpoints.tenancy.addr).await?;
    serve(Config::new(&settings, context)?, listener, shutdown).await
}

/// Runs tenancy until the shutdown. Refuses a schema that [`MIGRATIONS`] do not fit.
pub async fn serve(config: Config, listener: Listener, shutdown: Shutdown) -> Result<(), BoxError> {
    let Config { database_url, pool_size, master_keys, ops_addr, context } = config;
    let (url, schema) = (database_url.clone(), Service::Tenancy.name());
    tokio::task::spawn_blocking(move || db::check(url.expose(), schema, &MIGRATIONS)).await??;
    let pool = Pool::open(database_url.expose(), schema, pool_size)?;

    let latest_change = context.clients.latest_change.clone();
    let changes = api::Changes::new(latest_change.clone(), shutdown.clone());
    let state = api::State {
        pool: changes.noted(pool.clone()),
        clock: context.clock.clone(),
        changes: changes.clone(),
        vault: Vault::new(master_keys),
    };
    let own_access = api::OwnAccess(state.clone());
    let guard = context.guard_with(context.auth_keys(), Snapshots::uncached(Arc::new(own_access), latest_change));
    let services = Services::new(guard)
        .organisations(api::Organisations(state.clone()))
        .deactivation(api::Deactivation(state.clone()))
        .settings(api::Settings(state.clone()))
        .access(api::Access(state.clone()))
        .grants(api::Grants(state.clone()))
        .members(api::Members(state.clone()))
        .member_invitations(api::MemberInvitations(state.clone()))
        .api_keys(api::ApiKeys(state.clone()))
        .authority(api::Authority(state.clone()))
        .audit_log(api::AuditLog(state));

    let mut tasks = Tasks::new(shutdown.clone());
    // What tenancy records goes the same way as what the others do.
    let trail = audit::Trail::new(context.clients.tenancy.clone(), context.identity.clone());
    let relay = relay::Relay { auth: context.clients.auth.clone(), identity: context.identity.clone() };
    let reviews = reviews::Reviews { agent: context.clients.agent.clone(), identity: context.identity.clone() };
    let (outbox, stop) = (pool.clone(), shutdown.token());
    tasks.spawn("tenancy's relay", async move {
        let publish = |rows| reviews.clone().publish_beside(rows, |rows| relay.clone().publish(rows));
        db::outbox::relay(outbox, stop, |rows| trail.publish_beside(rows, publish)).await;
        Ok::<_, Infallible>(())
    });
    tasks.spawn("tenancy's refusals", audit::refusals(pool.clone(), context.refusals.clone(), shutdown.token()));
    tasks.spawn(
        "tenancy's purge",
        db::purge::run(pool.of_everyone(), context.clock.clone(), shutdown.token(), store::OLD_ROWS),
    );
    tasks.spawn("tenancy's changes", changes.follow(pool.clone()));
    if let Some(address) = ops_addr {
        let ops = TcpListener::bind(address).await?;
        let health = Health::new().check("database", move || {
            let pool = pool.clone();
            async move { pool.ping().await }
        });
        tasks.spawn("tenancy's health", health.serve(ops, shutdown.clone()));
    }
    tasks.spawn("tenancy", runtime::serve_grpc(listener, services, shutdown));
    Ok(tasks.join().await?)
}
