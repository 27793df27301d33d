//! The platform as real processes, for stories through its public doors.

mod layout;

pub use layout::{Layout, Program};

use crate::{Client, Database, Process, eventually};
use access::{InternalKey, ServiceIdentity};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callfairy_core::SystemClock;
use layout::{Addresses, Shared};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

/// How long migrations may take.
const MIGRATE_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take until all processes answer that they are ready.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// Processes have ended at the latest so long after SIGTERM.
const TERMINATE_LIMIT: Duration = Duration::from_secs(50);

/// Who may do everything.
#[derive(Debug, Clone, Copy)]
pub struct Credentials {
    pub email: &'static str,
    pub password: &'static str,
}

/// A running platform with data of its own. All its processes are killed when it is dropped; when that is
/// because the test fails, the end of their output is shown first.
///
/// The binaries are those beside the test's own: `cargo build --workspace --bins` brings them up to date.
#[derive(Debug)]
pub struct Platform {
    processes: BTreeMap<Program, Process>,
    addresses: Addresses,
    layout: Layout,
    directory: TempDir,
    // Dropped after the processes, which are connected to it.
    database: Option<Database>,
}

impl Platform {
    /// Everything in one process, on SQLite, ready.
    pub async fn one_process() -> Self {
        Self::start(Layout::OneProcess, &[]).await
    }

    /// Every service in its own process, on PostgreSQL and RabbitMQ, ready.
    pub async fn six_processes() -> Self {
        Self::start(Layout::SixProcesses, &[]).await
    }

    /// Ready, with further variables for all processes, which may also replace those that they have otherwise.
    pub async fn start(layout: Layout, variables: &[(&str, &str)]) -> Self {
        let mut platform = match Self::prepare(layout, &binaries(), variables) {
            Ok(platform) => platform,
            Err(error) => panic!("the platform does not start: {error:#}"),
        };
        platform.migrate(variables).await;
        for process in platform.processes.values_mut() {
            process.start();
        }
        platform.wait_ready().await;
        platform
    }

    /// Everything but the start.
    fn prepare(layout: Layout, binaries: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::new().context("no temporary directory")?;
        let database = layout.uses_postgres().then(|| Database::postgres("platform"));
        let mut platform =
            Self { processes: BTreeMap::new(), addresses: Addresses::new(), layout, directory, database };
        std::fs::create_dir(platform.data_dir()).context("no data directory")?;
        for &program in layout.programs() {
            let (binary, arguments) = program.command();
            let process = platform.process(binaries, binary, arguments, program, variables);
            platform.processes.insert(program, process);
        }
        Ok(platform)
    }

    fn process(
        &self,
        binaries: &Path,
        binary: &str,
        arguments: &[&str],
        program: Program,
        variables: &[(&str, &str)],
    ) -> Process {
        let data = self.data_dir();
        let rabbitmq = self.layout.uses_rabbitmq().then(|| crate::server_variable("CALLFAIRY_TEST_AMQP_URL"));
        let shared = Shared {
            addresses: self.addresses,
            data: &data,
            postgres: self.database.as_ref().map(Database::url),
            rabbitmq: rabbitmq.as_deref(),
        };
        let more = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let log = self.directory.path().join(format!("{}.log", program.name()));
        Process::new(binaries.join(binary), arguments, log).environment(shared.variables(program)).environment(more)
    }

    /// Services that run apart expect their tables to be there.
    async fn migrate(&self, variables: &[(&str, &str)]) {
        if self.layout != Layout::SixProcesses {
            return;
        }
        let mut process = self.process(&binaries(), "callfairy", &["migrate"], Program::Callfairy, variables);
        process.start();
        let status = eventually("the migrations ended", MIGRATE_LIMIT, async || process.exited()).await;
        assert!(status.success(), "the migrations ended with {status}\n{}", process.last_output());
    }

    /// Waits until every process that runs says that it is ready.
    ///
    /// # Panics
    /// When one has ended, or is not ready in a minute.
    pub async fn wait_ready(&mut self) {
        let http = self.client();
        let mut waiting: Vec<Program> =
            self.processes.iter().filter(|(_, process)| process.id().is_some()).map(|(&program, _)| program).collect();
        let what = format!("these were ready: {}", names(&waiting));
        eventually(&what, READY_LIMIT, async || {
            let mut unready = Vec::new();
            for &program in &waiting {
                if let Some(status) = self.processes.get_mut(&program).and_then(Process::exited) {
                    panic!("{} ended with {status}", program.name());
                }
                if !is_ready(&http, self.addresses, program).await {
                    unready.push(program);
                }
            }
            waiting = unready;
            waiting.is_empty().then_some(())
        })
        .await;
    }

    /// Where the gateway is: `http://<address>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addresses.http())
    }

    /// Where the simulator is, which speaks Bland's API.
    pub fn simulator_url(&self) -> String {
        format!("http://{}", self.addresses.simulator())
    }

    /// Where a service's gRPC server is: `http://<address>`.
    pub fn grpc_url(&self, service: Program) -> Option<String> {
        self.addresses.grpc(service).map(|address| format!("http://{address}"))
    }

    /// The RPCs of a service, past the gateway.
    pub fn service_client(&self, service: Program) -> Option<access::Client> {
        let endpoint = Endpoint::from_shared(self.grpc_url(service)?).ok()?;
        Some(access::Client::wire(endpoint, access::LatestChange::default()))
    }

    /// What the service named `name` proves itself with.
    pub fn service_identity(&self, name: &str) -> ServiceIdentity {
        let key = BASE64_STANDARD.decode(layout::INTERNAL_KEY).unwrap_or_default();
        ServiceIdentity::new(name, InternalKey::new(&key, []), Arc::new(SystemClock))
    }

    /// A client as nobody.
    pub fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// A client that is signed in as the superadmin.
    pub async fn superadmin_client(&self) -> Client {
        let Credentials { email, password } = self.superadmin();
        self.client().sign_in(email, password).await
    }

    pub fn superadmin(&self) -> Credentials {
        Credentials { email: layout::SUPERADMIN_EMAIL, password: layout::SUPERADMIN_PASSWORD }
    }

    /// The key and the secret of the provider's account, as the platform was given them.
    pub fn provider_secrets(&self) -> (&'static str, &'static str) {
        (layout::BLAND_API_KEY, layout::BLAND_WEBHOOK_SECRET)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Where each mail is a `.eml` file.
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir().join("mail")
    }

    /// PostgreSQL's, which all services share.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Runs a command of the operator's to its end, with the platform's settings: its exit code, and what it printed.
    #[track_caller]
    pub fn callfairy(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.process(&binaries(), "callfairy", arguments, Program::Callfairy, &[]).run_to_end();
        let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), printed.concat())
    }

    /// SIGKILL: the process gets no chance to do anything.
    #[track_caller]
    pub fn kill9(&mut self, program: Program) {
        self.process_mut(program).kill9();
    }

    /// Starts a process again after it was killed or has ended. Does not wait until it is ready.
    #[track_caller]
    pub fn restart(&mut self, program: Program) {
        self.process_mut(program).start();
    }

    /// SIGTERM, then waits until the process has ended.
    pub async fn terminate(&mut self, program: Program) -> ExitStatus {
        self.process_mut(program).terminate(TERMINATE_LIMIT).await
    }

    /// For signals such as `STOP`, and output.
    #[track_caller]
    pub fn process_mut(&mut self, program: Program) -> &mut Process {
        match self.processes.get_mut(&program) {
            Some(process) => process,
            None => panic!("{:?} has no process {}", self.layout, program.name()),
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in self.processes.values() {
                eprintln!("{}", process.last_output());
            }
        }
        self.processes.clear();
    }
}

fn names(programs: &[Program]) -> String {
    programs.iter().map(|program| program.name()).collect::<Vec<_>>().join(", ")
}

/// The simulator only has to listen.
async fn is_ready(http: &Client, addresses: Addresses, program: Program) -> bool {
    match addresses.health(program) {
        Some(address) => {
            let request = http.at(&format!("http://{address}")).request(reqwest::Method::GET, "//readyz");
            request.send().await.is_ok_and(|response| response.status().is_success())
        }
        None => TcpStream::connect(addresses.simulator()).await.is_ok(),
    }
}

/// The target directory's `debug` or `release`: tests run in its `deps`.
fn binaries() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let directory = test.parent().unwrap_or(Path::new(""));
    if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory }.to_owned()
}

#[cfg(test)]
mod tests;
