//! PostgreSQL or SQLite, chosen by URL at run time, behind one [`Pool`].
//!
//! Owns: connections and transactions, SQL types with a native form on either database, migrations, and the tables
//! that every service has: [`outbox`], [`idempotency`] keys, [`lease`]s; that old rows go ([`purge`]). Refuses: any table of a service, and any
//! query that knows what its rows mean.
//!
//! # A table, its row, its queries
//!
//! Ids and times are read bare or in [`Sql`], and bound in [`Sql`]. A query is written once, in [`on!`].
//!
//! ```
//! use callfairy_core::{Id, OrganisationId, Timestamp};
//! use db::diesel::{self, prelude::*};
//! use db::{Db, Json, Sql, on};
//!
//! diesel::table! {
//!     use diesel::sql_types::*;
//!     use db::sql::{Jsonb, UtcTime, Uuid};
//!
//!     contacts (id) {
//!         id -> Uuid,
//!         organisation_id -> Uuid,
//!         name -> Text,
//!         status -> Text,
//!         metadata -> Jsonb,
//!         called_at -> Nullable<UtcTime>,
//!     }
//! }
//!
//! pub enum Contact {}
//! pub type ContactId = Id<Contact>;
//!
//! db::text_enum!(pub enum Status { Active = "active", Removed = "removed" });
//!
//! // `treat_none_as_default_value = false` lets rows go in batches on SQLite too.
//! #[derive(Queryable, Selectable, Insertable)]
//! #[diesel(table_name = contacts, treat_none_as_default_value = false)]
//! pub struct ContactRow {
//!     pub id: Sql<ContactId>,
//!     pub organisation_id: Sql<OrganisationId>,
//!     pub name: String,
//!     pub status: Status,
//!     pub metadata: Json,
//!     pub called_at: Option<Sql<Timestamp>>,
//! }
//!
//! pub fn insert(db: &mut Db, rows: &[ContactRow]) -> QueryResult<usize> {
//!     on!(db, |c| diesel::insert_into(contacts::table).values(rows).execute(c))
//! }
//!
//! pub fn find(db: &mut Db, organisation: OrganisationId, id: ContactId) -> QueryResult<ContactRow> {
//!     on!(db, |c| contacts::table
//!         .filter(contacts::organisation_id.eq(Sql(organisation)))
//!         .filter(contacts::id.eq(Sql(id)))
//!         .select(ContactRow::as_select())
//!         .first(c))
//! }
//! ```
//!
//! # A handler
//!
//! The closure answers the service's own error, which has `From<db::Error>` and `From<diesel::result::Error>`. The
//! closure of [`Pool::write`] may run more than once, so it borrows what it captured.
//!
//! ```
//! # use db::{Db, Pool, diesel, idempotency, outbox};
//! # #[derive(Debug)]
//! # struct Contact { id: db::outbox::MessageId, name: String }
//! # fn insert(_: &mut Db, _: &Contact) -> Result<(), diesel::result::Error> { Ok(()) }
//! #[derive(Debug)]
//! enum Error {
//!     Db(db::Error),
//! }
//! impl From<db::Error> for Error {
//!     fn from(error: db::Error) -> Self {
//!         Self::Db(error)
//!     }
//! }
//! impl From<diesel::result::Error> for Error {
//!     fn from(error: diesel::result::Error) -> Self {
//!         Self::Db(error.into())
//!     }
//! }
//!
//! async fn create(pool: &Pool, contact: Contact) -> Result<outbox::MessageId, Error> {
//!     pool.write(move |db| {
//!         insert(db, &contact)?;
//!         let payload = serde_json::json!({ "name": contact.name });
//!         Ok(outbox::add(db, outbox::Outgoing::new("contact.created", payload).about(contact.id))?)
//!     })
//!     .await
//! }
//! ```
//!
//! # What differs between the databases
//!
//! - Row locks (`for_update().skip_locked()`) and COPY are PostgreSQL's alone: `match db` in one store function.
//! - SQLite's `lower` and `LIKE` fold ASCII only: keep a [`fold`]ed column and search it with [`contains`].
//! - Text is ordered by bytes on SQLite: `COLLATE "C"` on PostgreSQL where the order matters.
//! - A statement takes 32,766 values on SQLite, 65,535 on PostgreSQL: insert in chunks.
//! - After an error PostgreSQL refuses the rest of the transaction: what may fail and be survived goes into
//!   [`Db::transaction`], a savepoint. A swallowed error makes the commit fail, never pass silently.
//! - Name unique indexes `<table>_<columns>_key` on both, see [`Error::is_unique_violation`].
//!
//! # How to add
//!
//! - a table of a service: `migrations/<service>/{postgres,sqlite}/<n>_<name>/up.sql` and [`migrations!`];
//! - a table that every service has: `migrations/{postgres,sqlite}/0000-<n>_<name>` in this crate, which comes after
//!   `0000` and before the services' `0001`;
//! - an SQL type: `sql.rs`, and how its Rust type travels in `value.rs`.

// The macros of this crate name it `db`, here too.
extern crate self as db;

mod connect;
mod connection;
mod connections;
mod error;
pub mod idempotency;
mod json;
pub mod lease;
mod migrate;
mod now;
pub mod outbox;
mod pool;
pub mod purge;
mod role;
mod schema;
pub mod sql;
mod tenant;
mod text;
mod text_enum;
mod value;
mod watch;

pub use connection::Db;
pub use error::Error;
pub use json::Json;
pub use migrate::{Migrations, check, migrate, plan};
pub use now::{Now, now, now_minus, now_plus};
pub use pool::Pool;
pub use text::{contains, fold, starts_with};
pub use text_enum::UnknownText;
pub use value::Sql;

pub use diesel;
#[doc(hidden)]
pub use diesel_migrations;
pub use diesel_migrations::embed_migrations;
#[doc(hidden)]
pub use serde;
