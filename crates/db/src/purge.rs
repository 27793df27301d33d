//! What has served its time goes, so that no table grows for ever.

use crate::{Db, Error, Pool};
use callfairy_core::{Clock, Timestamp};
use diesel::prelude::*;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Rows that one transaction deletes, so that it holds the write lock briefly.
pub const BATCH: i64 = 1_000;
const EVERY: Duration = Duration::from_mins(1);

/// Deletes about [`BATCH`] rows of one kind; answers how many. Fewer say that none are left.
pub type Purge = fn(&mut Db, Timestamp) -> QueryResult<usize>;

/// Deletes each kind of old rows, now and every minute, until `stop`. Every replica may run it: what one has deleted, the
/// others do not find.
pub async fn run(
    pool: Pool,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    kinds: impl AsRef<[Purge]>,
) -> Result<(), Infallible> {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        for purge in kinds.as_ref() {
            if let Err(error) = all(&pool, &*clock, *purge, &stop).await {
                tracing::warn!(%error, "old rows stay for now");
            }
        }
    }
}

async fn all(pool: &Pool, clock: &dyn Clock, purge: Purge, stop: &CancellationToken) -> Result<(), Error> {
    while !stop.is_cancelled() {
        let now = clock.now();
        let deleted = pool.write(move |db| Ok::<_, Error>(purge(db, now)?)).await?;
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < BATCH) {
            break;
        }
    }
    Ok(())
}
