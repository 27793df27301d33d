//! SQL types for `table!`, each with a native form on either database.
//!
//! ```
//! db::diesel::table! {
//!     use db::diesel::sql_types::*;
//!     use db::sql::{Jsonb, UtcTime, Uuid};
//!
//!     contacts (id) {
//!         id -> Uuid,
//!         email -> Nullable<Text>,
//!         metadata -> Jsonb,
//!         created_at -> UtcTime,
//!     }
//! }
//! # use db::diesel;
//! ```
//!
//! The OIDs are fixed: no catalogue look-up on PostgreSQL, and arrays work, so `eq_any` does too.

use diesel::query_builder::QueryId;
use diesel::sql_types::{SqlOrd, SqlType};

/// `uuid` on PostgreSQL, a 16-byte `BLOB` on SQLite. In Rust: [`callfairy_core::Id`], `uuid::Uuid`.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Uuid;

/// `timestamptz` on PostgreSQL, `INTEGER` on SQLite: microseconds since 1970, UTC. In Rust:
/// [`callfairy_core::Timestamp`].
// Not named `Timestamptz`: `table!` adds `+` and `-` to columns by the name of their type.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct UtcTime;

/// Lets `min` and `max` take times.
impl SqlOrd for UtcTime {}

/// `jsonb` on PostgreSQL, JSON `TEXT` on SQLite. In Rust: [`crate::Json`].
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
pub struct Jsonb;
