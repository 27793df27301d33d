//! Rows and queries. The platform's own questions (who is who, what exists) are asked of every organisation; a query
//! of one organisation's data takes its `OrgScope`.

pub mod access_changes;
pub mod accounts;
pub mod api_keys;
pub mod assignments;
pub mod audit_log;
pub mod ended_sessions;
pub mod grants;
pub mod invitations;
pub mod members;
pub mod organisations;
pub mod schema;
pub mod settings;
pub mod snapshots;

use db::purge::Purge;
use db::{Db, idempotency};
use diesel::prelude::*;

pub const OLD_ROWS: [Purge; 4] = [idempotency::purge, ended_sessions::purge, invitations::purge, access_changes::purge];

/// Until the transaction ends, no other one gets past this for the same `what`. SQLite has one writer anyway.
pub fn one_at_a_time(db: &mut Db, what: &str) -> QueryResult<()> {
    match db {
        Db::Postgres(c) => {
            diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('callfairy tenancy: ' || $1, 0))")
                .bind::<diesel::sql_types::Text, _>(what)
                .execute(c)?;
        }
        Db::Sqlite(_) => {}
    }
    Ok(())
}
