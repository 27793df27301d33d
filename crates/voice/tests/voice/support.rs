//! What the tests stand on: a running simulator, an order, and waiting for a condition.

use callfairy_core::Secret;
use serde_json::Value;
use std::future::Future;
use std::net::TcpListener;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use voice::http::Timeouts;
use voice::simulator::{Behaviour, SimulatorConfig, serve};
use voice::{Account, Bland, CallDetail, CallOrder, Progress, VoiceProvider};

/// Longer than anything here takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// A minute takes six hundredths of a second.
pub const FAST: f64 = 1_000.0;

pub struct Stage {
    pub account: Account,
    pub bland: Bland,
    shutdown: CancellationToken,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Stage {
    /// A simulator on a port of its own.
    pub fn start(config: SimulatorConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let api_key = config.api_key.clone().unwrap_or_default();
        let server = tokio::spawn(serve(config, listener, shutdown.clone()));
        let account = Account { api_key, base_url: Url::parse(&format!("http://{address}")).unwrap() };
        Self { account, bland: Bland::new(Timeouts::default()).unwrap(), shutdown, server: Some(server) }
    }

    pub fn with(behaviour: Behaviour) -> Self {
        Self::start(SimulatorConfig { behaviour, ..fast() })
    }

    pub async fn stop(mut self) -> std::io::Result<()> {
        self.shutdown.cancel();
        let server = self.server.take().unwrap();
        tokio::time::timeout(DEADLINE, server).await.expect("the simulator stops in time").unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        self.account.base_url.join(path).unwrap().to_string()
    }

    /// What the journal says of a number: requests, and accepted calls.
    pub async fn dialed(&self, number: &str) -> (u64, u64) {
        let journal = self.json(&format!("/simulator/journal?number={}", number.trim_start_matches('+'))).await;
        let count = &journal["numbers"][number];
        (count["posts"].as_u64().unwrap_or_default(), count["placed"].as_u64().unwrap_or_default())
    }

    pub async fn json(&self, path: &str) -> Value {
        let client = voice::http::client(Timeouts::default()).unwrap();
        let response = client.get(self.url(path)).header("authorization", self.account.api_key.expose()).send().await;
        response.unwrap().json().await.unwrap()
    }

    /// Waits until the call has ended.
    pub async fn ended(&self, provider_call_id: &str) -> CallDetail {
        eventually("the call ends", || async {
            let call = self.bland.get(&self.account, provider_call_id).await.unwrap().unwrap();
            (call.progress == Progress::Ended).then_some(call)
        })
        .await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn fast() -> SimulatorConfig {
    SimulatorConfig {
        speed: FAST,
        webhook_secret: Secret::new("hook"),
        webhook_wait: Duration::from_millis(5),
        ..SimulatorConfig::default()
    }
}

pub fn order(to: &str) -> CallOrder {
    CallOrder {
        call_id: Uuid::now_v7(),
        attempt_id: Uuid::now_v7(),
        attempt: 1,
        to: to.to_owned(),
        task: "Say hello".to_owned(),
        ..CallOrder::default()
    }
}

/// Asks again until there is something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
