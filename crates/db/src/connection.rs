//! One connection, on either database.

use callfairy_core::Timestamp;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::result::Error as Diesel;
use diesel::{PgConnection, QueryResult, RunQueryDsl, SqliteConnection};

/// Runs one query on whichever database `$db` is. The body is compiled once for each, so that RETURNING,
/// ON CONFLICT, batches and joins all work, and errors point at the caller's line.
///
/// `on!(db, |c| contacts::table.find(Sql(id)).first::<Contact>(c))`
#[macro_export]
macro_rules! on {
    ($db:expr, |$c:ident| $body:expr) => {
        match $db {
            $crate::Db::Postgres(connection) => {
                let $c: &mut $crate::diesel::PgConnection = connection;
                $body
            }
            $crate::Db::Sqlite(connection) => {
                let $c: &mut $crate::diesel::SqliteConnection = connection;
                $body
            }
        }
    };
}

/// One connection, lent by [`Pool::read`](crate::Pool::read) or [`Pool::write`](crate::Pool::write).
///
/// Write queries with [`on!`]; where the dialects must differ, `match` on it in one store function.
// A connection is large, but there is one of them in a closure: a box would be in every reader's way.
#[allow(clippy::large_enum_variant)]
pub enum Db {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Db {
    /// Commits when `f` answers `Ok`, rolls back on `Err`. Inside another transaction, such as that of
    /// [`Pool::write`](crate::Pool::write), it is a savepoint: an error that you want to survive, a unique violation
    /// for example, belongs into one, since PostgreSQL refuses everything after an error until it is rolled back.
    pub fn transaction<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Diesel>,
    {
        on!(self, |c| AnsiTransactionManager::begin_transaction(c))?;
        // A panic in `f` leaves the transaction open, and the pool throws the connection away.
        match f(self) {
            Ok(value) => {
                self.commit()?;
                Ok(value)
            }
            Err(error) => match self.rollback() {
                Ok(()) => Err(error),
                // `error` says why the connection broke.
                Err(_) if self.is_broken() => Err(error),
                Err(rollback) => Err(rollback.into()),
            },
        }
    }

    /// Now, by the database's clock. For a comparison inside a query there is [`crate::now`].
    pub fn now(&mut self) -> QueryResult<Timestamp> {
        on!(self, |c| diesel::select(crate::now()).get_result(c))
    }

    /// Several statements of SQL, without values.
    pub fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        on!(self, |c| c.batch_execute(sql))
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Begins a transaction that writes. SQLite takes the write lock at once, so that it waits for other processes
    /// here instead of failing half-way.
    pub(crate) fn begin_write(&mut self) -> QueryResult<()> {
        match self {
            Self::Postgres(c) => {
                AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            }
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
        }
    }

    pub(crate) fn commit(&mut self) -> QueryResult<()> {
        on!(self, |c| AnsiTransactionManager::commit_transaction(c))
    }

    pub(crate) fn rollback(&mut self) -> QueryResult<()> {
        on!(self, |c| AnsiTransactionManager::rollback_transaction(c))
    }

    /// Whether the connection was lost, or has a transaction that nobody ended.
    pub(crate) fn is_broken(&mut self) -> bool {
        on!(self, |c| diesel::r2d2::R2D2Connection::is_broken(c))
    }

    pub(crate) fn ping(&mut self) -> QueryResult<()> {
        on!(self, |c| diesel::r2d2::R2D2Connection::ping(c))
    }
}
