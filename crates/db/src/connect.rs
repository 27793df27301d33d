//! Where the database is, and how a connection to it is set up.

use crate::role::{self, MAX_SCHEMA_LENGTH};
use crate::{Db, Error};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use std::path::Path;

/// How long a connection may take, and how soon a peer that fell silent is given up. What the URL says itself
/// takes precedence.
const POSTGRES_DEFAULTS: &str = "connect_timeout=5&tcp_user_timeout=10000&keepalives_idle=10&keepalives_interval=5\
     &keepalives_count=3&application_name=callfairy";

/// Longer statements are cancelled; migrations have no such limit.
const STATEMENT_TIMEOUT: &str = "30s";
/// A transaction that sits idle for longer is one whose process hangs: it must not hold its locks for ever.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "60s";

/// How long SQLite waits for the write lock of another process.
const SQLITE_BUSY: &str = "PRAGMA busy_timeout = 5000;";
/// `synchronous = FULL`: a commit is on the disk when it returns, as on PostgreSQL. What was accepted stays accepted
/// through a power cut.
const SQLITE_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
    Migrate,
}

/// Where a service's tables are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A connection string, and the schema of the service.
    Postgres { url: String, schema: String },
    /// The service's file.
    Sqlite { file: String },
}

impl Place {
    /// `postgres://…` or `sqlite:<file>`.
    pub(crate) fn parse(url: &str, schema: &str) -> Result<Self, Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if schema.is_empty() || schema.len() > MAX_SCHEMA_LENGTH || !schema.chars().all(plain) {
                return Err(Error::Configuration(format!("{schema:?} is not a name for a schema: use a-z, 0-9 and _")));
            }
            let url = match url.split_once('?') {
                Some((base, options)) => format!("{base}?{POSTGRES_DEFAULTS}&{options}"),
                None => format!("{url}?{POSTGRES_DEFAULTS}"),
            };
            return Ok(Self::Postgres { url, schema: schema.to_owned() });
        }
        match url.strip_prefix("sqlite:").map(|file| file.strip_prefix("//").unwrap_or(file)) {
            Some("" | ":memory:") => Err(Error::Configuration("sqlite: needs the name of a file".to_owned())),
            Some(file) => Ok(Self::Sqlite { file: file.to_owned() }),
            // The URL is not repeated: it may hold a password.
            None => Err(Error::Configuration("a database URL starts with postgres:// or sqlite:".to_owned())),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// The schema's name, or the file's, for messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Postgres { schema, .. } => schema,
            Self::Sqlite { file } => file,
        }
    }

    pub(crate) fn connect(&self, purpose: Purpose) -> Result<Db, Error> {
        match self {
            Self::Postgres { url, schema } => connect_postgres(url, schema, purpose).map(Db::Postgres),
            Self::Sqlite { file } => connect_sqlite(file, purpose).map(Db::Sqlite),
        }
    }

    /// Makes the SQLite file and its directory if they are absent, and sets WAL, which the file remembers. Once, on
    /// one connection: several at a time answer "database is locked", whatever their busy timeout.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let Self::Sqlite { file } = self else { return Ok(()) };
        if let Some(parent) = Path::new(file).parent().filter(|path| !path.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)
                .map_err(|error| Error::Configuration(format!("cannot make {}: {error}", parent.display())))?;
        }
        let mut connection = SqliteConnection::establish(file)?;
        connection.batch_execute(SQLITE_BUSY)?;
        connection.batch_execute("PRAGMA journal_mode = WAL;")?;
        Ok(())
    }
}

fn connect_postgres(url: &str, schema: &str, purpose: Purpose) -> Result<PgConnection, Error> {
    let mut connection = PgConnection::establish(url)?;
    connection.batch_execute(&format!("SET search_path TO {schema}; SET timezone TO 'UTC'"))?;
    if purpose == Purpose::Migrate {
        // Whoever owns the tables is held to their policies as well.
        connection.batch_execute("SET callfairy.everyone TO 'on'")?;
    } else {
        // Transactions are read-only unless they say otherwise: a write outside `Pool::write` fails here as it does
        // on SQLite.
        connection.batch_execute(&format!(
            "SET statement_timeout TO '{STATEMENT_TIMEOUT}'; \
             SET idle_in_transaction_session_timeout TO '{IDLE_IN_TRANSACTION_TIMEOUT}'; \
             SET default_transaction_read_only TO on; \
             SET ROLE {}",
            role::of(schema),
        ))?;
    }
    Ok(connection)
}

fn connect_sqlite(file: &str, purpose: Purpose) -> Result<SqliteConnection, Error> {
    let mut connection = SqliteConnection::establish(file)?;
    connection.batch_execute(SQLITE_BUSY)?;
    connection.batch_execute(SQLITE_SETTINGS)?;
    if purpose == Purpose::Read {
        connection.batch_execute("PRAGMA query_only = ON;")?;
    }
    Ok(connection)
}

/// Whether the table exists, in the service's schema.
pub(crate) fn has_table(db: &mut Db, name: &str) -> diesel::QueryResult<bool> {
    #[derive(diesel::QueryableByName)]
    struct Found {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let found: Found = match db {
        Db::Postgres(c) => diesel::sql_query(
            "SELECT count(*) AS count FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1",
        )
        .bind::<Text, _>(name)
        .get_result(c)?,
        Db::Sqlite(c) => {
            diesel::sql_query("SELECT count(*) AS count FROM sqlite_master WHERE type = 'table' AND name = ?")
                .bind::<Text, _>(name)
                .get_result(c)?
        }
    };
    Ok(found.count > 0)
}
