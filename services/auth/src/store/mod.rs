//! Rows and queries.

pub mod attempts;
pub mod email_domain;
pub mod entry;
pub mod google_flow;
pub mod identity;
pub mod link;
pub mod mail;
pub mod purge;
pub mod schema;
pub mod session;
pub mod signing_key;
pub mod single_use_token;
pub mod totp;
pub mod user;

use db::Db;
use diesel::prelude::*;

/// Until the transaction ends, no other one gets past this for the same `what`. SQLite has one writer anyway.
pub fn one_at_a_time(db: &mut Db, what: &str) -> QueryResult<()> {
    match db {
        Db::Postgres(c) => {
            diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('callfairy auth: ' || $1, 0))")
                .bind::<diesel::sql_types::Text, _>(what)
                .execute(c)?;
        }
        Db::Sqlite(_) => {}
    }
    Ok(())
}
