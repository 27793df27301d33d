//! Forgets idempotency keys that have run out.

use callfairy_core::Clock;
use db::{Pool, idempotency};
use runtime::Shutdown;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_hours(1);

/// Sweeps now and every hour, until the shutdown.
pub async fn run(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Result<(), Infallible> {
    while !shutdown.has_begun() {
        let now = clock.now();
        match pool.write(move |db| Ok::<_, db::Error>(idempotency::purge(db, now)?)).await {
            // There may be more.
            Ok(purged) if i64::try_from(purged).is_ok_and(|purged| purged >= idempotency::PURGE_BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old idempotency keys stay for now"),
        }
        tokio::select! {
            () = shutdown.wait() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    Ok(())
}
