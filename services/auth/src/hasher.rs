//! Hashing passwords: a bounded number at one time.

use crate::Error;
use crate::domain::password_hash::{self, DUMMY, Memory};
use callfairy_core::Secret;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long to wait for a free hasher, usually.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// Hashes on blocking threads: each takes tens of milliseconds and 19 MiB. Cheap to clone.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    max_wait: Duration,
    permits: Arc<Semaphore>,
    /// One for each permit that is free and was used before.
    memories: Mutex<Vec<Memory>>,
}

impl Hasher {
    /// At most `permits` hashes at one time; who waits for longer than `max_wait` is told that it is busy.
    pub fn new(permits: u32, max_wait: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(permits.max(1)).unwrap_or(1)));
        Self(Arc::new(Inner { max_wait, permits, memories: Mutex::default() }))
    }

    /// The password's hash as a PHC string. [`Error::Busy`] if no hasher becomes free.
    pub async fn hash(&self, password: Secret) -> Result<String, Error> {
        self.run(move |memory| password_hash::hash(password.expose().as_bytes(), memory).map_err(defect)).await
    }

    /// Whether the password has this hash. Without one it has not, and finding that out takes as long.
    pub async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool, Error> {
        self.run(move |memory| {
            let hash_or_dummy = hash.as_deref().unwrap_or(DUMMY);
            let verified = password_hash::verify(password.expose().as_bytes(), hash_or_dummy, memory);
            Ok(verified.map_err(defect)? && hash.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = tokio::time::timeout(self.0.max_wait, self.0.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
        let hasher = self.0.clone();
        let work = tokio::task::spawn_blocking(move || {
            let mut memory = hasher.memories().pop().unwrap_or_default();
            let answer = work(&mut memory);
            hasher.memories().push(memory);
            // Given back when the work is done, not when the caller goes away.
            drop(permit);
            answer
        });
        work.await.map_err(|error| Error::Defect(format!("a hasher stopped: {error}")))?
    }
}

impl Inner {
    fn memories(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

fn defect(error: impl fmt::Display) -> Error {
    Error::Defect(format!("a password hash: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::domain::password_hash::{ITERATIONS, LANES, MEMORY_KIB};
    use argon2::{Params, PasswordHash};
    use tokio::time::Instant;

    #[tokio::test]
    async fn verifies_what_it_hashed() {
        let hasher = Hasher::new(1, MAX_WAIT);
        let hash = hasher.hash(Secret::new("a long enough one")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify(Secret::new("a long enough one"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("a long enough onE"), Some(hash.clone())).await.unwrap());
        assert_ne!(hasher.hash(Secret::new("a long enough one")).await.unwrap(), hash, "each has a salt of its own");
    }

    #[tokio::test]
    async fn as_much_memory_is_kept_as_there_are_permits() {
        let hasher = Hasher::new(2, MAX_WAIT);
        let hash = hasher.hash(Secret::new("a long enough one")).await.unwrap();
        for _ in 0..3 {
            // What one left in it does not change what the next computes.
            let verify = |password: &str| hasher.verify(Secret::new(password), Some(hash.clone()));
            let right = "a long enough one";
            let (one, other, third) = tokio::join!(verify(right), verify("another that is wrong"), verify(right));
            assert_eq!((one.unwrap(), other.unwrap(), third.unwrap()), (true, false, true));
        }
        assert!((1..=2).contains(&hasher.0.memories().len()));
    }

    #[tokio::test]
    async fn nobody_has_the_dummy_and_it_costs_the_same() {
        let dummy = PasswordHash::new(DUMMY).unwrap();
        let params = Params::try_from(&dummy).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, ITERATIONS, LANES));
        assert_eq!(dummy.hash.unwrap().as_bytes().len(), Params::DEFAULT_OUTPUT_LEN);
        assert!(!Hasher::new(1, MAX_WAIT).verify(Secret::new("anything"), None).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_five_seconds_for_a_free_hasher() {
        let hasher = Hasher::new(1, MAX_WAIT);
        let taken = hasher.0.permits.clone().acquire_owned().await.unwrap();
        let began = Instant::now();
        let Err(error) = hasher.hash(Secret::new("a long enough one")).await else { panic!("it was not busy") };
        assert!(matches!(error, Error::Busy));
        assert_eq!(began.elapsed(), MAX_WAIT);
        let problem = callfairy_core::Problem::from(error);
        assert!(problem.code == callfairy_core::ErrorCode::Unavailable && problem.retry_after.is_some());
        drop(taken);
        assert!(hasher.hash(Secret::new("a long enough one")).await.is_ok());
    }
}
