//! Who manages which organisation, and with which permissions.
//!
//! Owns: agent assignments with their history and their grants, and the packages of permissions. An organisation has
//! at most one active agent and a user is the active agent of at most one organisation: two partial unique indexes
//! hold that, whatever runs at the same time. Refuses: to decide what an agent may do. It reports each assignment to
//! tenancy, the authority, and forgets nothing: rows are revoked, never deleted. When tenancy learns that a user or an
//! organisation was deactivated, it asks agent to look again (`api/reviews.rs`), who revokes if that is still so.
//!
//! To add an RPC: write it in `proto/callfairy/agent`, build, and the compiler asks for its method in `api/`; what it
//! reads and writes goes into `store/`. A change of an assignment raises its version, and calls `facts::enqueue` in
//! the same transaction, and records it with `audit`. To add a package: a line in `domain/packages.rs`, and a value in the contract.

mod api;
mod domain;
mod error;
mod facts;
mod neighbours;
mod store;

pub use domain::packages::all as packages;

use error::{Error, Result};

use access::Services;
use callfairy_core::Secret;
use db::{Migrations, Pool};
use runtime::health::Health;
use runtime::{BoxError, Context, Listener, Program, Service, Settings, Shutdown, Tasks};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;

pub const MIGRATIONS: Migrations = db::migrations!("../../migrations/agent/postgres", "../../migrations/agent/sqlite");

/// What agent needs to run.
#[derive(Debug)]
pub struct Config {
    pub database_url: Secret,
    pub pool_size: u32,
    /// Where the service's own binary answers health checks.
    pub ops_addr: Option<SocketAddr>,
    pub context: Context,
}

impl Config {
    pub fn new(settings: &Settings, context: Context) -> Self {
        Self {
            database_url: settings.database(Service::Agent).clone(),
            pool_size: settings.database_pool_size,
            ops_addr: settings.ops_addr.filter(|_| settings.program == Program::Agent),
            context,
        }
    }
}

/// agent as a program of its own: the other services over TCP.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("agent", &settings)?;
    let listener = Listener::bind(settings.endpoints.agent.addr).await?;
    serve(Config::new(&settings, context), listener, shutdown).await
}

/// Runs agent until the shutdown. Refuses a schema that [`MIGRATIONS`] do not fit.
pub async fn serve(config: Config, listener: Listener, shutdown: Shutdown) -> Result<(), BoxError> {
    let Config { database_url, pool_size, ops_addr, context } = config;
    let (url, schema) = (database_url.clone(), Service::Agent.name());
    tokio::task::spawn_blocking(move || db::check(url.expose(), schema, &MIGRATIONS)).await??;
    let pool = Pool::open(database_url.expose(), schema, pool_size)?;

    let (identity, auth, tenancy) =
        (context.identity.clone(), context.clients.auth.clone(), context.clients.tenancy.clone());
    let reporter = facts::Reporter { pool: pool.clone(), tenancy: tenancy.clone(), identity: identity.clone() };
    let neighbours = neighbours::Neighbours { auth, tenancy, identity };
    let state = api::State { pool: pool.clone(), clock: context.clock.clone(), neighbours, reporter: reporter.clone() };
    let services = Services::new(context.guard())
        .agents(api::Agents(state.clone()))
        .reviews(api::Reviews(state))
        .packages(api::Packages);

    let mut tasks = Tasks::new(shutdown.clone());
    let trail = audit::Trail::new(context.clients.tenancy.clone(), context.identity.clone());
    let (outbox, stop) = (pool.clone(), shutdown.token());
    tasks.spawn("agent's relay", async move {
        db::outbox::relay(outbox, stop, |rows| trail.publish_beside(rows, |rows| reporter.publish(rows))).await;
        Ok::<_, Infallible>(())
    });
    tasks.spawn("agent's refusals", audit::refusals(pool.clone(), context.refusals.clone(), shutdown.token()));
    tasks.spawn(
        "agent's purge",
        db::purge::run(pool.clone(), context.clock.clone(), shutdown.token(), [db::idempotency::purge as _]),
    );
    if let Some(address) = ops_addr {
        let ops = TcpListener::bind(address).await?;
        let health = Health::new().check("database", move || {
            let pool = pool.clone();
            async move { pool.ping().await }
        });
        tasks.spawn("agent's health", health.serve(ops, shutdown.clone()));
    }
    tasks.spawn("agent", runtime::serve_grpc(listener, services, shutdown));
    Ok(tasks.join().await?)
}
