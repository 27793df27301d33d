//! A clock that stands still.

use callfairy_core::{Clock, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tells the time that it was set to. Clones share it, so that a test moves the time of what it gave a clone to.
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<Mutex<Timestamp>>);

impl FixedClock {
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Returns the time after it.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.plus(by);
        *now
    }
}

/// Noon on Thursday, 1 January 2026, UTC.
impl Default for FixedClock {
    fn default() -> Self {
        Self::new(Timestamp::UNIX_EPOCH.plus(Duration::from_hours(490_908)))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_told() {
        let clock = FixedClock::default();
        let other = clock.clone();
        assert_eq!(other.now().to_string(), "2026-01-01T12:00:00Z");
        assert_eq!(clock.advance(Duration::from_secs(90)).to_string(), "2026-01-01T12:01:30Z");
        assert_eq!(other.now().to_string(), "2026-01-01T12:01:30Z");
        other.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
