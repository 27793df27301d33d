//! The worker: does what telephony decides, out in the world. Places calls and asks what became of them, copies
//! recordings, reads imported files.
//!
//! Owns: the one POST of an attempt and what its answer means; bytes on their way to the object store. Refuses: to
//! decide whether, when or how often anybody is called, and to keep anything. It has no database and no RPCs, and any
//! number of workers may run: what must happen once is decided in telephony's transactions.
//!
//! To add a job: a message in `proto/callfairy/jobs/v1`, a queue in `queue::QueueName`, a module here with a type whose
//! `handle` takes a message to its outcome, a line in [`serve`].

mod calls;
pub mod imports;
mod job;
mod recordings;
mod telephony;

use queue::{Queue, QueueName};
use runtime::health::Health;
use runtime::{BoxError, ConfigError, Context, Program, Settings, Shutdown, Tasks};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use telephony::Telephony;
use tokio::net::TcpListener;
use uuid::Uuid;
use voice::http::Timeouts;
use voice::{Account, Bland, VoiceProvider};

/// Calls that are worked on at one time: each waits for the provider most of its time.
const CALLS_AT_ONE_TIME: u16 = 64;
/// Recordings that are copied at one time, each with a few megabytes in memory.
const RECORDINGS_AT_ONE_TIME: u16 = 8;

/// What a worker needs to run.
pub struct Config {
    pub context: Context,
    pub queue: Queue,
    pub storage: Storage,
    pub provider: Arc<dyn VoiceProvider>,
    /// Whose money is spent.
    pub account: Account,
    /// How long telephony leaves a claim to whoever made it.
    pub lease: Duration,
    /// Who it is, for people who look at claims later.
    pub name: String,
    /// Where the worker's own binary answers health checks.
    pub ops_addr: Option<SocketAddr>,
}

impl Config {
    pub fn new(settings: &Settings, context: Context, queue: Queue, account: Account) -> Result<Self, BoxError> {
        if account.base_url.scheme() == "https" && settings.http.public_url.scheme() != "https" {
            tracing::warn!(
                "the voice provider reports to https URLs alone, and CALLFAIRY_PUBLIC_URL is none: calls will be polled"
            );
        }
        Ok(Self {
            context,
            queue,
            storage: Storage::open(&settings.storage_url)?,
            provider: Arc::new(Bland::new(Timeouts::default())?),
            account,
            lease: settings.calls.claim_lease,
            name: name(),
            ops_addr: settings.ops_addr.filter(|_| settings.program == Program::Worker),
        })
    }
}

/// The platform's account at the provider. A worker of its own demands one: the simulator is for one process.
pub fn account(settings: &Settings) -> Result<Account, ConfigError> {
    let why = "a worker in its own process calls by the platform's account at Bland AI; to call nobody, set any key and \
               let BLAND_BASE_URL name a simulator";
    let api_key = settings.bland.api_key.clone().ok_or(ConfigError::Missing { name: "BLAND_API_KEY", why })?;
    Ok(Account { api_key, base_url: settings.bland.base_url.clone() })
}

/// `worker-<host, or process>-<random>`.
fn name() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| std::process::id().to_string());
    format!("worker-{host}-{:08x}", Uuid::new_v4().as_fields().0)
}

/// The worker as a program of its own: telephony over TCP, RabbitMQ.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("worker", &settings)?;
    let queue = queue::open(settings.amqp_url.as_ref(), &settings.queue_prefix)?;
    let account = account(&settings)?;
    serve(Config::new(&settings, context, queue, account)?, shutdown).await
}

/// Works until the shutdown, and finishes what it has begun: at most 20 s.
pub async fn serve(config: Config, shutdown: Shutdown) -> Result<(), BoxError> {
    let Config { context, queue, storage, provider, account, lease, name, ops_addr } = config;
    let telephony = Telephony::new(&context, shutdown.clone());
    let calls = calls::Calls::new(telephony.clone(), provider.clone(), account.clone(), lease, name.clone());
    let imports = imports::Imports::new(context, storage.clone(), name, shutdown.clone());
    let recordings = recordings::Recordings { telephony, provider, account, storage };

    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("the worker's queue", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        async move { queue.run(stop).await }
    });
    tasks.spawn("calls", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        async move {
            queue.consume(QueueName::Call, CALLS_AT_ONE_TIME, stop, move |message| calls.clone().handle(message)).await
        }
    });
    tasks.spawn("recordings", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        async move {
            let handle = move |message| recordings.clone().handle(message);
            queue.consume(QueueName::Recording, RECORDINGS_AT_ONE_TIME, stop, handle).await
        }
    });
    tasks.spawn("imports", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        async move {
            let handle = move |message| imports.clone().handle(message);
            queue.consume(QueueName::Import, imports::IMPORTS_AT_ONE_TIME, stop, handle).await
        }
    });
    if let Some(address) = ops_addr {
        let listener = TcpListener::bind(address).await?;
        let health = Health::new().check("queue", move || {
            let connected = queue.is_connected();
            async move { if connected { Ok(()) } else { Err("not connected") } }
        });
        tasks.spawn("the worker's health", health.serve(listener, shutdown));
    }
    Ok(tasks.join().await?)
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("worker::Config")
            .field("name", &self.name)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
