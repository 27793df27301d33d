//! Waiting for what happens in its own time.

use std::panic::Location;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Asks until the answer is `Some`, and returns it. `what` completes "it did not happen that …".
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut polls = 0;
/// let seen = testkit::eventually("three polls were made", Duration::from_secs(5), async || {
///     polls += 1;
///     (polls == 3).then_some(polls)
/// });
/// assert_eq!(seen.await, 3);
/// # }
/// ```
///
/// # Panics
/// When the deadline passes first; the message has `what` and the caller's place.
#[track_caller]
pub fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut pause = SHORTEST_PAUSE;
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{caller}: within {deadline:?} it did not happen that {what}");
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "within 20ms it did not happen that pigs fly")]
    async fn fails_with_the_description() {
        eventually("pigs fly", Duration::from_millis(20), async || None::<()>).await;
    }

    #[tokio::test]
    async fn asks_once_more_at_the_deadline() {
        let (start, deadline) = (Instant::now(), Duration::from_millis(50));
        let late = eventually("it was late", deadline, async || (start.elapsed() >= deadline).then(|| start.elapsed()));
        assert!(late.await >= deadline);
    }
}
