//! How ids and times travel to and from the databases.
//!
//! Reading gives them bare: `.select(contacts::id).load::<ContactId>(c)`, or a field `pub id: ContactId` of a
//! row that is only read. Binding takes them in [`Sql`]. The reason is a rule of the language, not a wish: diesel
//! implements `AsExpression` for every `T: Expression`, and since [`Id`] and [`Timestamp`] belong to another crate
//! than this one, the compiler will not believe that they never become an `Expression`.

use crate::sql;
use callfairy_core::{Id, Timestamp};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow, Queryable};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use uuid::Uuid;

/// An id or a time as a value of SQL: a field of a row that is written, and every bind.
///
/// `contacts::id.eq(Sql(id))`, `contacts::parent_id.eq(parent.map(Sql))`,
/// `contacts::id.eq_any(ids.iter().copied().map(Sql))`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Uuid)]
#[diesel(sql_type = sql::UtcTime)]
#[serde(transparent)]
pub struct Sql<T: fmt::Debug>(pub T);

impl<T: fmt::Debug> From<T> for Sql<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Sql<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug + fmt::Display> fmt::Display for Sql<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// For each Rust type that stands for an SQL type: binding through [`Sql`], reading with and without.
macro_rules! value {
    ($($t:ident)? => $rust:ty, $sql:ty) => {
        impl<$($t,)? DB: Backend> ToSql<$sql, DB> for Sql<$rust>
        where
            $rust: ToSql<$sql, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.to_sql(out)
            }
        }

        impl<$($t,)? DB: Backend> FromSql<$sql, DB> for Sql<$rust>
        where
            $rust: FromSql<$sql, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                <$rust>::from_sql(value).map(Self)
            }
        }

        impl<$($t,)? DB: Backend> Queryable<$sql, DB> for $rust
        where
            $rust: FromSql<$sql, DB>,
        {
            type Row = Self;

            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

value!(T => Id<T>, sql::Uuid);
value!(=> Uuid, sql::Uuid);
value!(=> Timestamp, sql::UtcTime);

impl ToSql<sql::Uuid, Pg> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql::Uuid, Sqlite> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Uuid, Pg> for Uuid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_slice(value.as_bytes())?)
    }
}

impl FromSql<sql::Uuid, Sqlite> for Uuid {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self::from_slice(value.read_blob())?)
    }
}

impl<T> ToSql<sql::Uuid, Pg> for Id<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl<T> ToSql<sql::Uuid, Sqlite> for Id<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl<T, DB: Backend> FromSql<sql::Uuid, DB> for Id<T>
where
    Uuid: FromSql<sql::Uuid, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Uuid::from_sql(value).map(Self::from_uuid)
    }
}

/// Microseconds from 1970 to 2000, where PostgreSQL's clock starts.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl ToSql<sql::UtcTime, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.micros().checked_sub(POSTGRES_EPOCH).ok_or("the time is out of range")?;
        out.write_all(&micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql::UtcTime, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.micros());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::UtcTime, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        Ok(Self::from_micros(micros.checked_add(POSTGRES_EPOCH).ok_or("the time is out of range")?)?)
    }
}

impl FromSql<sql::UtcTime, Sqlite> for Timestamp {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<diesel::sql_types::BigInt, Sqlite>>::from_sql(value)?;
        Ok(Self::from_micros(micros)?)
    }
}
