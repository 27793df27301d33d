//! telephony: contacts, imports, assistants, calls, campaigns, what providers report, the live stream.
//!
//! Owns: the contacts of every organisation, and each call from its acceptance to its end: the queue of record, the
//! gate, the pace, the history. Refuses: to talk to a voice provider or to read files, which workers do, by its orders;
//! and to decide who may do what, which the guard does.
//!
//! To add an RPC: write it in `proto/callfairy/telephony/v1`, implement the new method of the trait in `api/<noun>.rs`,
//! its query in `store/<noun>.rs` with the caller's `OrgScope` in the WHERE clause, and an entry of the crate `audit` if
//! somebody must be able to find out later who did it. To add a job: a message in
//! `proto/callfairy/jobs/v1`, a function in `pipeline::jobs`, a line in `sweep` that rings again for what was lost.

mod api;
mod background;
pub mod domain;
mod error;
mod organisations;
mod pipeline;
mod state;
mod store;

use access::{Services, SystemScope};
use callfairy_core::{Id, Secret};
use domain::webhook_token::WebhookTokens;
use organisations::Organisations;
use queue::Queue;
use runtime::health::Health;
use runtime::{BoxError, Context, Listener, Program, Service, Settings, Shutdown, Tasks, serve_grpc};
use state::{CallSettings, State};
use std::net::SocketAddr;
use std::sync::Arc;
use storage::Storage;
use tokio::net::TcpListener;

pub const MIGRATIONS: db::Migrations =
    db::migrations!("../../migrations/telephony/postgres", "../../migrations/telephony/sqlite");

/// What telephony needs to run.
#[derive(Debug)]
pub struct Config {
    database_url: Secret,
    /// Where the service's own binary answers health checks.
    ops_addr: Option<SocketAddr>,
    state: State,
}

impl Config {
    pub fn new(settings: &Settings, context: Context, queue: Queue) -> Result<Self, BoxError> {
        let database_url = settings.database(Service::Telephony).clone();
        let pool = db::Pool::open(database_url.expose(), Service::Telephony.name(), settings.database_pool_size)?;
        let master = settings.master_keys()?;
        let calls = CallSettings {
            public_url: settings.http.public_url.clone(),
            webhook_secret: settings.bland.webhook_secret.clone(),
            webhook_tokens: WebhookTokens::new(master.all().map(|key| key.expose().as_slice())),
            max_concurrent: settings.calls.max_concurrent,
            per_second: settings.calls.per_second,
            lease: settings.calls.claim_lease,
            poll: settings.calls.poll,
            sweep: settings.calls.sweep,
        };
        let organisations = Organisations::new(context.clients.tenancy.clone(), context.identity.clone());
        let storage = Storage::open(&settings.storage_url)?;
        Ok(Self {
            database_url,
            ops_addr: settings.ops_addr.filter(|_| settings.program == Program::Telephony),
            state: State { pool, storage, queue, context, calls: Arc::new(calls), organisations },
        })
    }
}

/// telephony as a program of its own: the other services over TCP, RabbitMQ.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("telephony", &settings)?;
    let queue = queue::open(settings.amqp_url.as_ref(), &settings.queue_prefix)?;
    let listener = Listener::bind(settings.endpoints.telephony.addr).await?;
    serve(Config::new(&settings, context, queue)?, listener, shutdown).await
}

/// Runs telephony until the shutdown. Refuses a schema that [`MIGRATIONS`] do not fit.
pub async fn serve(config: Config, listener: Listener, shutdown: Shutdown) -> Result<(), BoxError> {
    let Config { database_url, ops_addr, state } = config;
    let schema = Service::Telephony.name();
    tokio::task::spawn_blocking(move || db::check(database_url.expose(), schema, &MIGRATIONS)).await??;
    let services = Services::new(state.context.guard())
        .contacts(api::contacts::Contacts(state.clone()))
        .imports(api::imports::Imports(state.clone()))
        .assistants(api::assistants::Assistants(state.clone()))
        .calls(api::calls::Calls(state.clone()))
        .campaigns(api::campaigns::Campaigns(state.clone()))
        .events(api::events::Events::new(state.clone()))
        .provider_webhooks(api::webhooks::ProviderWebhooks(state.clone()))
        .call_jobs(api::call_jobs::CallJobs(state.clone()))
        .import_jobs(api::import_jobs::ImportJobs(state.clone()));

    let mut tasks = Tasks::new(shutdown.clone());
    let (pool, queue) = (state.pool.clone(), state.queue.clone());
    tasks.spawn("telephony's outbox", {
        let (stop, queue) = (shutdown.token(), queue.clone());
        let trail = audit::Trail::new(state.context.clients.tenancy.clone(), state.context.identity.clone());
        async move {
            let publish = |rows| background::relay::publish(queue.clone(), rows);
            db::outbox::relay(pool, stop, |rows| trail.publish_beside(rows, publish)).await;
            Ok::<_, BoxError>(())
        }
    });
    tasks.spawn("telephony's queue", {
        let stop = shutdown.token();
        async move { queue.run(stop).await }
    });
    tasks.spawn("telephony's refusals", {
        let (pool, refusals) = (state.pool.clone(), state.context.refusals.clone());
        audit::refusals(pool, refusals, shutdown.token())
    });
    tasks.spawn("telephony's sweep", background::sweep::run(state.clone(), shutdown.clone()));
    tasks.spawn("telephony's purge", {
        let (pool, clock) = (state.of_everyone(SystemScope::for_background_work()), state.context.clock.clone());
        let kinds: [db::purge::Purge; 3] = [store::stream::purge, store::webhook_inbox::purge, db::idempotency::purge];
        db::purge::run(pool, clock, shutdown.token(), kinds)
    });
    tasks.spawn("the campaign dispatcher", {
        let holder = format!("telephony-{}", Id::<()>::new());
        background::dispatcher::run(state.clone(), holder, shutdown.clone())
    });
    if let Some(address) = ops_addr {
        let ops = TcpListener::bind(address).await?;
        let pool = state.pool.clone();
        let health = Health::new().check("database", move || {
            let pool = pool.clone();
            async move { pool.ping().await }
        });
        tasks.spawn("telephony's health", health.serve(ops, shutdown.clone()));
    }
    tasks.spawn("telephony", serve_grpc(listener, services, shutdown));
    Ok(tasks.join().await?)
}
