//! The database's own clock, as a part of a query.

use crate::sql;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;
use std::time::Duration;

/// An instant by the database's clock, taken when the statement starts. See [`now`] and [`now_plus`].
#[derive(Debug, Clone, Copy, QueryId)]
pub struct Now {
    micros: i64,
}

/// Now, by the database's clock: leases and due times of several processes are compared with one clock.
///
/// `calls::table.filter(calls::run_at.le(db::now()))` can use an index on `run_at`.
pub fn now() -> Now {
    Now { micros: 0 }
}

/// `after` from now, by the database's clock.
pub fn now_plus(after: Duration) -> Now {
    Now { micros: i64::try_from(after.as_micros()).unwrap_or(i64::MAX) }
}

/// `before` now, by the database's clock.
pub fn now_minus(before: Duration) -> Now {
    Now { micros: -now_plus(before).micros }
}

impl Expression for Now {
    type SqlType = sql::UtcTime;
}
impl<From> SelectableExpression<From> for Now {}
impl<From> AppearsOnTable<From> for Now {}
impl<GroupBy> ValidGrouping<GroupBy> for Now {
    type IsAggregate = is_aggregate::Never;
}

impl QueryFragment<Pg> for Now {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Not clock_timestamp(): it is volatile, and then no index serves the comparison.
        out.push_sql("(statement_timestamp() + ");
        out.push_bind_param::<BigInt, _>(&self.micros)?;
        out.push_sql(" * interval '1 microsecond')");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Now {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("(CAST(round(unixepoch('subsec') * 1000000) AS INTEGER) + ");
        out.push_bind_param::<BigInt, _>(&self.micros)?;
        out.push_sql(")");
        Ok(())
    }
}
