//! The publisher's connection and the task that owns it.

use super::health::{Failure, HEALTH_INTERVAL, Role};
use super::link::{Link, retry_pause};
use super::{Shared, codec, link, topology};
use crate::{Message, PublishError};
use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How many messages are on their way at once.
const WINDOW: usize = 1_000;
/// How many batches wait for the connection.
const WAITING_BATCHES: usize = 64;
/// How long the broker may take to confirm a window.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);
type Results = Vec<Result<(), PublishError>>;

/// Hands batches to the task. The task ends when every clone is gone.
#[derive(Clone)]
pub(super) struct Publisher {
    batches: mpsc::Sender<Batch>,
    deadline: Duration,
}

struct Batch {
    queue: String,
    messages: Vec<Message>,
    reply: oneshot::Sender<Results>,
}

impl Publisher {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let (sender, batches) = mpsc::channel(WAITING_BATCHES);
        let (role, deadline) = (shared.health.role("the publisher".into()), shared.config.publish_deadline);
        tokio::spawn(Task { shared, batches }.run(role));
        Self { batches: sender, deadline }
    }

    pub(super) async fn publish(&self, queue: &str, messages: Vec<Message>) -> Results {
        let count = messages.len();
        let mut results = Results::with_capacity(count);
        let mut messages = messages.into_iter();
        loop {
            let window: Vec<_> = messages.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return results;
            }
            if let Ok(Some(confirmed)) = timeout(self.deadline, self.publish_window(queue, window)).await {
                results.extend(confirmed);
            } else {
                // What comes after would not fare better, and the caller waits.
                results.resize(count, Err(PublishError::Unconfirmed));
                return results;
            }
        }
    }

    async fn publish_window(&self, queue: &str, messages: Vec<Message>) -> Option<Results> {
        let (reply, answer) = oneshot::channel();
        self.batches.send(Batch { queue: queue.to_owned(), messages, reply }).await.ok()?;
        answer.await.ok()
    }
}

struct Task {
    shared: Arc<Shared>,
    batches: mpsc::Receiver<Batch>,
}

impl Task {
    async fn run(mut self, role: Arc<Role>) {
        while let Err(failure) = self.session(&role).await {
            // Whoever watches over the connections hears when it takes too long; publishing goes on trying.
            let _ = role.down(failure, Instant::now());
            if self.batches.is_closed() && self.batches.is_empty() {
                return;
            }
            sleep(retry_pause()).await;
        }
    }

    /// One connection's life; ends well when no one can publish any more.
    async fn session(&mut self, role: &Role) -> Result<(), Failure> {
        let link = Link::open(&self.shared.config.url, "callfairy publisher").await?;
        let channel = link.channel().await?;
        topology::declare(&channel, &self.shared).await?;
        link::within("ask for confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        role.up(Instant::now());
        let mut tick = interval(HEALTH_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => link.check()?,
                batch = self.batches.recv() => {
                    let Some(batch) = batch else {
                        link.close().await;
                        return Ok(());
                    };
                    let window = self.window(batch);
                    publish(&link, &channel, window).await?;
                }
            }
        }
    }

    /// The batch, and others that wait already. Batches whose caller gave up are left out.
    fn window(&mut self, first: Batch) -> Vec<Batch> {
        let mut count = first.messages.len();
        let mut window = vec![first];
        while count < WINDOW {
            let Ok(batch) = self.batches.try_recv() else { break };
            count += batch.messages.len();
            window.push(batch);
        }
        window.retain(|batch| !batch.reply.is_closed());
        window
    }
}

/// Sends a window and waits for all its confirms.
///
/// An unroutable message is acked too, after it was returned. The library hands a returned message to whichever confirm
/// comes next, not to its own. Every return comes before its message's ack, so once the whole window is confirmed all
/// its returns are known, and they are matched by message id. This is why windows do not overlap on the channel.
///
/// A missing queue ends the connection like any failure, and the next one declares the queue. Declared sooner, it would
/// come back before its consumers heard that it was gone, and then they never hear.
async fn publish(link: &Link, channel: &Channel, window: Vec<Batch>) -> Result<(), Failure> {
    let sends =
        window.iter().flat_map(|batch| batch.messages.iter().map(|message| send(channel, &batch.queue, message)));
    let confirmed = link.watch(timeout(CONFIRM_DEADLINE, join_all(sends))).await;
    let confirmations = match confirmed {
        Ok(Ok(confirmations)) => confirmations,
        // Returns may be missing: nothing of the window is certain. Its callers learn that as their replies are dropped.
        Ok(Err(_)) => return Err(Failure::of_call("publish", "deadline passed")),
        Err(failure) => return Err(failure),
    };
    let mut returned = HashSet::new();
    let mut failure = None;
    let mut results: Vec<_> = confirmations
        .into_iter()
        .map(|confirmation| {
            let result = match &confirmation {
                Ok(Confirmation::Ack(_)) => Ok(()),
                Ok(Confirmation::Nack(_)) => Err(PublishError::Full),
                Ok(Confirmation::NotRequested) => Err(PublishError::Unconfirmed),
                Err(error) => {
                    failure = Some(Failure::of_call("publish", error));
                    Err(PublishError::Unconfirmed)
                }
            };
            let message = confirmation.ok().and_then(Confirmation::take_message);
            returned.extend(message.and_then(|message| codec::id(&message.properties)));
            result
        })
        .collect();
    for batch in window {
        let mut answer: Results = results.drain(..batch.messages.len()).collect();
        for (result, message) in answer.iter_mut().zip(&batch.messages) {
            if returned.contains(&message.id) {
                *result = Err(PublishError::Unroutable);
            }
        }
        // A caller that is gone does not need its answer.
        let _ = batch.reply.send(answer);
    }
    if !returned.is_empty() {
        failure = Some(Failure::of_call("publish", "the queue does not exist"));
    }
    failure.map_or(Ok(()), Err)
}

async fn send(channel: &Channel, queue: &str, message: &Message) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = codec::properties(message);
    channel.basic_publish("".into(), queue.into(), options, &message.body, properties).await?.await
}
