//! The queues of one process, in its memory.

mod consumer;
mod store;

use crate::{DeadLetter, DeadLetterError, MAX_DEAD_LETTERS, Message, PublishError, QueueName, Replay, RetryPolicy};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Store;

/// How many messages one queue holds, waiting, paused and running.
pub(crate) const MAX_MESSAGES: usize = 100_000;

pub(crate) struct Embedded {
    policy: RetryPolicy,
    queues: [Store; QueueName::ALL.len()],
    dead: Mutex<VecDeque<DeadLetter>>,
}

impl Embedded {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, queues: std::array::from_fn(|_| Store::default()), dead: Mutex::default() }
    }

    pub(crate) fn publish(&self, queue: QueueName, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        self.store(queue).publish(messages)
    }

    pub(crate) fn dead_letters(&self, limit: usize) -> Vec<DeadLetter> {
        self.dead().iter().take(limit).cloned().collect()
    }

    pub(crate) fn replay(&self, which: &Replay) -> Result<usize, DeadLetterError> {
        let mut dead = self.dead();
        let mut replayed = 0;
        let mut kept = VecDeque::new();
        while let Some(letter) = dead.pop_front() {
            let Some(queue) = letter.queue.filter(|_| which.takes(letter.message.id)) else {
                kept.push_back(letter);
                continue;
            };
            if let [Err(error)] = self.publish(queue, vec![letter.message.clone()])[..] {
                kept.push_back(letter);
                kept.append(&mut dead);
                *dead = kept;
                return Err(error.into());
            }
            replayed += 1;
        }
        *dead = kept;
        Ok(replayed)
    }

    fn bury(&self, queue: QueueName, message: Message, reason: String) {
        tracing::error!(%queue, message = %message.id, reason, "message goes to the dead letters");
        let mut dead = self.dead();
        if dead.len() == MAX_DEAD_LETTERS {
            dead.pop_front();
        }
        dead.push_back(DeadLetter { message, queue: Some(queue), reason });
    }

    fn store(&self, queue: QueueName) -> &Store {
        &self.queues[queue as usize]
    }

    fn dead(&self) -> MutexGuard<'_, VecDeque<DeadLetter>> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("policy", &self.policy).finish_non_exhaustive()
    }
}
