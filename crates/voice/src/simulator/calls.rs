//! The calls that the simulator remembers: the last ones, within limits of number and memory.

use super::call::Call;
use super::order::digits;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// How many calls are remembered.
pub const KEPT_CALLS: usize = 1_000_000;
/// How much memory they may take, in bytes.
pub const KEPT_BYTES: usize = 2 * 1024 * 1024 * 1024;

#[derive(Debug)]
pub struct Calls {
    kept: Mutex<Kept>,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<Uuid, Arc<Call>>,
    by_number: HashMap<u64, VecDeque<Arc<Call>>>,
    oldest_first: VecDeque<Arc<Call>>,
    bytes: usize,
}

impl Calls {
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self { kept: Mutex::default(), most, most_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, call: &Arc<Call>) {
        let mut kept = self.lock();
        kept.bytes += call.size();
        kept.by_id.insert(call.id, Arc::clone(call));
        if let Some(number) = digits(&call.order.to) {
            kept.by_number.entry(number).or_default().push_back(Arc::clone(call));
        }
        kept.oldest_first.push_back(Arc::clone(call));
        while kept.oldest_first.len() > self.most || kept.bytes > self.most_bytes {
            let Some(oldest) = kept.oldest_first.pop_front() else { break };
            kept.forget(&oldest);
        }
    }

    pub fn get(&self, id: Uuid) -> Option<Arc<Call>> {
        self.lock().by_id.get(&id).map(Arc::clone)
    }

    /// Oldest first; with `number`, those to it alone.
    pub fn list(&self, number: Option<u64>) -> Vec<Arc<Call>> {
        let kept = self.lock();
        match number {
            Some(number) => kept.by_number.get(&number).into_iter().flatten().map(Arc::clone).collect(),
            None => kept.oldest_first.iter().map(Arc::clone).collect(),
        }
    }

    pub fn count(&self) -> usize {
        self.lock().oldest_first.len()
    }
}

impl Kept {
    fn forget(&mut self, call: &Call) {
        self.bytes = self.bytes.saturating_sub(call.size());
        self.by_id.remove(&call.id);
        let Some(number) = digits(&call.order.to) else { return };
        if let Some(calls) = self.by_number.get_mut(&number) {
            // The oldest of all is the oldest to its number.
            calls.pop_front();
            if calls.is_empty() {
                self.by_number.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::behaviour::Behaviour;
    use crate::simulator::order::Order;
    use crate::simulator::plan::Plan;
    use callfairy_core::Timestamp;
    use std::time::Duration;
    use tokio::time::Instant;

    fn call(to: &str) -> Arc<Call> {
        let plan = Plan::draw(&Behaviour::default(), None, 1, to, 1, Duration::MAX).unwrap();
        let order = Order { to: to.to_owned(), ..Order::default() };
        Arc::new(Call::new(order, plan, (Instant::now(), Timestamp::UNIX_EPOCH), 1.0))
    }

    #[test]
    fn forgets_the_oldest_beyond_the_limit() {
        let calls = Calls::new(2, usize::MAX);
        let all = [call("+14155550101"), call("+14155550101"), call("+14155550102")];
        for call in &all {
            calls.insert(call);
        }
        assert!(calls.get(all[0].id).is_none() && calls.get(all[2].id).is_some());
        let ids = |number| calls.list(number).iter().map(|call| call.id).collect::<Vec<_>>();
        assert_eq!(ids(None), [all[1].id, all[2].id]);
        assert_eq!(ids(Some(14_155_550_101)), [all[1].id]);
        calls.insert(&call("+14155550103"));
        assert!(ids(Some(14_155_550_101)).is_empty());
    }

    #[test]
    fn forgets_beyond_the_memory() {
        let one = call("+14155550101");
        let calls = Calls::new(100, one.size() * 2);
        for _ in 0..5 {
            calls.insert(&call("+14155550101"));
        }
        assert_eq!(calls.count(), 2);
        assert_eq!(calls.list(Some(14_155_550_101)).len(), 2);
    }
}
