//! Deletes what has served its time.

use crate::store::purge::{ALL, BATCH, Purge};
use callfairy_core::Clock;
use db::Pool;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_mins(1);

/// Runs until `shutdown`, in every replica: what one has deleted, the others do not find.
pub async fn run(pool: Pool, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Result<(), Infallible> {
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        for purge in ALL {
            if let Err(error) = all(&pool, &*clock, purge, &shutdown).await {
                tracing::warn!(%error, "old rows stay for now");
            }
        }
    }
}

async fn all(pool: &Pool, clock: &dyn Clock, purge: Purge, shutdown: &CancellationToken) -> Result<(), db::Error> {
    while !shutdown.is_cancelled() {
        let now = clock.now();
        let deleted = pool.write(move |db| Ok::<_, db::Error>(purge(db, now)?)).await?;
        if deleted < BATCH {
            break;
        }
    }
    Ok(())
}
