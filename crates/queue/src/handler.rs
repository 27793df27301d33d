//! Runs a handler, whatever it does.

use crate::{Message, QueueName};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// How long running handlers may take to finish after the shutdown began.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);

/// What a handler says about its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message is gone.
    Done,
    /// Not now: the message comes back after the pause of the [`crate::RetryPolicy`], and that counts against its
    /// delivery limit.
    Retry,
    /// Never: the message goes to the dead letters, with the reason.
    Dead(String),
}

/// The handler's outcome; a panic is logged and becomes a retry. Dropping the future aborts the handler.
pub(crate) async fn run<H, F>(handler: Arc<H>, queue: QueueName, message: Message) -> Outcome
where
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let id = message.id;
    let task = AbortOnDropHandle::new(tokio::spawn(async move { handler(message).await }));
    match task.await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%queue, message = %id, %error, "handler panicked, the message will be retried");
            Outcome::Retry
        }
    }
}
