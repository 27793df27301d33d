//! The queue that a deployment's configuration names.

use crate::{ConfigError, Queue, RabbitConfig};
use callfairy_core::Secret;

/// RabbitMQ at `url`, its names behind `prefix`; without a URL the embedded queue, which serves one process only.
pub fn open(url: Option<&Secret>, prefix: &str) -> Result<Queue, ConfigError> {
    match url {
        None => Ok(Queue::embedded()),
        Some(url) => {
            Queue::rabbitmq(RabbitConfig { url: url.clone(), prefix: prefix.to_owned(), ..RabbitConfig::default() })
        }
    }
}
