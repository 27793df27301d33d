//! What auth is given.

use crate::hasher::MAX_WAIT;
use crate::superadmin::FirstSuperadmin;
use callfairy_core::Secret;
use queue::Queue;
use runtime::config::{Google, Superadmin};
use runtime::{BoxError, Context, KeyRing, Program, Service, Settings};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Is given the first superadmin, to show it to whoever started the program.
pub type Announce = Box<dyn FnOnce(FirstSuperadmin) + Send>;

pub struct Config {
    pub context: Context,
    /// Where mail is rung for.
    pub queue: Queue,
    /// `postgres://…` or `sqlite:<file>`.
    pub database_url: Secret,
    /// Connections to the database.
    pub pool_size: u32,
    pub master_keys: KeyRing,
    /// Passwords hashed at one time.
    pub password_hashers: u32,
    /// How long a password waits for its turn.
    pub password_wait: Duration,
    /// Where people reach the platform; links in mails begin with it.
    pub public_url: Url,
    /// Where mail goes if there is no server.
    pub mail_directory: PathBuf,
    /// Absent: mail is written to files.
    pub smtp_url: Option<Secret>,
    /// Where the service's own binary answers health checks.
    pub ops_addr: Option<SocketAddr>,
    /// Whom people sign in with, beside their passwords.
    pub google: Google,
    /// Made at the first start.
    pub superadmin: Superadmin,
    /// Called at most once, before the first request is served.
    pub announce: Option<Announce>,
}

impl Config {
    /// Without an `announce`.
    pub fn new(settings: &Settings, context: Context, queue: Queue) -> Result<Self, BoxError> {
        Ok(Self {
            context,
            queue,
            database_url: settings.database(Service::Auth).clone(),
            pool_size: settings.database_pool_size,
            master_keys: settings.master_keys()?,
            password_hashers: settings.password_hashers,
            password_wait: MAX_WAIT,
            public_url: settings.http.public_url.clone(),
            mail_directory: settings.data_dir.join("mail"),
            smtp_url: settings.smtp_url.clone(),
            ops_addr: settings.ops_addr.filter(|_| settings.program == Program::Auth),
            google: settings.google.clone(),
            superadmin: settings.superadmin.clone(),
            announce: None,
        })
    }

    #[must_use]
    pub fn announcing(self, announce: impl FnOnce(FirstSuperadmin) + Send + 'static) -> Self {
        Self { announce: Some(Box::new(announce)), ..self }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("auth::Config").field("context", &self.context).finish_non_exhaustive()
    }
}
