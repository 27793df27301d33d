//! How often what was asked of the simulator.

use super::order::Ids;
use callfairy_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use uuid::Uuid;

/// Requests to place a call, and how many of them were accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub posts: u64,
    pub placed: u64,
}

/// Never forgotten: they outlive the lines of the journal that they were counted from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub total: Count,
    pub numbers: HashMap<u64, Count>,
    pub attempts: HashMap<Uuid, Count>,
    /// By the platform's call request.
    pub calls: HashMap<Uuid, Count>,
    /// What was done with requests, and with webhooks.
    pub actions: BTreeMap<Cow<'static, str>, u64>,
    /// Looked at for less than a day, so it is not kept with the rest.
    #[serde(skip)]
    last_placed: HashMap<u64, Timestamp>,
}

impl Counts {
    /// Counts what was done.
    pub fn did(&mut self, action: Cow<'static, str>) {
        *self.actions.entry(action).or_default() += 1;
    }

    /// Counts a request; answers how many there were for its number, and in all.
    pub fn post(&mut self, ids: Ids) -> (u64, u64) {
        self.total.posts += 1;
        self.each(ids, |count| count.posts += 1);
        let number = ids.number.and_then(|number| self.numbers.get(&number));
        (number.map_or(1, |count| count.posts), self.total.posts)
    }

    /// Counts an accepted call.
    pub fn place(&mut self, ids: Ids, now: Timestamp) {
        self.total.placed += 1;
        self.each(ids, |count| count.placed += 1);
        if let Some(number) = ids.number {
            self.last_placed.insert(number, now);
        }
    }

    /// Since the last accepted call to the number.
    pub fn since_last(&self, ids: Ids, now: Timestamp) -> Option<Duration> {
        Some(now.since(*self.last_placed.get(&ids.number?)?))
    }

    fn each(&mut self, ids: Ids, change: impl Fn(&mut Count)) {
        if let Some(number) = ids.number {
            change(self.numbers.entry(number).or_default());
        }
        if let Some(attempt) = ids.attempt_id {
            change(self.attempts.entry(attempt).or_default());
        }
        if let Some(call) = ids.call_id {
            change(self.calls.entry(call).or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_number_attempt_and_call() {
        let mut counts = Counts::default();
        let now = Timestamp::UNIX_EPOCH;
        let ids = Ids {
            number: Some(1),
            attempt_id: Some(Uuid::from_u128(1)),
            call_id: Some(Uuid::from_u128(2)),
            attempt: None,
        };
        assert_eq!(counts.post(ids), (1, 1));
        assert_eq!(counts.post(Ids::default()), (1, 2));
        let again = Ids { attempt_id: Some(Uuid::from_u128(3)), ..ids };
        assert_eq!(counts.post(again), (2, 3));
        assert_eq!(counts.since_last(ids, now), None);
        counts.place(again, now);
        assert_eq!(counts.since_last(ids, now.plus(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(counts.numbers[&1], Count { posts: 2, placed: 1 });
        assert_eq!(counts.attempts[&Uuid::from_u128(1)], Count { posts: 1, placed: 0 });
        assert_eq!(counts.calls[&Uuid::from_u128(2)], Count { posts: 2, placed: 1 });
        assert_eq!(counts.total, Count { posts: 3, placed: 1 });
        counts.did("accepted".into());
        counts.did("accepted".into());
        assert_eq!(counts.actions["accepted"], 2);
        let text = serde_json::to_string(&counts).unwrap();
        let read: Counts = serde_json::from_str(&text).unwrap();
        assert_eq!((&read.numbers, &read.attempts), (&counts.numbers, &counts.attempts));
        assert_eq!((&read.calls, &read.actions, read.total), (&counts.calls, &counts.actions, counts.total));
    }
}
