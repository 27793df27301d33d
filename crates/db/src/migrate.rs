//! Migrations: run under a lock, refused when they do not fit the program.
//!
//! The tables that every service has (outbox, idempotency keys, leases) are a set of this crate, with the version
//! `0000`; a service's own start at `0001`. Both are kept in one `__diesel_schema_migrations`, in the service's schema.

use crate::connect::{Place, Purpose, has_table};
use crate::{Db, Error, role};
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::collections::BTreeMap;

/// How long to wait for another program that is migrating the same schema.
const LOCK_TIMEOUT: &str = "600s";
const SQLITE_LOCK_TIMEOUT: &str = "PRAGMA busy_timeout = 600000;";

const COMMON: Migrations =
    Migrations { postgres: embed_migrations!("migrations/postgres"), sqlite: embed_migrations!("migrations/sqlite") };

/// A service's migrations, made by [`migrations!`](crate::migrations).
pub struct Migrations {
    pub postgres: EmbeddedMigrations,
    pub sqlite: EmbeddedMigrations,
}

/// Embeds a service's migrations: the folders for PostgreSQL and for SQLite, from the crate's own folder.
///
/// `pub const MIGRATIONS: db::Migrations = db::migrations!("../../migrations/auth/postgres", "../../migrations/auth/sqlite");`
///
/// Cargo does not see a new folder by itself; in `build.rs`:
/// `println!("cargo:rerun-if-changed=../../migrations/auth");`
#[macro_export]
macro_rules! migrations {
    ($postgres:literal, $sqlite:literal) => {{
        use $crate::diesel_migrations;
        $crate::Migrations {
            postgres: $crate::diesel_migrations::embed_migrations!($postgres),
            sqlite: $crate::diesel_migrations::embed_migrations!($sqlite),
        }
    }};
}

/// By version.
type Known<DB> = BTreeMap<String, Box<dyn Migration<DB>>>;

/// Brings the schema up to date and answers the names of what was run. Makes the schema, or the file, if it is
/// absent. Several programs may start at once: one migrates, the others wait and find nothing left to do.
///
/// A schema that is newer than the program is refused untouched. Blocks.
pub fn migrate(url: &str, schema: &str, migrations: &Migrations) -> Result<Vec<String>, Error> {
    let place = Place::parse(url, schema)?;
    place.prepare()?;
    let mut db = place.connect(Purpose::Migrate)?;
    match &mut db {
        Db::Postgres(c) => {
            // Both go with the connection.
            c.batch_execute(&format!("SET lock_timeout TO '{LOCK_TIMEOUT}'"))?;
            diesel::sql_query("SELECT pg_advisory_lock(hashtextextended('callfairy migrations of ' || $1, 0))")
                .bind::<Text, _>(schema)
                .execute(c)?;
            c.batch_execute(&format!("SET lock_timeout TO DEFAULT; CREATE SCHEMA IF NOT EXISTS {schema}"))?;
        }
        Db::Sqlite(c) => c.batch_execute(SQLITE_LOCK_TIMEOUT)?,
    }
    if db.is_postgres() {
        let run = run_pending(&mut db, &place, migrations)?;
        if let Db::Postgres(c) = &mut db {
            role::grant(c, schema)?;
        }
        return Ok(run);
    }
    // All or nothing, under the write lock. A table that is rebuilt must not pull its children along.
    db.batch_execute("PRAGMA foreign_keys = OFF;")?;
    db.begin_write()?;
    let run = run_pending(&mut db, &place, migrations).and_then(|run| no_dangling_keys(&mut db).map(|()| run));
    match run {
        Ok(run) => {
            db.commit()?;
            Ok(run)
        }
        Err(error) => {
            db.rollback()?;
            Err(error)
        }
    }
}

/// The names of the migrations that [`migrate`] would run. Changes nothing. Blocks.
pub fn plan(url: &str, schema: &str, migrations: &Migrations) -> Result<Vec<String>, Error> {
    let place = Place::parse(url, schema)?;
    let applied = match &place {
        Place::Sqlite { file } if !std::path::Path::new(file).exists() => Vec::new(),
        _ => applied(&mut place.connect(Purpose::Migrate)?)?,
    };
    if place.is_postgres() {
        pending::<Pg>(&place, applied, known(&COMMON.postgres, &migrations.postgres)?).map(names)
    } else {
        pending::<Sqlite>(&place, applied, known(&COMMON.sqlite, &migrations.sqlite)?).map(names)
    }
}

/// Refuses a schema that is older or newer than the program. Changes nothing. Blocks.
pub fn check(url: &str, schema: &str, migrations: &Migrations) -> Result<(), Error> {
    let missing = plan(url, schema, migrations)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::SchemaTooOld { schema: Place::parse(url, schema)?.name().to_owned(), missing })
}

fn run_pending(db: &mut Db, place: &Place, migrations: &Migrations) -> Result<Vec<String>, Error> {
    let applied = applied(db)?;
    match db {
        Db::Postgres(c) => {
            let pending = pending::<Pg>(place, applied, known(&COMMON.postgres, &migrations.postgres)?)?;
            run(c, pending)
        }
        Db::Sqlite(c) => {
            let pending = pending::<Sqlite>(place, applied, known(&COMMON.sqlite, &migrations.sqlite)?)?;
            run(c, pending)
        }
    }
}

fn run<DB, C>(connection: &mut C, pending: Known<DB>) -> Result<Vec<String>, Error>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
{
    // Makes the table of versions.
    connection.applied_migrations().map_err(failed)?;
    for migration in pending.values() {
        connection
            .run_migration(migration)
            .map_err(|error| Error::Migration(format!("{}: {error}", migration.name())))?;
    }
    Ok(names(pending))
}

/// The common set and the service's, by version. A version that is there twice would never be run: refused.
fn known<DB: diesel::backend::Backend>(
    common: &EmbeddedMigrations,
    service: &EmbeddedMigrations,
) -> Result<Known<DB>, Error>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut known = Known::new();
    for migration in common.migrations().map_err(failed)?.into_iter().chain(service.migrations().map_err(failed)?) {
        let (version, name) = (migration.name().version().to_string(), migration.name().to_string());
        if let Some(other) = known.insert(version, migration) {
            return Err(Error::Migration(format!("{name} has the same version as {}", other.name())));
        }
    }
    Ok(known)
}

/// What is left to do; refuses versions that the program does not know.
fn pending<DB: diesel::backend::Backend>(
    place: &Place,
    applied: Vec<String>,
    mut known: Known<DB>,
) -> Result<Known<DB>, Error> {
    let mut unknown: Vec<String> = applied.into_iter().filter(|version| known.remove(version).is_none()).collect();
    if unknown.is_empty() {
        return Ok(known);
    }
    unknown.sort();
    Err(Error::SchemaTooNew { schema: place.name().to_owned(), unknown })
}

fn names<DB: diesel::backend::Backend>(migrations: Known<DB>) -> Vec<String> {
    migrations.values().map(|migration| migration.name().to_string()).collect()
}

/// The versions in the schema; none when there is no table of them yet.
fn applied(db: &mut Db) -> Result<Vec<String>, Error> {
    if !has_table(db, "__diesel_schema_migrations")? {
        return Ok(Vec::new());
    }
    let versions = match db {
        Db::Postgres(c) => MigrationHarness::<Pg>::applied_migrations(c),
        Db::Sqlite(c) => MigrationHarness::<Sqlite>::applied_migrations(c),
    };
    Ok(versions.map_err(failed)?.iter().map(ToString::to_string).collect())
}

/// What the switched-off foreign keys of SQLite would have refused.
fn no_dangling_keys(db: &mut Db) -> Result<(), Error> {
    #[derive(diesel::QueryableByName)]
    struct Dangling {
        #[diesel(sql_type = Text)]
        table: String,
    }
    let Db::Sqlite(c) = db else { return Ok(()) };
    let dangling: Vec<Dangling> = diesel::sql_query("PRAGMA foreign_key_check").load(c)?;
    match dangling.first() {
        None => Ok(()),
        Some(row) => Err(Error::Migration(format!("rows of {} would refer to rows that are not there", row.table))),
    }
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Migration(error.to_string())
}
