//! Instants, and the clock that tells them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A UTC instant, kept to the microsecond, which both databases store exactly. RFC 3339 as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

/// The number of microseconds lies outside the years -9999 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is out of range")]
pub struct TimestampError;

impl Timestamp {
    pub const UNIX_EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// From microseconds since 1970.
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        jiff::Timestamp::from_microsecond(micros).map(Self).map_err(|_| TimestampError)
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0.as_microsecond()
    }

    pub fn get(self) -> jiff::Timestamp {
        self.0
    }

    /// Later by `by`; the last instant there is when that is out of range.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        self.0.checked_add(by).map_or(Self(jiff::Timestamp::MAX), Self::from)
    }

    /// Earlier by `by`; the first instant there is when that is out of range.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        self.0.checked_sub(by).map_or(Self(jiff::Timestamp::MIN), Self::from)
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).try_into().unwrap_or_default()
    }
}

impl From<jiff::Timestamp> for Timestamp {
    /// Drops what is below a microsecond, so that a value equals itself after a round trip.
    fn from(time: jiff::Timestamp) -> Self {
        jiff::Timestamp::from_microsecond(time.as_microsecond()).map_or(Self(time), Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Tells the time. Handlers and jobs ask a `Clock`, so that tests decide what time it is.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(jiff::Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_microseconds() -> Result<(), TimestampError> {
        let time = Timestamp::from_micros(1_767_225_600_000_001)?;
        assert_eq!(time.micros(), 1_767_225_600_000_001);
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.000001Z");
        Ok(())
    }

    #[test]
    fn arithmetic_does_not_leave_the_range() -> Result<(), TimestampError> {
        let time = Timestamp::from_micros(0)?;
        assert_eq!(time.plus(Duration::from_secs(5)).since(time), Duration::from_secs(5));
        assert_eq!(time.since(time.plus(Duration::from_secs(5))), Duration::ZERO);
        assert!(time.plus(Duration::MAX) > time);
        assert!(time.minus(Duration::MAX) < time);
        Ok(())
    }
}
