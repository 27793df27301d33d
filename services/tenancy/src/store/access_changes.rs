//! What has changed in who may do what, by number. The database's triggers write it.

use super::schema::{access_changes, access_head};
use callfairy_core::{Id, Timestamp};
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;

/// Names whom or what a change is about: a user, a session, an organisation or an API key.
#[derive(Debug)]
pub enum SubjectMark {}
pub type Subject = Id<SubjectMark>;

/// Changes that are told at once. Who is further behind forgets all that it knows.
pub const TOLD: i64 = 1_000;
/// Changes that are remembered.
const KEPT: i64 = 10_000;

/// The number of the latest change.
pub fn head(db: &mut Db) -> QueryResult<i64> {
    on!(db, |c| access_head::table.select(access_head::number).get_result(c))
}

/// Whom the changes after the one with the number `after` are about, in order and without gaps, and the number of the
/// last; `None` if they cannot all be told.
pub fn after(db: &mut Db, after: i64) -> QueryResult<Option<(i64, Vec<Subject>)>> {
    let first = access_changes::table.filter(access_changes::number.gt(after)).order(access_changes::number);
    let rows: Vec<(i64, Sql<Subject>)> = on!(db, |c| first.limit(TOLD + 1).load(c))?;
    let is_complete = rows.first().is_none_or(|(number, _)| *number == after + 1);
    let last = rows.last().map_or(after, |(number, _)| *number);
    let subjects: Vec<Subject> = rows.into_iter().map(|(_, subject)| subject.0).collect();
    let is_told = is_complete && i64::try_from(subjects.len()).is_ok_and(|count| count <= TOLD);
    Ok(is_told.then_some((last, subjects)))
}

/// For [`db::purge::run`].
pub fn purge(db: &mut Db, _: Timestamp) -> QueryResult<usize> {
    let oldest: Option<i64> =
        on!(db, |c| access_changes::table.select(diesel::dsl::min(access_changes::number)).first(c))?;
    let Some(oldest) = oldest else { return Ok(0) };
    let until = (head(db)? - KEPT).min(oldest + BATCH - 1);
    let old = access_changes::table.filter(access_changes::number.le(until));
    on!(db, |c| diesel::delete(old).execute(c))
}
