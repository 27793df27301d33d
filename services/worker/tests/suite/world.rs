//! A worker that runs, the simulator that it calls, the telephony that it asks.

use crate::fake::Fake;
use access::Services;
use callfairy_core::{Secret, SystemClock};
use proto::jobs::{CallJob, CallJobKind, RecordingJob};
use queue::{Message, Queue, QueueName, RetryPolicy};
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;
use voice::http::Timeouts;
use voice::simulator::{Behaviour, SimulatorConfig};
use voice::{Account, Bland};
use worker::Config;

/// Longer than anything here takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Long enough for a busy machine, short enough to wait for.
pub const LEASE: Duration = Duration::from_secs(4);
/// 32 bytes in base64.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub struct World {
    pub telephony: Fake,
    pub queue: Queue,
    pub account: Account,
    pub bland: Bland,
    pub storage: Storage,
    pub shutdown: Shutdown,
    pub provider_shutdown: Shutdown,
    worker: JoinHandle<Result<(), BoxError>>,
    _files: TempDir,
}

/// What differs between tests.
#[derive(Default)]
pub struct Setting {
    pub behaviour: Behaviour,
    /// Of the simulator; a quick one otherwise.
    pub speed: Option<f64>,
    /// telephony behind a socket instead of in this process.
    pub over_tcp: bool,
    /// Nobody listens where the provider should be.
    pub no_provider: bool,
    /// Where the worker answers health checks.
    pub ops_addr: Option<SocketAddr>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub async fn with(setting: Setting) -> Self {
        let (files, telephony) = (TempDir::new().unwrap(), Fake::default());
        let provider_shutdown = Shutdown::new();
        let account = Account { api_key: Secret::new("sesame"), base_url: provider(&setting, &provider_shutdown) };
        let shutdown = Shutdown::new();
        let context = serve_telephony(&telephony, files.path().to_str().unwrap(), setting.over_tcp).await;
        // Pauses that a test can wait for.
        let pauses = (Duration::from_millis(5), Duration::from_millis(20));
        let policy = RetryPolicy { pause_min: pauses.0, pause_max: pauses.1, ..RetryPolicy::default() };
        let queue = Queue::embedded_with(policy);
        let storage = Storage::open(Url::from_directory_path(files.path()).unwrap().as_str()).unwrap();
        let bland = Bland::new(Timeouts::default()).unwrap();
        let config = Config {
            context,
            queue: queue.clone(),
            storage: storage.clone(),
            provider: Arc::new(bland.clone()),
            account: account.clone(),
            lease: LEASE,
            name: "worker-test".into(),
            ops_addr: setting.ops_addr,
        };
        let worker = tokio::spawn(worker::serve(config, shutdown.clone()));
        Self { telephony, queue, account, bland, storage, shutdown, provider_shutdown, worker, _files: files }
    }

    pub async fn send(&self, queue: QueueName, body: impl Into<Vec<u8>>) {
        self.publish(queue, vec![Message::new(body.into())]).await;
    }

    pub async fn publish(&self, queue: QueueName, messages: Vec<Message>) {
        for published in self.queue.publish(queue, messages).await {
            published.unwrap();
        }
    }

    /// A message of the queue of calls.
    pub fn call_job(kind: CallJobKind, call: Uuid) -> Message {
        let job = CallJob { kind: kind.into(), call_id: call.to_string() };
        Message::new(serde_json::to_vec(&job).unwrap())
    }

    pub async fn place(&self, call: Uuid) {
        self.publish(QueueName::Call, vec![Self::call_job(CallJobKind::Place, call)]).await;
    }

    pub async fn look_up(&self, call: Uuid) {
        self.publish(QueueName::Call, vec![Self::call_job(CallJobKind::LookUp, call)]).await;
    }

    pub async fn record(&self, call: Uuid) {
        let job = RecordingJob { call_id: call.to_string() };
        self.send(QueueName::Recording, serde_json::to_vec(&job).unwrap()).await;
    }

    /// Requests to place a call to the number, and accepted calls, as the provider counts them.
    pub async fn dialed(&self, number: &str) -> (u64, u64) {
        let count = &self.journal().await["numbers"][number];
        (count["posts"].as_u64().unwrap_or_default(), count["placed"].as_u64().unwrap_or_default())
    }

    pub async fn journal(&self) -> Value {
        let url = self.account.base_url.join("/simulator/journal").unwrap();
        let client = voice::http::client(Timeouts::default()).unwrap();
        client.get(url).header("authorization", "sesame").send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the condition holds.
    pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
        testkit::eventually(what, DEADLINE, async || condition().await.then_some(())).await;
    }

    /// Waits until telephony has seen something.
    pub async fn saw(&self, what: &str, is: impl Fn(&crate::fake::Seen) -> bool) {
        testkit::eventually(what, DEADLINE, async || self.telephony.seen().iter().any(&is).then_some(())).await;
    }

    /// Waits for the dead letters' reasons.
    pub async fn dead(&self, count: usize) -> Vec<String> {
        testkit::eventually("messages went to the dead letters", DEADLINE, async || {
            let letters = self.queue.dead_letters(100).await.unwrap();
            (letters.len() >= count).then(|| letters.into_iter().map(|letter| letter.reason).collect())
        })
        .await
    }

    /// Asks the worker to stop and waits until it has: then every message it took is done with.
    pub async fn stop(&mut self) {
        self.shutdown.begin();
        tokio::time::timeout(DEADLINE, &mut self.worker).await.expect("the worker stops").unwrap().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.begin();
        self.provider_shutdown.begin();
    }
}

fn provider(setting: &Setting, shutdown: &Shutdown) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    if !setting.no_provider {
        let config = SimulatorConfig {
            speed: setting.speed.unwrap_or(1_000.0),
            api_key: Some(Secret::new("sesame")),
            behaviour: setting.behaviour.clone(),
            ..SimulatorConfig::default()
        };
        tokio::spawn(voice::simulator::serve(config, listener, shutdown.token()));
    }
    url
}

async fn serve_telephony(telephony: &Fake, directory: &str, over_tcp: bool) -> Context {
    let slots = LocalSlots::default();
    let mut environment = Environment::new();
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    set("CALLFAIRY_DATA_DIR", directory.to_owned());
    set("CALLFAIRY_INTERNAL_KEY", KEY.to_owned());
    let listener = if over_tcp {
        Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
    } else {
        Listener::local(slots.telephony.clone())
    };
    if let Some(address) = listener.address() {
        set("CALLFAIRY_TELEPHONY_URL", format!("http://{address}"));
    }
    let settings = Settings::load(Program::Platform, None, &environment).unwrap();
    let clients = if over_tcp { Clients::remote(&settings).unwrap() } else { Clients::local(&slots) };
    let context = Context::new("worker", clients, &settings.internal_keys().unwrap(), Arc::new(SystemClock));
    let services = Services::new(context.guard()).call_jobs(telephony.clone());
    tokio::spawn(runtime::serve_grpc(listener, services, Shutdown::new()));
    context
}
