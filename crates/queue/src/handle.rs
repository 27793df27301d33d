//! One handle for both backends.

use crate::embedded::Embedded;
use crate::rabbitmq::{Broker, RabbitConfig};
use crate::{
    ConfigError, ConnectionLost, ConsumeError, DeadLetter, DeadLetterError, MAX_DEAD_LETTERS, Message, Outcome,
    PublishError, QueueName, Replay, RetryPolicy,
};
use std::future::Future;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where messages are published and consumed. Clones share one backend.
#[derive(Debug, Clone)]
pub struct Queue(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Embedded(Arc<Embedded>),
    RabbitMq(Arc<Broker>),
}

impl Queue {
    /// A queue inside this process. It holds 100,000 messages a queue and 1,000 dead letters, the oldest of which make
    /// room for new ones. All of it is lost when the process stops; the services' sweeps ring those jobs again.
    pub fn embedded() -> Self {
        Self::embedded_with(RetryPolicy::default())
    }

    /// [`Queue::embedded`] with another policy.
    pub fn embedded_with(policy: RetryPolicy) -> Self {
        Self(Backend::Embedded(Arc::new(Embedded::new(policy))))
    }

    /// The queues of a RabbitMQ broker, 3.10 or later. Connects in the background when it is used, from within a tokio
    /// runtime, and reconnects for as long as it takes; see [`Queue::run`].
    pub fn rabbitmq(config: RabbitConfig) -> Result<Self, ConfigError> {
        Ok(Self(Backend::RabbitMq(Arc::new(Broker::new(config)?))))
    }

    /// Resolves when the queue has taken responsibility for each message, or says why not: one result for each
    /// message, in their order. A batch is pipelined. After [`PublishError::Unconfirmed`] a message may arrive all the
    /// same; publishing it again is harmless, because consumers are idempotent.
    pub async fn publish(&self, queue: QueueName, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let mut valid = Vec::with_capacity(messages.len());
        let mut results: Vec<_> =
            messages.into_iter().map(|message| message.checked().map(|message| valid.push(message))).collect();
        let published = match &self.0 {
            Backend::Embedded(embedded) => embedded.publish(queue, valid),
            Backend::RabbitMq(broker) => broker.publish(queue, valid).await,
        };
        for (result, published) in results.iter_mut().filter(|result| result.is_ok()).zip(published) {
            *result = published;
        }
        results
    }

    /// Takes messages until `shutdown`, calling the handler for up to `prefetch` of them at once. A handler that panics
    /// counts as [`Outcome::Retry`]. Messages that pause before a retry do not hold up the others.
    ///
    /// On shutdown it takes nothing more, waits for running handlers up to [`crate::SHUTDOWN_DEADLINE`], and gives back
    /// what no handler has finished. Dropping the future instead aborts the handlers.
    pub async fn consume<H, F>(
        &self,
        queue: QueueName,
        prefetch: u16,
        shutdown: CancellationToken,
        handler: H,
    ) -> Result<(), ConsumeError>
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        if prefetch == 0 {
            return Err(ConsumeError::NoPrefetch);
        }
        match &self.0 {
            Backend::Embedded(embedded) => {
                embedded.consume(queue, prefetch, shutdown, handler).await;
                Ok(())
            }
            Backend::RabbitMq(broker) => Ok(broker.consume(queue, prefetch, shutdown, handler).await?),
        }
    }

    /// Keeps the publisher connected until `shutdown` and watches over every connection of this queue. A process runs
    /// it beside its work and ends when it fails.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), ConnectionLost> {
        match &self.0 {
            Backend::Embedded(_) => {
                shutdown.cancelled().await;
                Ok(())
            }
            Backend::RabbitMq(broker) => broker.run(shutdown).await,
        }
    }

    /// Whether every connection in use is healthy. False before the first use.
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Backend::Embedded(_) => true,
            Backend::RabbitMq(broker) => broker.is_connected(),
        }
    }

    /// The oldest dead letters, at most `limit` and [`MAX_DEAD_LETTERS`]; they stay where they are.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let limit = limit.min(MAX_DEAD_LETTERS);
        match &self.0 {
            Backend::Embedded(embedded) => Ok(embedded.dead_letters(limit)),
            Backend::RabbitMq(broker) => broker.dead_letters(limit).await,
        }
    }

    /// Puts dead letters back into their queues, with a fresh delivery count; looks at the oldest [`MAX_DEAD_LETTERS`].
    /// Returns how many went back.
    pub async fn replay_dead_letters(&self, which: Replay) -> Result<usize, DeadLetterError> {
        match &self.0 {
            Backend::Embedded(embedded) => embedded.replay(&which),
            Backend::RabbitMq(broker) => broker.replay(&which).await,
        }
    }

    /// Removes the queues of this prefix from the broker, with all that is in them. For tests, at their end.
    pub async fn delete(&self) -> Result<(), DeadLetterError> {
        match &self.0 {
            Backend::Embedded(_) => Ok(()),
            Backend::RabbitMq(broker) => broker.delete().await,
        }
    }
}
