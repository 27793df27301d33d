//! Private PostgreSQL and RabbitMQ, for tests that kill or wipe a server.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A server that can be ended and brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Postgres,
    RabbitMq,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::RabbitMq => "rabbitmq",
        }
    }
}

/// Servers of this test alone, by way of `tests/services`. Ended when dropped. Others use the servers that
/// `tests/run` has started, since a start takes seconds.
#[derive(Debug)]
pub struct Servers {
    directory: TempDir,
}

impl Servers {
    /// Starts the servers that are named.
    #[track_caller]
    pub fn start(servers: &[Server]) -> Self {
        let directory = match TempDir::new() {
            Ok(directory) => directory,
            Err(error) => panic!("no directory for servers: {error}"),
        };
        let started = Self { directory };
        for &server in servers {
            started.restart(server);
        }
        started
    }

    /// Ends it at once, as a crash would. Its data stay.
    #[track_caller]
    pub fn kill9(&self, server: Server) {
        run(&["stop", &self.path(), server.name()]);
    }

    /// Starts it again on the same port with the data that it had.
    #[track_caller]
    pub fn restart(&self, server: Server) {
        run(&["start", &self.path(), server.name()]);
    }

    /// Ends it and forgets its data, so that the next start finds nothing.
    #[track_caller]
    pub fn wipe(&self, server: Server) {
        self.kill9(server);
        if let Err(error) = std::fs::remove_dir_all(self.directory.path().join(server.name())) {
            panic!("the data of {} stay: {error}", server.name());
        }
    }

    /// `rabbitmqctl` with these arguments; returns what it printed.
    #[track_caller]
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        run(&[&["ctl", &self.path()], arguments].concat())
    }

    /// The URL of a superuser.
    #[track_caller]
    pub fn postgres_url(&self) -> String {
        self.variable("CALLFAIRY_TEST_POSTGRES_URL")
    }

    #[track_caller]
    pub fn amqp_url(&self) -> String {
        self.variable("CALLFAIRY_TEST_AMQP_URL")
    }

    #[track_caller]
    fn variable(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.directory.path().join("env")).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='));
        match found {
            Some(value) => value.to_owned(),
            None => panic!("{name}: this server was not started"),
        }
    }

    fn path(&self) -> String {
        self.directory.path().display().to_string()
    }
}

#[track_caller]
fn run(arguments: &[&str]) -> String {
    match services(arguments) {
        Ok(output) => output,
        Err(error) => panic!("{error:#}"),
    }
}

fn services(arguments: &[&str]) -> Result<String> {
    let script = workspace().join("tests/services");
    let output = Command::new(&script).args(arguments).output().with_context(|| script.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {text}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn workspace() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    crates.skip(2).map(Path::to_owned).next().unwrap_or_default()
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(error) = services(&["stop", &self.path()]) {
            eprintln!("{error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use diesel::connection::SimpleConnection as _;
    use diesel::{Connection as _, PgConnection};
    use std::net::TcpStream;

    /// Of `scheme://user@host:port/path`.
    fn accepts(url: &str) -> bool {
        let url = url::Url::parse(url).unwrap();
        TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).is_ok()
    }

    #[test]
    fn postgres_comes_back_with_its_data() {
        let servers = Servers::start(&[Server::Postgres]);
        let url = servers.postgres_url();
        let mut connection = PgConnection::establish(&url).unwrap();
        connection.batch_execute("CREATE TABLE kept (id int)").unwrap();
        servers.kill9(Server::Postgres);
        assert!(PgConnection::establish(&url).is_err());
        servers.restart(Server::Postgres);
        assert_eq!(servers.postgres_url(), url);
        PgConnection::establish(&url).unwrap().batch_execute("SELECT * FROM kept").unwrap();
        servers.wipe(Server::Postgres);
        servers.restart(Server::Postgres);
        assert!(PgConnection::establish(&url).unwrap().batch_execute("SELECT * FROM kept").is_err());
        drop(servers);
        assert!(!accepts(&url));
    }

    #[test]
    fn the_broker_comes_back_where_it_was() {
        let servers = Servers::start(&[Server::RabbitMq]);
        let url = servers.amqp_url();
        assert!(accepts(&url));
        servers.kill9(Server::RabbitMq);
        assert!(!accepts(&url));
        servers.restart(Server::RabbitMq);
        assert_eq!(servers.amqp_url(), url);
        assert!(accepts(&url));
        assert!(servers.rabbitmqctl(&["--quiet", "list_vhosts"]).contains('/'));
        drop(servers);
        assert!(!accepts(&url));
    }
}
