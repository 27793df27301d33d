//! Whose rows a connection shows, where the database itself keeps the tenants apart.

use crate::Db;
use callfairy_core::OrganisationId;
use diesel::sql_types::Text;
use diesel::{QueryResult, RunQueryDsl};

/// On PostgreSQL the tables of tenants have row-level security: a session shows and takes the rows of one organisation,
/// whatever its queries say. SQLite has nothing like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tenant {
    /// No tenant's rows.
    #[default]
    Nobody,
    One(OrganisationId),
    Everyone,
}

impl Tenant {
    /// Until it is told otherwise, the session shows this tenant's rows. The policies read both settings: see
    /// `migrations/postgres/0000-1_tenants`.
    pub(crate) fn show(self, db: &mut Db) -> QueryResult<()> {
        let Db::Postgres(c) = db else { return Ok(()) };
        let (organisation, everyone) = match self {
            Self::Nobody => (String::new(), ""),
            Self::One(organisation) => (organisation.to_string(), ""),
            Self::Everyone => (String::new(), "on"),
        };
        let sql = "SELECT set_config('callfairy.organisation', $1, false), set_config('callfairy.everyone', $2, false)";
        diesel::sql_query(sql).bind::<Text, _>(organisation).bind::<Text, _>(everyone).execute(c).map(|_| ())
    }
}
