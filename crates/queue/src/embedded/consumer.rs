//! Takes messages and runs handlers.

use super::Embedded;
use super::store::Item;
use crate::message::DELIVERY_LIMIT_REACHED;
use crate::{Message, Outcome, QueueName, SHUTDOWN_DEADLINE, handler};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

impl Embedded {
    pub(crate) async fn consume<H, F>(
        self: &Arc<Self>,
        queue: QueueName,
        prefetch: u16,
        shutdown: CancellationToken,
        handler: H,
    ) where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let slots = Arc::new(Semaphore::new(usize::from(prefetch)));
        let mut running = JoinSet::new();
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, self.store(queue).take().await)
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = running.join_next() => {}
                (slot, item) = next => {
                    let taken = Taken { embedded: Arc::clone(self), queue, item: Some(item) };
                    let handler = Arc::clone(&handler);
                    running.spawn(async move {
                        taken.run(handler).await;
                        drop(slot);
                    });
                }
            }
        }
        let finished = timeout(SHUTDOWN_DEADLINE, async { while running.join_next().await.is_some() {} }).await;
        if finished.is_err() {
            tracing::warn!(%queue, handlers = running.len(), "handlers did not finish before the shutdown's deadline");
            running.shutdown().await;
        }
    }
}

/// A message that a handler works on; it goes back if the handler does not get to its end.
struct Taken {
    embedded: Arc<Embedded>,
    queue: QueueName,
    item: Option<Item>,
}

impl Taken {
    async fn run<H, F>(mut self, handler: Arc<H>)
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let Some(message) = self.item.as_ref().map(|item| item.message.clone()) else { return };
        let outcome = handler::run(handler, self.queue, message).await;
        let Some(mut item) = self.item.take() else { return };
        let (embedded, store) = (&self.embedded, self.embedded.store(self.queue));
        match outcome {
            Outcome::Done => store.settle(),
            Outcome::Retry if item.returns < embedded.policy.delivery_limit => {
                item.returns += 1;
                store.pause(item, Instant::now() + embedded.policy.pause());
            }
            Outcome::Retry => {
                store.settle();
                embedded.bury(self.queue, item.message, DELIVERY_LIMIT_REACHED.into());
            }
            Outcome::Dead(reason) => {
                store.settle();
                embedded.bury(self.queue, item.message, reason);
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.embedded.store(self.queue).give_back(item);
        }
    }
}
