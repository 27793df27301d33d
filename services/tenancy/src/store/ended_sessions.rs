//! Sessions that ended while their access tokens may live.

use super::schema::ended_sessions;
use callfairy_core::{Id, Timestamp};
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::time::Duration;

/// Names the ids of sessions, which auth gives.
#[derive(Debug)]
pub enum SessionMark {}
pub type SessionId = Id<SessionMark>;

/// How long a session is remembered after it was reported: longer than any token of it lives.
const KEPT: Duration = Duration::from_mins(30);

/// A session stays ended: whatever is reported before or after, in any order.
pub fn add(db: &mut Db, sessions: &[SessionId], now: Timestamp) -> QueryResult<()> {
    let row =
        |session: &SessionId| (ended_sessions::session_id.eq(Sql(*session)), ended_sessions::reported_at.eq(Sql(now)));
    // One by one: there is rarely more than one.
    for session in sessions {
        on!(db, |c| diesel::insert_into(ended_sessions::table)
            .values(row(session))
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

pub fn contains(db: &mut Db, session: SessionId) -> QueryResult<bool> {
    let ended = ended_sessions::table.find(Sql(session));
    on!(db, |c| diesel::select(diesel::dsl::exists(ended)).get_result(c))
}

/// For [`db::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = ended_sessions::table
        .filter(ended_sessions::reported_at.le(Sql(now.minus(KEPT))))
        .limit(BATCH)
        .select(ended_sessions::session_id);
    let ids: Vec<SessionId> = on!(db, |c| old.load(c))?;
    let old = ended_sessions::table.filter(ended_sessions::session_id.eq_any(ids.into_iter().map(Sql)));
    on!(db, |c| diesel::delete(old).execute(c))
}
