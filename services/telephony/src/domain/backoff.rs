//! When to try again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(10);

/// After an attempt whose outcome is unknown, the provider is asked this long after, each counted from the last.
const LOOKUPS: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// How long to wait after `failures` failures in a row: a random time (`dice` is 0 to 1) up to a limit that doubles,
/// so that what failed together does not come back together.
pub fn retry_after(failures: u32, dice: f64) -> Duration {
    let limit = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    limit.mul_f64(dice.clamp(0.05, 1.0))
}

/// When to look up an unknown attempt for the `n`th time, from 0; `None` when it was looked for often enough.
pub fn lookup_after(n: u32) -> Option<Duration> {
    LOOKUPS.get(usize::try_from(n).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_limit() {
        assert_eq!(retry_after(0, 1.0), FIRST);
        assert_eq!(retry_after(3, 1.0), FIRST * 8);
        assert_eq!(retry_after(3, 0.5), FIRST * 4);
        assert_eq!(retry_after(u32::MAX, 1.0), LONGEST);
    }

    #[test]
    fn looks_five_times() {
        assert_eq!(lookup_after(0), Some(Duration::from_secs(2)));
        assert_eq!(lookup_after(4), Some(Duration::from_mins(10)));
        assert_eq!(lookup_after(5), None);
    }
}
