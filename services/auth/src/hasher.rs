//! Hashing passwords: a bounded number at one time.

use crate::Error;
use crate::domain::password_hash::{self, DUMMY};
use callfairy_core::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long to wait for a free hasher.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Hashes on blocking threads: each takes tens of milliseconds and 19 MiB. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hasher(Arc<Semaphore>);

impl Hasher {
    /// At most `permits` hashes at one time.
    pub fn new(permits: u32) -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(permits.max(1)).unwrap_or(1))))
    }

    /// The password's hash as a PHC string. [`Error::Busy`] if no hasher becomes free in 5 s.
    pub async fn hash(&self, password: Secret) -> Result<String, Error> {
        self.run(move || password_hash::hash(password.expose().as_bytes()).map_err(defect)).await
    }

    /// Whether the password has this hash. Without one it has not, and finding that out takes as long.
    pub async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool, Error> {
        self.run(move || {
            let verified = password_hash::verify(password.expose().as_bytes(), hash.as_deref().unwrap_or(DUMMY));
            Ok(verified.map_err(defect)? && hash.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = tokio::time::timeout(MAX_WAIT, self.0.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
        let work = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, not when the caller goes away.
            let _permit = permit;
            work()
        });
        work.await.map_err(|error| Error::Defect(format!("a hasher stopped: {error}")))?
    }
}

fn defect(error: impl std::fmt::Display) -> Error {
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
        let hasher = Hasher::new(1);
        let hash = hasher.hash(Secret::new("a long enough one")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify(Secret::new("a long enough one"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("a long enough onE"), Some(hash.clone())).await.unwrap());
        assert_ne!(hasher.hash(Secret::new("a long enough one")).await.unwrap(), hash, "each has a salt of its own");
    }

    #[tokio::test]
    async fn nobody_has_the_dummy_and_it_costs_the_same() {
        let dummy = PasswordHash::new(DUMMY).unwrap();
        let params = Params::try_from(&dummy).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, ITERATIONS, LANES));
        assert_eq!(dummy.hash.unwrap().as_bytes().len(), Params::DEFAULT_OUTPUT_LEN);
        assert!(!Hasher::new(1).verify(Secret::new("anything"), None).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_five_seconds_for_a_free_hasher() {
        let hasher = Hasher::new(1);
        let taken = hasher.0.clone().acquire_owned().await.unwrap();
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
