//! A database of the test's own.

use db::diesel::connection::SimpleConnection;
use db::diesel::{Connection, PgConnection, SqliteConnection};
use db::{Migrations, Pool};
use std::time::{Duration, Instant};

pub const MIGRATIONS: Migrations =
    db::migrations!("tests/migrations/sample/postgres", "tests/migrations/sample/sqlite");
pub const SCHEMA: &str = "sample";
/// Longer than anything here should take, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct Base {
    pub url: String,
    drop: Option<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Base {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/data/{SCHEMA}.db", folder.path().display());
        Self { url, drop: None, _folder: folder }
    }

    pub fn postgres() -> Self {
        let server = std::env::var("CALLFAIRY_TEST_POSTGRES_URL")
            .expect("CALLFAIRY_TEST_POSTGRES_URL is not set: run the tests with tests/run");
        let name = format!("db_{}", uuid::Uuid::now_v7().simple());
        PgConnection::establish(&server).unwrap().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let (before, options) = server.split_once('?').map_or((server.as_str(), ""), |(url, rest)| (url, rest));
        let (host, _) = before.rsplit_once('/').unwrap();
        let url = format!("{host}/{name}?{options}");
        Self { url, drop: Some((server.clone(), name)), _folder: tempfile::tempdir().unwrap() }
    }

    /// Migrated, with a pool of four.
    pub fn pool(&self) -> Pool {
        db::migrate(&self.url, SCHEMA, &MIGRATIONS).unwrap();
        self.open(4)
    }

    pub fn open(&self, size: u32) -> Pool {
        Pool::open(&self.url, SCHEMA, size).unwrap()
    }

    pub fn is_postgres(&self) -> bool {
        self.drop.is_some()
    }

    /// A statement from outside the pool, in the service's schema.
    pub fn execute(&self, sql: &str) {
        if self.is_postgres() {
            let mut c = PgConnection::establish(&self.url).unwrap();
            c.batch_execute(&format!("SET search_path TO {SCHEMA}; {sql}")).unwrap();
        } else {
            let mut c = SqliteConnection::establish(self.url.strip_prefix("sqlite:").unwrap()).unwrap();
            c.batch_execute(&format!("PRAGMA busy_timeout = 5000; {sql}")).unwrap();
        }
    }

    /// Ends every session in the database, as a restart of the server does.
    pub fn terminate_sessions(&self) {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.drop {
            let dropped = PgConnection::establish(server)
                .map(|mut c| c.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
            assert!(
                matches!(dropped, Ok(Ok(()))) || std::thread::panicking(),
                "the test's database {name} could not be dropped",
            );
        }
    }
}

/// Polls until the condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}
