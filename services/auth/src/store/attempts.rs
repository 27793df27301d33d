//! Wrong passwords, counted. An attempt is counted before its password is looked at and taken back when that was right, so
//! that of many at one time no more are looked at than of many in turn.

use super::one_at_a_time;
use super::schema::attempts;
use crate::domain::throttle::{Counter, WINDOW, Wait};
use callfairy_core::Timestamp;
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;
use diesel::upsert::excluded;

/// Counts an attempt for each of these, in order, or answers how long none is looked at.
pub fn count(db: &mut Db, counters: &[Counter], now: Timestamp) -> QueryResult<Option<Wait>> {
    for counter in counters {
        if let Some(wait) = count_one(db, counter, now)? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

fn count_one(db: &mut Db, counter: &Counter, now: Timestamp) -> QueryResult<Option<Wait>> {
    let key = counter.key.as_slice();
    one_at_a_time(db, &format!("attempts {key:02x?}"))?;
    let row: Option<(i32, Timestamp)> =
        on!(db, |c| attempts::table.find(key).select((attempts::count, attempts::since)).first(c).optional())?;
    let (count, since) = row.filter(|(_, since)| now.since(*since) < WINDOW).unwrap_or((0, now));
    if count >= counter.limit {
        return Ok(Some(Wait(since.plus(WINDOW).since(now))));
    }
    let row = (attempts::key.eq(key), attempts::count.eq(count + 1), attempts::since.eq(Sql(since)));
    on!(db, |c| diesel::insert_into(attempts::table)
        .values(row)
        .on_conflict(attempts::key)
        .do_update()
        .set((attempts::count.eq(excluded(attempts::count)), attempts::since.eq(excluded(attempts::since))))
        .execute(c))?;
    Ok(None)
}

/// The password was right: whoever it is, they are no guesser.
pub fn forget(db: &mut Db, counter: &Counter) -> QueryResult<()> {
    on!(db, |c| diesel::delete(attempts::table.find(counter.key.as_slice())).execute(c))?;
    Ok(())
}

/// The password was right, which says nothing of the others that were tried here.
pub fn take_back(db: &mut Db, counter: &Counter) -> QueryResult<()> {
    let counted = attempts::table.find(counter.key.as_slice()).filter(attempts::count.gt(0));
    on!(db, |c| diesel::update(counted).set(attempts::count.eq(attempts::count - 1)).execute(c))?;
    Ok(())
}

/// For [`db::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = attempts::table.filter(attempts::since.le(Sql(now.minus(WINDOW)))).limit(BATCH).select(attempts::key);
    let keys: Vec<Vec<u8>> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(attempts::table.filter(attempts::key.eq_any(&keys))).execute(c))
}
