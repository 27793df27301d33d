//! Which processes make up a platform, and the variables that each is given.

use std::net::Ipv4Addr;
use std::path::Path;
use uuid::Uuid;

/// A real key's form; what is encrypted with it is thrown away.
const MASTER_KEY: &str = "bWFzdGVyIGtleSBvZiBhIHRlc3QgcGxhdGZvcm0gMDE=";
pub(super) const INTERNAL_KEY: &str = "aW50ZXJuYWwga2V5IG9mIGEgdGVzdCBwbGF0Zm9ybSA=";
pub(super) const BLAND_API_KEY: &str = "sk-test-platform";
pub(super) const BLAND_WEBHOOK_SECRET: &str = "webhook-secret-of-a-test-platform";
pub(super) const SUPERADMIN_EMAIL: &str = "root@platform.example";
pub(super) const SUPERADMIN_PASSWORD: &str = "violet-harbour-92-lantern";
/// Calls that take minutes take seconds.
const SIMULATOR_SPEED: &str = "60";

const HTTP_PORT: u16 = 8080;
const SIMULATOR_PORT: u16 = 8090;

/// How the platform is spread over processes, and what keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `callfairy` alone, on SQLite, with the embedded queue and the built-in simulator.
    OneProcess,
    /// The same on PostgreSQL.
    OneProcessOnPostgres,
    /// The gateway, the four services and the worker apart, on PostgreSQL and RabbitMQ, and a simulator.
    SixProcesses,
}

/// A process of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Everything, in one process.
    Callfairy,
    Simulator,
    Auth,
    Tenancy,
    Agent,
    Telephony,
    Worker,
    Gateway,
}

impl Layout {
    pub fn programs(self) -> &'static [Program] {
        use Program::{Agent, Auth, Callfairy, Gateway, Simulator, Telephony, Tenancy, Worker};
        match self {
            Self::OneProcess | Self::OneProcessOnPostgres => &[Callfairy],
            Self::SixProcesses => &[Simulator, Auth, Tenancy, Agent, Telephony, Worker, Gateway],
        }
    }

    pub fn uses_postgres(self) -> bool {
        self != Self::OneProcess
    }

    pub fn uses_rabbitmq(self) -> bool {
        self == Self::SixProcesses
    }
}

impl Program {
    /// The binary, and its arguments.
    pub(super) fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Callfairy => ("callfairy", &[]),
            Self::Simulator => ("callfairy", &["simulator"]),
            Self::Auth | Self::Tenancy | Self::Agent | Self::Telephony | Self::Worker | Self::Gateway => {
                (self.name(), &[])
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Callfairy => "callfairy",
            Self::Simulator => "simulator",
            Self::Auth => "auth",
            Self::Tenancy => "tenancy",
            Self::Agent => "agent",
            Self::Telephony => "telephony",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }

    /// The port of its gRPC server.
    fn grpc_port(self) -> Option<u16> {
        match self {
            Self::Auth => Some(7001),
            Self::Tenancy => Some(7002),
            Self::Agent => Some(7003),
            Self::Telephony => Some(7004),
            Self::Callfairy | Self::Simulator | Self::Worker | Self::Gateway => None,
        }
    }

    /// The port where it answers `/readyz`.
    fn health_port(self) -> Option<u16> {
        match self {
            Self::Callfairy | Self::Gateway => Some(HTTP_PORT),
            Self::Simulator => None,
            Self::Worker => Some(7105),
            Self::Auth | Self::Tenancy | Self::Agent | Self::Telephony => self.grpc_port().map(|port| port + 100),
        }
    }
}

/// Where one platform's processes listen: the usual ports on a loopback address of its own, so that platforms
/// that run at the same time never take each other's ports, nor a client's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses(Ipv4Addr);

impl Addresses {
    pub(super) fn new() -> Self {
        let random = Uuid::new_v4();
        // Neither the first nor the last of a range, and away from 127.0.0.1.
        let part = |byte: u8| byte % 250 + 2;
        let [a, b, c, ..] = *random.as_bytes();
        Self(Ipv4Addr::new(127, part(a), part(b), part(c)))
    }

    fn at(self, port: u16) -> String {
        format!("{}:{port}", self.0)
    }

    pub(super) fn http(self) -> String {
        self.at(HTTP_PORT)
    }

    pub(super) fn simulator(self) -> String {
        self.at(SIMULATOR_PORT)
    }

    /// Where the program answers `/readyz`.
    pub(super) fn health(self, program: Program) -> Option<String> {
        program.health_port().map(|port| self.at(port))
    }

    pub(super) fn grpc(self, program: Program) -> Option<String> {
        program.grpc_port().map(|port| self.at(port))
    }
}

/// What the processes of one platform have in common.
pub(super) struct Shared<'a> {
    pub addresses: Addresses,
    pub data: &'a Path,
    pub postgres: Option<&'a str>,
    pub rabbitmq: Option<&'a str>,
}

impl Shared<'_> {
    /// The variables of one program. Every program gets those of all, as in a cluster with one configuration;
    /// only where it answers about its health is its own.
    pub(super) fn variables(&self, program: Program) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut set = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
        set("CALLFAIRY_DATA_DIR", &self.data.display().to_string());
        set("CALLFAIRY_HTTP_ADDR", &self.addresses.http());
        set("CALLFAIRY_PUBLIC_URL", &format!("http://{}", self.addresses.http()));
        set("CALLFAIRY_SIMULATOR_ADDR", &self.addresses.simulator());
        set("CALLFAIRY_SIMULATOR_SPEED", SIMULATOR_SPEED);
        // Everything comes from one address, as fast as it can.
        set("CALLFAIRY_CALLER_REQUESTS_PER_SECOND", "0");
        set("CALLFAIRY_ADDRESS_REQUESTS_PER_SECOND", "0");
        set("CALLFAIRY_SUPERADMIN_EMAIL", SUPERADMIN_EMAIL);
        set("CALLFAIRY_SUPERADMIN_PASSWORD", SUPERADMIN_PASSWORD);
        set("BLAND_WEBHOOK_SECRET", BLAND_WEBHOOK_SECRET);
        for service in [Program::Auth, Program::Tenancy, Program::Agent, Program::Telephony] {
            let name = service.name().to_uppercase();
            let address = self.addresses.grpc(service).unwrap_or_default();
            set(&format!("CALLFAIRY_{name}_ADDR"), &address);
            set(&format!("CALLFAIRY_{name}_URL"), &format!("http://{address}"));
        }
        if let Some(url) = self.postgres {
            set("DATABASE_URL", url);
        }
        if let Some(url) = self.rabbitmq {
            set("AMQP_URL", url);
            set("CALLFAIRY_QUEUE_PREFIX", &format!("test-{}.", self.addresses.0));
            set("CALLFAIRY_MASTER_KEY", MASTER_KEY);
            set("CALLFAIRY_INTERNAL_KEY", INTERNAL_KEY);
            // The simulator is a process of its own, so it is spoken to as the provider.
            set("BLAND_API_KEY", BLAND_API_KEY);
            set("BLAND_BASE_URL", &format!("http://{}", self.addresses.simulator()));
            if let (Some(address), false) = (self.addresses.health(program), program == Program::Gateway) {
                set("CALLFAIRY_OPS_ADDR", &address);
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use std::collections::BTreeMap;
    use std::net::TcpListener;

    fn variables(program: Program) -> BTreeMap<String, String> {
        let (postgres, rabbitmq) = (Some("postgres://p"), Some("amqp://q"));
        let shared = Shared { addresses: Addresses::new(), data: Path::new("/d"), postgres, rabbitmq };
        let list = shared.variables(program);
        let map: BTreeMap<_, _> = list.iter().cloned().collect();
        assert_eq!(map.len(), list.len(), "no variable is there twice");
        map
    }

    #[test]
    fn keys_have_the_length_of_keys() {
        for key in [MASTER_KEY, INTERNAL_KEY] {
            assert_eq!(BASE64_STANDARD.decode(key).unwrap().len(), 32);
        }
    }

    #[test]
    fn platforms_listen_apart() {
        let addresses = [Addresses::new(), Addresses::new()];
        let listeners = addresses.map(|addresses| TcpListener::bind(addresses.http()).unwrap());
        assert_ne!(listeners[0].local_addr().unwrap(), listeners[1].local_addr().unwrap());
    }

    #[test]
    fn every_process_of_six_has_its_own_listeners() {
        let mut health = Vec::new();
        for &program in Layout::SixProcesses.programs() {
            let variables = variables(program);
            assert_eq!(variables["CALLFAIRY_AUTH_URL"], format!("http://{}", variables["CALLFAIRY_AUTH_ADDR"]));
            health.extend(
                variables.get("CALLFAIRY_OPS_ADDR").map(|address| address.rsplit(':').next().unwrap().to_owned()),
            );
        }
        assert_eq!(health, ["7101", "7102", "7103", "7104", "7105"]);
    }

    #[test]
    fn one_process_makes_its_own_keys_and_dials_its_own_simulator() {
        let shared = Shared { addresses: Addresses::new(), data: Path::new("/d"), postgres: None, rabbitmq: None };
        let names: Vec<_> = shared.variables(Program::Callfairy).into_iter().map(|(name, _)| name).collect();
        for absent in ["DATABASE_URL", "AMQP_URL", "CALLFAIRY_MASTER_KEY", "CALLFAIRY_INTERNAL_KEY", "BLAND_API_KEY"] {
            assert!(!names.iter().any(|name| name == absent), "{absent}");
        }
    }
}
