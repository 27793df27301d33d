//! The last changes: an answer that was on its way while one came in may be older than it.

use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// Changes that are remembered: more than come while an answer is on its way.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(super) struct Recent {
    /// In the order of their numbers, which have no gaps; the last is that of the latest change.
    order: VecDeque<(i64, Uuid)>,
    /// The latest change of each.
    latest: HashMap<Uuid, i64>,
    /// The number of the latest change that is not remembered.
    forgotten: i64,
}

impl Recent {
    /// The changes that follow the one with the number `after`.
    pub fn add(&mut self, after: i64, subjects: &[Uuid]) {
        for (number, subject) in (after + 1..).zip(subjects) {
            self.order.push_back((number, *subject));
            self.latest.insert(*subject, number);
        }
        while self.order.len() > REMEMBERED
            && let Some((number, subject)) = self.order.pop_front()
        {
            self.forgotten = number;
            if self.latest.get(&subject) == Some(&number) {
                self.latest.remove(&subject);
            }
        }
    }

    /// Nothing is known of the changes up to this one.
    pub fn restart(&mut self, head: i64) {
        *self = Self { forgotten: head, ..Self::default() };
    }

    /// Whether none of these has changed since the change with the number `since`, for certain.
    pub fn is_unchanged(&self, subjects: &[Uuid], since: i64) -> bool {
        let changed = |subject: &Uuid| self.latest.get(subject).is_some_and(|number| *number > since);
        since >= self.forgotten && !subjects.iter().any(changed)
    }
}
