//! One connection of a consumer: what the broker sends over it, and how much it may send.

use super::health::Failure;
use super::link::{CALL_DEADLINE, Link, within};
use super::{Shared, topology};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, once, select_all};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How many messages one consumer holds while they pause. When it holds that many it takes new ones only as pauses end.
const MAX_PAUSED: usize = 1_000;

/// After so many quiet checks the queue is asked whether it holds messages. Twice yes, and the session has failed.
const QUIET_CHECKS: u32 = 5;

pub(super) struct Session {
    pub(super) link: Link,
    channel: Channel,
    queue: String,
    prefetch: usize,
    events: SelectAll<BoxStream<'static, Event>>,
    /// The first, and those that joined because pausing messages took the place of others; each with its limit of
    /// unsettled messages.
    consumers: Vec<(ShortString, usize)>,
    cancelled: Vec<ShortString>,
    /// For how many checks nothing was delivered.
    quiet: u32,
    pub(super) pauses: Arc<Pauses>,
}

/// The messages of a session that wait before they go back.
#[derive(Default)]
pub(super) struct Pauses {
    count: AtomicUsize,
    pub(super) changed: Notify,
    /// The session ends: pauses end with it.
    pub(super) over: CancellationToken,
}

pub(super) enum Event {
    Delivery(Box<Delivery>),
    Failed(lapin::Error),
    Ended(ShortString),
}

impl Session {
    pub(super) async fn open(shared: &Shared, queue: &str, prefetch: u16) -> Result<Self, Failure> {
        let link = Link::open(&shared.config.url, &format!("callfairy consumer of {queue}")).await?;
        let channel = link.channel().await?;
        topology::declare(&channel, shared).await?;
        let mut session = Self {
            link,
            channel,
            queue: queue.to_owned(),
            prefetch: prefetch.into(),
            events: select_all([]),
            consumers: Vec::new(),
            cancelled: Vec::new(),
            quiet: 0,
            pauses: Arc::default(),
        };
        session.add_consumer(prefetch).await?;
        Ok(session)
    }

    /// The next thing the broker sends. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Box<Delivery>, Failure> {
        loop {
            match self.events.next().await {
                Some(Event::Delivery(delivery)) => {
                    self.quiet = 0;
                    return Ok(delivery);
                }
                Some(Event::Failed(error)) => return Err(Failure::of_call("consume", error)),
                Some(Event::Ended(tag)) if self.cancelled.contains(&tag) => {
                    self.cancelled.retain(|other| *other != tag);
                }
                Some(Event::Ended(_)) | None => return Err(Failure::of_call("consume", "the broker ended it")),
            }
        }
    }

    /// To be called every second, with whether a handler waits for a message.
    pub(super) async fn check(&mut self, waiting: bool) -> Result<(), Failure> {
        self.link.check()?;
        let paused = self.pauses.count.load(Ordering::SeqCst);
        self.leave_room(paused).await?;
        self.quiet = if waiting && paused == 0 { self.quiet + 1 } else { 0 };
        if self.quiet > 0 && self.quiet.is_multiple_of(QUIET_CHECKS) { self.check_deliveries().await } else { Ok(()) }
    }

    /// Not every consumer that is no more hears of it: when a queue is deleted and at once declared again, its
    /// consumers stay connected and receive nothing.
    async fn check_deliveries(&mut self) -> Result<(), Failure> {
        let options = QueueDeclareOptions::durable().passive();
        let declare = self.channel.queue_declare(self.queue.as_str().into(), options, FieldTable::default());
        if within("count messages", declare).await?.message_count() == 0 {
            self.quiet = 0;
        } else if self.quiet > QUIET_CHECKS {
            return Err(Failure::of_call("consume", "the queue has messages and delivers none"));
        }
        Ok(())
    }

    /// Keeps `prefetch` messages coming whatever pauses: the broker counts pausing ones as unsettled, and a consumer's
    /// limit cannot change, so another consumer joins. It is no larger than need be, so as not to hoard messages.
    pub(super) async fn make_room(&mut self) -> Result<(), Failure> {
        let paused = self.pauses.count.load(Ordering::SeqCst);
        let (capacity, most) = (self.capacity(), self.prefetch + MAX_PAUSED);
        if capacity < self.prefetch + paused && capacity < most {
            let more = self.prefetch.max(paused).min(most - capacity);
            self.add_consumer(u16::try_from(more).unwrap_or(u16::MAX)).await?;
        }
        Ok(())
    }

    /// Ends the last consumer that joined when far fewer messages pause than it was for. One at a time: the broker takes
    /// back what is on its way to a consumer that ends, and that counts as a delivery.
    async fn leave_room(&mut self, paused: usize) -> Result<(), Failure> {
        match self.consumers.last() {
            Some((_, limit)) if self.capacity() - limit >= self.prefetch + 2 * paused => {
                self.cancel_from(self.consumers.len() - 1).await
            }
            _ => Ok(()),
        }
    }

    fn capacity(&self) -> usize {
        self.consumers.iter().map(|(_, limit)| limit).sum()
    }

    async fn add_consumer(&mut self, limit: u16) -> Result<(), Failure> {
        // The limit holds for the consumers that begin after it was set.
        within("limit deliveries", self.channel.basic_qos(limit, BasicQosOptions::default())).await?;
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer =
            within("consume", self.channel.basic_consume(self.queue.as_str().into(), "".into(), options, table))
                .await?;
        self.consumers.push((consumer.tag(), limit.into()));
        self.events.push(events(consumer));
        Ok(())
    }

    /// Ends all consumers but the first few. What they have received already still comes.
    async fn cancel_from(&mut self, first: usize) -> Result<(), Failure> {
        for (tag, _) in self.consumers.split_off(first).into_iter().rev() {
            self.cancelled.push(tag.clone());
            within("cancel", self.channel.basic_cancel(tag, BasicCancelOptions::default())).await?;
        }
        Ok(())
    }

    /// Takes nothing more: pauses end, and what no handler has begun goes back.
    pub(super) async fn stop_taking(&mut self) -> Result<(), Failure> {
        self.cancel_from(0).await?;
        // Not sooner, or the messages that paused would come back here.
        self.pauses.over.cancel();
        let gone = timeout(CALL_DEADLINE, async {
            while let Some(event) = self.events.next().await {
                if let Event::Delivery(delivery) = event {
                    give_back(&delivery).await?;
                }
            }
            Ok(())
        });
        gone.await.unwrap_or_else(|_| Err(Failure::of_call("give back", "deadline passed")))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pauses.over.cancel();
    }
}

impl Pauses {
    pub(super) fn begin(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    pub(super) fn end(&self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_one();
    }
}

/// Without counting against the delivery limit, where the broker tells the difference (RabbitMQ 4.3).
async fn give_back(delivery: &Delivery) -> Result<(), Failure> {
    let options = BasicNackOptions { requeue: true, multiple: false };
    within("give back", delivery.nack(options)).await?;
    Ok(())
}

fn events(consumer: Consumer) -> BoxStream<'static, Event> {
    let tag = consumer.tag();
    consumer
        .map(|event| match event {
            Ok(delivery) => Event::Delivery(Box::new(delivery)),
            Err(error) => Event::Failed(error),
        })
        .chain(once(async { Event::Ended(tag) }))
        .boxed()
}
