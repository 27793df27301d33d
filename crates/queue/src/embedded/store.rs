//! The messages of one queue.

use super::MAX_MESSAGES;
use crate::{Message, PublishError};
use std::collections::btree_map::OccupiedEntry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(super) struct Item {
    pub(super) message: Message,
    /// How often it came back.
    pub(super) returns: u32,
}

#[derive(Default)]
pub(super) struct Store {
    items: Mutex<Items>,
    /// Rung when an item was added. Who takes one and leaves some rings for the next consumer.
    added: Notify,
}

#[derive(Default)]
struct Items {
    ready: VecDeque<Item>,
    /// By the time at which they are due; the number tells apart what is due at once.
    paused: BTreeMap<(Instant, u64), Item>,
    next_number: u64,
    /// Taken and neither settled nor given back.
    running: usize,
}

impl Store {
    pub(super) fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let mut items = self.items();
        let room = MAX_MESSAGES.saturating_sub(items.ready.len() + items.paused.len() + items.running);
        let results = (0..messages.len()).map(|at| if at < room { Ok(()) } else { Err(PublishError::Full) }).collect();
        items.ready.extend(messages.into_iter().take(room).map(|message| Item { message, returns: 0 }));
        self.added.notify_one();
        results
    }

    /// The next item that is due, waiting for one. Cancel-safe.
    pub(super) async fn take(&self) -> Item {
        loop {
            let due = {
                let mut items = self.items();
                if let Some(item) = items.take(Instant::now()) {
                    if !items.ready.is_empty() || !items.paused.is_empty() {
                        self.added.notify_one();
                    }
                    return item;
                }
                items.paused.first_key_value().map(|((due, _), _)| *due)
            };
            match due {
                None => self.added.notified().await,
                Some(due) => tokio::select! {
                    () = self.added.notified() => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }

    /// The item is gone.
    pub(super) fn settle(&self) {
        self.items().running -= 1;
    }

    /// The item comes back when it is due.
    pub(super) fn pause(&self, item: Item, due: Instant) {
        let mut items = self.items();
        items.running -= 1;
        let number = items.next_number;
        items.next_number += 1;
        items.paused.insert((due, number), item);
        self.added.notify_one();
    }

    /// The item comes back at once, before the others.
    pub(super) fn give_back(&self, item: Item) {
        let mut items = self.items();
        items.running -= 1;
        items.ready.push_front(item);
        self.added.notify_one();
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Items {
    /// What has paused long enough goes first: it has waited longest.
    fn take(&mut self, now: Instant) -> Option<Item> {
        let due = self.paused.first_entry().filter(|entry| entry.key().0 <= now).map(OccupiedEntry::remove);
        let item = due.or_else(|| self.ready.pop_front());
        self.running += usize::from(item.is_some());
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join;
    use futures_util::poll;
    use std::pin::pin;
    use std::time::Duration;
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn messages(count: u8) -> Vec<Message> {
        (0..count).map(|at| Message::new(vec![at])).collect()
    }

    #[tokio::test]
    async fn every_waiting_consumer_hears_of_a_batch() {
        let store = Store::default();
        let (mut first, mut second) = (pin!(store.take()), pin!(store.take()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        store.publish(messages(2));
        let (first, second) = timeout(DEADLINE, join(first, second)).await.unwrap();
        assert_eq!((first.message.body, second.message.body), (vec![0], vec![1]));
    }

    #[tokio::test]
    async fn who_waits_hears_of_a_pause_and_takes_what_is_due_first() {
        let store = Store::default();
        store.publish(messages(1));
        let item = store.take().await;
        let mut waiting = pin!(store.take());
        assert!(poll!(&mut waiting).is_pending());
        store.pause(item, Instant::now() + Duration::from_millis(20));
        assert_eq!(timeout(DEADLINE, waiting).await.unwrap().message.body, [0]);

        store.publish(messages(2));
        let item = store.take().await;
        store.pause(item, Instant::now());
        assert_eq!(store.take().await.message.body, [0]);
    }
}
