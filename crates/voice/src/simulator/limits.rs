//! A plan's limits: calls at once, in an hour, in a day.

use super::behaviour::Plan;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

#[derive(Debug, Default)]
pub struct Limits(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    active: u64,
    /// The window's number since the start, and the calls in it.
    hour: (u64, u64),
    day: (u64, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    Concurrent,
    PerHour,
    PerDay,
}

impl Limits {
    /// Takes a place for a call, if the plan leaves one. `elapsed`: simulated, since the start.
    pub fn take(&self, plan: Option<Plan>, elapsed: Duration) -> Result<(), Exceeded> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (hour, day) = (elapsed.as_secs() / HOUR, elapsed.as_secs() / DAY);
        if used.hour.0 != hour {
            used.hour = (hour, 0);
        }
        if used.day.0 != day {
            used.day = (day, 0);
        }
        if let Some(plan) = plan {
            if used.active >= plan.concurrent {
                return Err(Exceeded::Concurrent);
            }
            if used.hour.1 >= plan.per_hour {
                return Err(Exceeded::PerHour);
            }
            if used.day.1 >= plan.per_day {
                return Err(Exceeded::PerDay);
            }
        }
        used.active += 1;
        used.hour.1 += 1;
        used.day.1 += 1;
        Ok(())
    }

    /// A call that was taken before this process began goes on.
    pub fn take_again(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).active += 1;
    }

    /// A call is over.
    pub fn release(&self) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.active = used.active.saturating_sub(1);
    }

    pub fn active(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_frees_itself() {
        let limits = Limits::default();
        let plan = Some(Plan { concurrent: 2, per_hour: 3, per_day: 4 });
        let at = |hours: u64| limits.take(plan, Duration::from_secs(hours * HOUR));
        assert_eq!((at(0), at(0), at(0)), (Ok(()), Ok(()), Err(Exceeded::Concurrent)));
        limits.release();
        limits.release();
        assert_eq!((at(0), at(0)), (Ok(()), Err(Exceeded::PerHour)));
        assert_eq!(at(1), Ok(()));
        limits.release();
        assert_eq!((at(1), at(24)), (Err(Exceeded::PerDay), Ok(())));
        assert_eq!(limits.active(), 2);
        assert_eq!(limits.take(None, Duration::ZERO), Ok(()));
    }
}
