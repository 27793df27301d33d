//! A server that speaks Bland's HTTP API and dials nobody.
//!
//! Like Bland: `POST /v1/calls`, `GET /v1/calls`, `GET /v1/calls/{id}`, `POST /v1/calls/{id}/stop`,
//! `GET /v1/me`, `GET /v1/voices`, recordings, signed post-call webhooks, the three error shapes, the limits
//! of a plan. Unlike Bland: webhooks may go to http URLs, and an unknown parameter is always refused.
//!
//! Only here: `GET /simulator/journal` counts who was asked to be dialed, `GET` and `PUT
//! /simulator/behaviour` read and change the faults ([`Behaviour`]) while it runs. Some numbers decide for
//! themselves what becomes of them: [`suffix`].
//!
//! What becomes of a call depends on the seed, the number and the attempt; which fault a request meets, on
//! the seed, the number and how often it was asked for. So the order of calls does not matter.
//!
//! With a journal it survives its process: calls that were over are over, those that went on go on and end when they
//! would have, webhooks that did not get through are sent, and the counts go on. Only what a plan allows in an hour and
//! a day begins anew, and the behaviour is again that of the configuration.
//!
//! To add a fault: a field of [`Behaviour`] with its bounds in `check`, a variant in `fault`, what it does in
//! `dial`, and a suffix if tests are to hit it at will.

mod answer;
mod api;
mod behaviour;
mod call;
mod calls;
mod counts;
mod dial;
mod draw;
mod fault;
mod journal;
mod limits;
mod order;
mod plan;
mod restore;
mod socket;
pub mod suffix;
mod wave;
mod webhook;

pub use behaviour::{AccountState, Behaviour, Plan, Range, Weights};
pub use calls::{KEPT_BYTES, KEPT_CALLS};
pub use counts::Count;

use crate::http::Timeouts;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use call::{Call, Moment};
use callfairy_core::{Clock, Secret, SystemClock};
use calls::Calls;
use journal::{Journal, Line};
use limits::Limits;
use restore::PastCall;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use uuid::Uuid;

/// Webhooks on their way at once.
const MAX_WEBHOOKS: usize = 256;
/// The largest body of a request.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// How long requests may still take when the simulator stops, in seconds.
const SHUTDOWN_SECONDS: u64 = 1;
/// The speeds that are possible: simulated seconds in a real one.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

#[derive(Clone)]
pub struct SimulatorConfig {
    /// Decides all chance.
    pub seed: u64,
    /// Simulated seconds in a real one: at 60 a minute takes a second.
    pub speed: f64,
    /// Signs webhooks; empty: they are not signed.
    pub webhook_secret: Secret,
    /// The one key that is accepted; absent: every request is.
    pub api_key: Option<Secret>,
    /// Where each `POST /v1/calls` is written, as a line of JSON and synced, before it has any effect, and what became
    /// of its call. Read when the simulator starts; one process at a time may use it.
    pub journal: Option<PathBuf>,
    pub behaviour: Behaviour,
    /// Before a webhook that was not taken is sent again, real; doubled for the time after that.
    pub webhook_wait: Duration,
    /// Where clients reach the simulator, for the URLs of recordings; absent: the listener's address.
    pub public_url: Option<Url>,
    /// Threads that serve HTTP.
    pub workers: usize,
    pub clock: Arc<dyn Clock>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 60.0,
            webhook_secret: Secret::default(),
            api_key: None,
            journal: None,
            behaviour: Behaviour::default(),
            webhook_wait: Duration::from_secs(1),
            public_url: None,
            workers: 2,
            clock: Arc::new(SystemClock),
        }
    }
}

struct Simulator {
    seed: u64,
    speed: f64,
    webhook_secret: Secret,
    api_key: Option<Secret>,
    behaviour: RwLock<Arc<Behaviour>>,
    clock: Arc<dyn Clock>,
    started: Instant,
    calls: Calls,
    journal: Journal,
    limits: Limits,
    /// The base of recordings' URLs.
    recordings: String,
    tone: bytes::Bytes,
    /// For webhooks.
    client: reqwest::Client,
    webhook_wait: Duration,
    webhooks: Semaphore,
    tasks: TaskTracker,
    runtime: Handle,
    shutdown: CancellationToken,
}

impl Simulator {
    /// And the calls that its journal knows.
    async fn new(
        config: SimulatorConfig,
        address: SocketAddr,
        shutdown: CancellationToken,
    ) -> io::Result<(Self, Vec<PastCall>)> {
        let bad = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        if !SPEEDS.contains(&config.speed) {
            return Err(bad(format!("speed: must be from {} to {}", SPEEDS.start(), SPEEDS.end())));
        }
        config.behaviour.check().map_err(bad)?;
        let base = match &config.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None if address.ip().is_unspecified() => format!("http://{}:{}", Ipv4Addr::LOCALHOST, address.port()),
            None => format!("http://{address}"),
        };
        // Unlike the client that dials, this one may keep connections: a repeated webhook does no harm.
        let client = crate::http::builder(Timeouts::default())
            .and_then(|builder| crate::http::build(builder.pool_max_idle_per_host(MAX_WEBHOOKS)))
            .map_err(io::Error::other)?;
        let (path, now) = (config.journal, config.clock.now());
        let opened = tokio::task::spawn_blocking(move || Journal::open(path.as_deref(), now)).await;
        let (journal, past) = opened.map_err(io::Error::other)??;
        let simulator = Self {
            seed: config.seed,
            speed: config.speed,
            webhook_secret: config.webhook_secret,
            api_key: config.api_key,
            behaviour: RwLock::new(Arc::new(config.behaviour)),
            clock: config.clock,
            started: Instant::now(),
            calls: Calls::new(KEPT_CALLS, KEPT_BYTES),
            journal,
            limits: Limits::default(),
            recordings: format!("{base}/recordings"),
            tone: wave::tone().into(),
            client,
            webhook_wait: config.webhook_wait,
            webhooks: Semaphore::new(MAX_WEBHOOKS),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            shutdown,
        };
        Ok((simulator, past.calls))
    }

    /// Goes on with the calls of the process before this one.
    fn resume(self: &Arc<Self>, past: Vec<PastCall>) {
        let now = (Instant::now(), self.clock.now());
        for PastCall { id, created_at, accepted, stopped, reported } in past {
            let call = Arc::new(Call::again(id, accepted, created_at, now));
            if let Some(at) = stopped {
                call.stop_again(at);
            }
            self.calls.insert(&call);
            if call.moment(now.0) < Moment::Settling {
                self.limits.take_again();
                self.spawn(webhook::follow(Arc::clone(self), call, webhook::TRIES_AFTER_RESTART));
            } else if !reported {
                self.spawn(webhook::catch_up(Arc::clone(self), call));
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// Counts what happened to a call, and writes it down.
    async fn note(&self, action: &'static str, call: Uuid) -> io::Result<()> {
        self.journal.did(action);
        self.journal.write(&Line::event(self.clock.now(), action, call)).await
    }

    fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&self.behaviour.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Simulated time since the start.
    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started).mul_f64(self.speed)
    }
}

/// Serves until `shutdown`; webhooks that are due later are sent by the next simulator with this journal, if there is
/// one. Runs on any tokio runtime: the HTTP workers are threads with runtimes of their own.
pub async fn serve(config: SimulatorConfig, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    // Its own end is not its caller's.
    let shutdown = shutdown.child_token();
    let address = listener.local_addr()?;
    let workers = config.workers.max(1);
    let (simulator, past) = Simulator::new(config, address, shutdown.clone()).await?;
    let simulator = Arc::new(simulator);
    simulator.resume(past);
    let data = Data::from(Arc::clone(&simulator));
    let app = move || {
        App::new().app_data(data.clone()).app_data(web::PayloadConfig::new(MAX_BODY_BYTES)).configure(api::routes)
    };
    let server = HttpServer::new(app)
        .on_connect(socket::remember)
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)?
        .run();
    tracing::info!(%address, seed = simulator.seed, speed = simulator.speed, "the voice simulator listens; nobody is called");
    let handle = server.handle();
    let stopped = async {
        shutdown.cancelled().await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(
        async {
            let served = server.await;
            shutdown.cancel();
            served
        },
        stopped
    );
    simulator.tasks.close();
    simulator.tasks.wait().await;
    served
}
