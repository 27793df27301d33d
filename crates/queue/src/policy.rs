//! How often and how soon a message comes back.

use crate::ConfigError;
use rand::RngExt;
use std::time::Duration;

/// How often a message comes back before it goes to the dead letters: it is delivered once more than that.
pub const DELIVERY_LIMIT: u32 = 20;

/// RabbitMQ also counts deliveries that end with their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Fixed when a queue is first declared; a broker refuses another value for the same queue later.
    pub delivery_limit: u32,
    /// A retry pauses for a random time between these two.
    pub pause_min: Duration,
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { delivery_limit: DELIVERY_LIMIT, pause_min: Duration::from_secs(1), pause_max: Duration::from_secs(5) }
    }
}

impl RetryPolicy {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.pause_min > self.pause_max { Err(ConfigError::Pause) } else { Ok(()) }
    }

    /// A random pause, so that messages that failed together do not return together.
    pub(crate) fn pause(&self) -> Duration {
        rand::rng().random_range(self.pause_min..=self.pause_max)
    }
}
