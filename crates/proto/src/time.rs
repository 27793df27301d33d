//! Times between the wire and the vocabulary.

use crate::Timestamp;
use callfairy_core::{Problem, Timestamp as Instant};

const MICROS_PER_SECOND: i64 = 1_000_000;

impl From<Instant> for Timestamp {
    fn from(time: Instant) -> Self {
        let micros = time.micros();
        let below = i32::try_from(micros.rem_euclid(MICROS_PER_SECOND)).unwrap_or_default();
        Self { seconds: micros.div_euclid(MICROS_PER_SECOND), nanos: below * 1_000 }
    }
}

impl Timestamp {
    /// The instant; `field` names the field in the problem of one that is out of range.
    pub fn instant(self, field: &str) -> Result<Instant, Problem> {
        self.checked().ok_or_else(|| Problem::field(field, "is out of range"))
    }

    pub(crate) fn checked(self) -> Option<Instant> {
        let below = (0..1_000_000_000).contains(&self.nanos).then_some(i64::from(self.nanos) / 1_000)?;
        let micros = self.seconds.checked_mul(MICROS_PER_SECOND)?.checked_add(below)?;
        Instant::from_micros(micros).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for micros in [0, 1, -1, 1_767_225_600_000_001, -62_000_000_000_000_000] {
            let time = Instant::from_micros(micros).unwrap();
            assert_eq!(Timestamp::from(time).instant("at"), Ok(time));
        }
    }

    #[test]
    fn refuses_what_no_clock_shows() {
        for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, 5)] {
            let problem = Timestamp { seconds, nanos }.instant("at").unwrap_err();
            assert_eq!(problem.fields[0].field, "at");
        }
    }
}
