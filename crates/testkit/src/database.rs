//! Databases of a test's own.

use anyhow::{Context as _, Result};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

/// An empty database, dropped with this value.
#[derive(Debug)]
pub struct Database {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Postgres { server: String, name: String },
    Sqlite { _directory: TempDir },
}

impl Database {
    /// A new database on the server that `CALLFAIRY_TEST_POSTGRES_URL` names, whose user must be a superuser.
    /// `service` only makes its name telling: letters, digits and underscores.
    #[track_caller]
    pub fn postgres(service: &str) -> Self {
        let server = crate::server_variable("CALLFAIRY_TEST_POSTGRES_URL");
        match Self::create(server, service) {
            Ok(database) => database,
            Err(error) => panic!("no PostgreSQL database for {service}: {error:#}"),
        }
    }

    /// A file in a directory of its own, which does not exist yet.
    #[track_caller]
    pub fn sqlite(service: &str) -> Self {
        match TempDir::new() {
            Ok(directory) => Self {
                url: format!("sqlite:{}", directory.path().join(format!("{service}.db")).display()),
                place: Place::Sqlite { _directory: directory },
            },
            Err(error) => panic!("no directory for an SQLite database: {error}"),
        }
    }

    /// One of each kind, for tests that must hold on both.
    #[track_caller]
    pub fn both(service: &str) -> [Self; 2] {
        [Self::sqlite(service), Self::postgres(service)]
    }

    /// `postgres://…` or `sqlite:<file>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres { .. })
    }

    fn create(server: String, service: &str) -> Result<Self> {
        let name = format!("test_{service}_{}", Uuid::now_v7().simple());
        let mut url = Url::parse(&server).context("CALLFAIRY_TEST_POSTGRES_URL")?;
        url.set_path(&name);
        // template0, since nobody can be connected to it, which would forbid the copy.
        execute(&server, &format!(r#"CREATE DATABASE "{name}" TEMPLATE template0"#))?;
        Ok(Self { url: url.into(), place: Place::Postgres { server, name } })
    }
}

fn execute(url: &str, statement: &str) -> Result<()> {
    let mut connection = PgConnection::establish(url)?;
    connection.batch_execute(statement).with_context(|| statement.to_owned())
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Postgres { server, name } = &self.place {
            // What a failed test leaves is not worth hiding why it failed.
            if let Err(error) = execute(server, &format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)) {
                eprintln!("{name} was not dropped: {error:#}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use diesel::sql_types::BigInt;
    use diesel::{QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }

    fn databases_named(server: &str, name: &str) -> i64 {
        let mut connection = PgConnection::establish(server).unwrap();
        let query = format!("SELECT count(*) AS count FROM pg_database WHERE datname = '{name}'");
        sql_query(query).get_result::<Count>(&mut connection).unwrap().count
    }

    #[test]
    fn postgres_databases_are_apart_and_dropped() {
        let server = crate::server_variable("CALLFAIRY_TEST_POSTGRES_URL");
        let (one, other) = (Database::postgres("auth"), Database::postgres("auth"));
        assert!(one.is_postgres());
        execute(one.url(), "CREATE TABLE only_in_one (id int)").unwrap();
        assert!(execute(other.url(), "SELECT * FROM only_in_one").is_err());

        let Place::Postgres { name, .. } = &one.place else { panic!("{one:?}") };
        let name = name.clone();
        assert!(name.starts_with("test_auth_"));
        assert_eq!(databases_named(&server, &name), 1);
        // Somebody who is still connected does not keep it.
        let _connected = PgConnection::establish(one.url()).unwrap();
        drop(one);
        assert_eq!(databases_named(&server, &name), 0);
    }

    #[test]
    fn sqlite_databases_are_apart_and_removed() {
        let (one, other) = (Database::sqlite("auth"), Database::sqlite("auth"));
        assert!(!one.is_postgres());
        let path = |database: &Database| database.url().strip_prefix("sqlite:").unwrap().to_owned();
        let mut connection = SqliteConnection::establish(&path(&one)).unwrap();
        connection.batch_execute("CREATE TABLE only_in_one (id int)").unwrap();
        assert!(
            SqliteConnection::establish(&path(&other)).unwrap().batch_execute("SELECT * FROM only_in_one").is_err()
        );

        let file = path(&one);
        assert!(std::fs::exists(&file).unwrap());
        drop((connection, one));
        assert!(!std::fs::exists(&file).unwrap());
    }
}
