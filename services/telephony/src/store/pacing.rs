//! The platform's pace, exact with any number of workers: one row, changed in the transactions that claim and finish.

use crate::store::schema::pacing;
use callfairy_core::Timestamp;
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on};
use std::time::Duration;

const PLATFORM: &str = "platform";
/// A quiet moment may be made good for this long.
const BURST: Duration = Duration::from_secs(1);

/// Takes a place for one more call, or says when to ask again.
pub fn take(db: &mut Db, now: Timestamp, max: u32, per_second: u32) -> QueryResult<Result<(), Timestamp>> {
    let row = pacing::table.find(PLATFORM).select((pacing::active, pacing::next_at));
    let (active, next_at): (i64, Timestamp) = match db {
        Db::Postgres(c) => row.for_update().first(c)?,
        Db::Sqlite(c) => row.first(c)?,
    };
    if active >= i64::from(max) {
        return Ok(Err(crate::domain::gate::when_full(now)));
    }
    let next_at = next_at.max(now.minus(BURST));
    if next_at > now {
        return Ok(Err(next_at));
    }
    let next_at = next_at.plus(Duration::from_secs(1) / per_second.max(1));
    on!(db, |c| diesel::update(pacing::table.find(PLATFORM))
        .set((pacing::active.eq(pacing::active + 1), pacing::next_at.eq(Sql(next_at))))
        .execute(c))?;
    Ok(Ok(()))
}

/// Gives a place back.
pub fn give_back(db: &mut Db) -> QueryResult<()> {
    let platform = pacing::table.find(PLATFORM).filter(pacing::active.gt(0));
    on!(db, |c| diesel::update(platform).set(pacing::active.eq(pacing::active - 1)).execute(c)).map(|_| ())
}

/// Takes a place whatever the pace: for a call that turns out to be going on after all.
pub fn take_again(db: &mut Db) -> QueryResult<()> {
    on!(db, |c| diesel::update(pacing::table.find(PLATFORM)).set(pacing::active.eq(pacing::active + 1)).execute(c))
        .map(|_| ())
}
