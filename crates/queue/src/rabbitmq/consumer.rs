//! Keeps a consumer connected and runs its handlers.

use super::health::{Failure, HEALTH_INTERVAL};
use super::link::{retry_pause, within};
use super::publisher::Publisher;
use super::session::{Pauses, Session};
use super::{Broker, Shared, codec};
use crate::message::DELIVERY_LIMIT_REACHED;
use crate::{ConnectionLost, Message, Outcome, QueueName, SHUTDOWN_DEADLINE, handler};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

impl Broker {
    pub(crate) async fn consume<H, F>(
        &self,
        queue: QueueName,
        prefetch: u16,
        shutdown: CancellationToken,
        handler: H,
    ) -> Result<(), ConnectionLost>
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            publisher: self.publisher().clone(),
            queue,
            handler: Arc::new(handler),
        };
        let consumer = Consumer {
            worker: Arc::new(worker),
            prefetch,
            slots: Arc::new(Semaphore::new(prefetch.into())),
            shutdown,
            running: JoinSet::new(),
        };
        consumer.run().await
    }
}

struct Consumer<H> {
    worker: Arc<Worker<H>>,
    prefetch: u16,
    /// One for each handler at work. They outlive a connection, as the handlers do.
    slots: Arc<Semaphore>,
    shutdown: CancellationToken,
    running: JoinSet<()>,
}

impl<H, F> Consumer<H>
where
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    async fn run(mut self) -> Result<(), ConnectionLost> {
        let (worker, shutdown) = (Arc::clone(&self.worker), self.shutdown.clone());
        let role = worker.shared.health.role(format!("the consumer of {}", worker.queue));
        let queue = worker.shared.queue_name(worker.queue);
        let last_session = loop {
            let opened = tokio::select! {
                biased;
                () = shutdown.cancelled() => break None,
                opened = Session::open(&worker.shared, &queue, self.prefetch) => opened,
            };
            let failure = match opened {
                Err(failure) => failure,
                Ok(mut session) => {
                    role.up(Instant::now());
                    match self.serve(&mut session).await {
                        Ok(()) => break Some(session),
                        Err(failure) => failure,
                    }
                }
            };
            if let Err(lost) = role.down(failure, Instant::now()) {
                self.finish(None).await;
                return Err(lost);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break None,
                () = sleep(retry_pause()) => {}
            }
        };
        self.finish(last_session).await;
        Ok(())
    }

    /// Runs handlers until the shutdown, or until the connection fails.
    async fn serve(&mut self, session: &mut Session) -> Result<(), Failure> {
        let pauses = Arc::clone(&session.pauses);
        let mut tick = interval(HEALTH_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut free_slot = None;
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                _ = tick.tick() => session.check(free_slot.is_some()).await?,
                () = pauses.changed.notified() => session.make_room().await?,
                Some(_) = self.running.join_next() => {}
                slot = Arc::clone(&self.slots).acquire_owned(), if free_slot.is_none() => free_slot = slot.ok(),
                delivery = session.next(), if free_slot.is_some() => {
                    let worker = Arc::clone(&self.worker);
                    let (delivery, pauses, slot) = (delivery?, Arc::clone(&pauses), free_slot.take());
                    self.running.spawn(async move { worker.work(*delivery, slot, &pauses).await });
                }
            }
        }
    }

    /// Gives back what was not begun, and waits for what was.
    async fn finish(mut self, session: Option<Session>) {
        let queue = self.worker.queue;
        let finished = timeout(SHUTDOWN_DEADLINE, async {
            let mut session = session;
            if let Some(session) = &mut session
                && let Err(failure) = session.stop_taking().await
            {
                tracing::debug!(%queue, cause = failure.cause, "messages go back as the connection closes");
            }
            while self.running.join_next().await.is_some() {}
            if let Some(session) = session {
                session.link.close().await;
            }
        });
        if finished.await.is_err() {
            tracing::warn!(%queue, handlers = self.running.len(), "handlers did not finish before the shutdown's deadline");
            self.running.shutdown().await;
        }
    }
}

struct Worker<H> {
    shared: Arc<Shared>,
    publisher: Publisher,
    queue: QueueName,
    handler: Arc<H>,
}

impl<H, F> Worker<H>
where
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    /// Runs the handler and does with the message what it says. A message that cannot be settled, because its
    /// connection ended, is delivered again.
    async fn work(&self, delivery: Delivery, slot: Option<OwnedSemaphorePermit>, pauses: &Pauses) {
        let outcome = match codec::message(&delivery) {
            Some(message) => handler::run(Arc::clone(&self.handler), self.queue, message).await,
            None => Outcome::Dead("a message without an id".into()),
        };
        drop(slot);
        let settled = match outcome {
            Outcome::Done => acknowledge(&delivery).await,
            Outcome::Dead(reason) => self.bury(&delivery, &reason).await,
            Outcome::Retry => {
                if codec::returns(&delivery.properties) >= self.shared.config.policy.delivery_limit.into() {
                    let id = codec::id(&delivery.properties);
                    tracing::error!(queue = %self.queue, message = ?id, reason = DELIVERY_LIMIT_REACHED, "message goes to the dead letters");
                }
                pauses.begin();
                tokio::select! {
                    () = pauses.over.cancelled() => {}
                    () = sleep(self.shared.config.policy.pause()) => {}
                }
                // Unlike a nack, a rejection counts against the delivery limit in every version of the broker.
                let rejected = reject(&delivery, true).await;
                pauses.end();
                rejected
            }
        };
        if let Err(failure) = settled {
            tracing::debug!(queue = %self.queue, cause = failure.cause, "message not settled, it will come again");
        }
    }

    /// A rejection carries no reason, so the message is published to the dead letters; the broker moves it there by
    /// itself when that fails.
    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), Failure> {
        let id = codec::id(&delivery.properties);
        tracing::error!(queue = %self.queue, message = ?id, reason, "message goes to the dead letters");
        if let Some(message) = codec::message(delivery) {
            let letter = codec::bury(message, self.queue, reason);
            if self.publisher.publish(&self.shared.dead_name(), vec![letter]).await == [Ok(())] {
                return acknowledge(delivery).await;
            }
        }
        reject(delivery, false).await
    }
}

async fn acknowledge(delivery: &Delivery) -> Result<(), Failure> {
    within("acknowledge", delivery.ack(BasicAckOptions::default())).await?;
    Ok(())
}

async fn reject(delivery: &Delivery, requeue: bool) -> Result<(), Failure> {
    within("reject", delivery.reject(BasicRejectOptions { requeue })).await?;
    Ok(())
}
