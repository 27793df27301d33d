//! The queues of a RabbitMQ broker: durable quorum queues, confirmed publishes, dead letters kept by the broker.

mod codec;
mod consumer;
mod dead;
mod health;
mod link;
mod publisher;
mod session;
mod topology;

use crate::{ConfigError, ConnectionLost, Message, PublishError, QueueName, RetryPolicy};
use callfairy_core::Secret;
use health::Health;
use publisher::Publisher;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MAX_PREFIX_BYTES: usize = 100;
const PUBLISH_DEADLINE: Duration = Duration::from_secs(15);

/// Where the broker is and how its queues are named.
#[derive(Debug, Clone)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://…` for TLS with the public roots.
    pub url: Secret,
    /// Put before the name of every queue, so that deployments and tests share a broker. Empty by default; at most
    /// 100 of the characters `a-z A-Z 0-9 . _ -`.
    pub prefix: String,
    pub policy: RetryPolicy,
    /// How long publishing waits for the confirms of 1,000 messages, with a reconnection in between. 15 s by default.
    pub publish_deadline: Duration,
}

impl Default for RabbitConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            prefix: String::new(),
            policy: RetryPolicy::default(),
            publish_deadline: PUBLISH_DEADLINE,
        }
    }
}

/// One deployment's queues on a broker. Connects when it is used.
pub(crate) struct Broker {
    shared: Arc<Shared>,
    publisher: OnceLock<Publisher>,
}

/// What every connection needs.
struct Shared {
    config: RabbitConfig,
    health: Health,
}

impl Broker {
    pub(crate) fn new(config: RabbitConfig) -> Result<Self, ConfigError> {
        link::parse(&config.url)?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if config.prefix.len() > MAX_PREFIX_BYTES || !config.prefix.bytes().all(named) {
            return Err(ConfigError::Prefix);
        }
        config.policy.check()?;
        Ok(Self { shared: Arc::new(Shared { config, health: Health::default() }), publisher: OnceLock::new() })
    }

    pub(crate) async fn publish(&self, queue: QueueName, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        self.publisher().publish(&self.shared.queue_name(queue), messages).await
    }

    pub(crate) async fn run(&self, shutdown: CancellationToken) -> Result<(), ConnectionLost> {
        self.publisher();
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            lost = self.shared.health.lost() => Err(lost),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.shared.health.is_connected()
    }

    /// The publisher's task lives until this broker is dropped.
    fn publisher(&self) -> &Publisher {
        self.publisher.get_or_init(|| Publisher::start(Arc::clone(&self.shared)))
    }
}

impl Shared {
    fn queue_name(&self, queue: QueueName) -> String {
        format!("{}{queue}", self.config.prefix)
    }

    fn dead_name(&self) -> String {
        format!("{}dead", self.config.prefix)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, prefix: &str) -> RabbitConfig {
        RabbitConfig { url: Secret::new(url), prefix: prefix.into(), ..RabbitConfig::default() }
    }

    #[test]
    fn refuses_what_cannot_work() {
        for url in ["", "localhost", "http://localhost", "amqp://user:hunter2@host:port"] {
            assert_eq!(Broker::new(config(url, "")).err(), Some(ConfigError::Url), "{url}");
        }
        assert_eq!(Broker::new(config("amqp://localhost", "a/b")).err(), Some(ConfigError::Prefix));
        assert!(Broker::new(config("amqps://user:hunter2@broker.example/vhost", "test-1.")).is_ok());
    }

    #[test]
    fn does_not_show_the_password() -> Result<(), ConfigError> {
        let shown = format!("{:?}", Broker::new(config("amqp://user:hunter2@localhost/%2f", "p."))?);
        assert!(shown.contains("p.") && !shown.contains("hunter2"), "{shown}");
        Ok(())
    }
}
