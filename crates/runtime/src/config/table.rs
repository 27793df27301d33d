//! The registry of settings: every name that the platform reads, in one table.

use super::Program;
use Program::{Agent, Auth, Gateway, Telephony, Tenancy, Worker};

/// Names the TOML file. Read from the environment alone, so it is no row of the table.
pub const CONFIG_VARIABLE: &str = "CALLFAIRY_CONFIG";
/// Variables of the platform's own begin with this, and an unknown one stops the start.
pub const PREFIX: &str = "CALLFAIRY_";
/// Variables that only the tests read; never looked at here.
pub const TEST_PREFIX: &str = "CALLFAIRY_TEST_";
/// `<variable>_FILE` names a file that holds a secret's value.
pub const FILE_SUFFIX: &str = "_FILE";

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the environment.
    pub variable: &'static str,
    /// As text; empty: none, or worked out as the description says.
    pub default: &'static str,
    pub description: &'static str,
    /// Masked wherever it is shown; may be read from a file by `<variable>_FILE`.
    pub secret: bool,
    /// Who reads it, apart from [`Program::Platform`], which reads all.
    pub programs: &'static [Program],
}

impl Setting {
    /// Its name in the TOML file: the variable in lower case, without `CALLFAIRY_`.
    pub fn key(&self) -> String {
        self.variable.strip_prefix(PREFIX).unwrap_or(self.variable).to_ascii_lowercase()
    }

    pub fn used_by(&self, program: Program) -> bool {
        program == Program::Platform || self.programs.contains(&program)
    }
}

const EVERY: &[Program] = &[Gateway, Auth, Tenancy, Agent, Telephony, Worker];
const SERVICES: &[Program] = &[Auth, Tenancy, Agent, Telephony];
const BEHIND_THE_GATEWAY: &[Program] = &[Auth, Tenancy, Agent, Telephony, Worker];
/// Only the one process and the command line's tools.
const PLATFORM: &[Program] = &[];

const fn open(
    variable: &'static str,
    default: &'static str,
    programs: &'static [Program],
    description: &'static str,
) -> Setting {
    Setting { variable, default, description, secret: false, programs }
}

const fn secret(variable: &'static str, programs: &'static [Program], description: &'static str) -> Setting {
    Setting { variable, default: "", description, secret: true, programs }
}

/// Every setting, in the order in which they are listed to people.
pub const SETTINGS: &[Setting] = &[
    // The outside
    open("CALLFAIRY_HTTP_ADDR", "127.0.0.1:8080", &[Gateway], "where the gateway listens"),
    open(
        "CALLFAIRY_PUBLIC_URL",
        "",
        &[Gateway, Auth, Tenancy, Telephony, Worker],
        "where providers and people reach the gateway; without it: http:// and CALLFAIRY_HTTP_ADDR",
    ),
    open("CALLFAIRY_CORS_ORIGINS", "", &[Gateway], "origins whose pages may call the API, by commas; without it: none"),
    open(
        "CALLFAIRY_TRUSTED_PROXIES",
        "",
        &[Gateway],
        "networks of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8, by commas; without it: none",
    ),
    open(
        "CALLFAIRY_CALLER_REQUESTS_PER_SECOND",
        "200",
        &[Gateway],
        "requests of one user or API key that one gateway answers, ten times as many at once; 0: as many as come",
    ),
    open(
        "CALLFAIRY_ADDRESS_REQUESTS_PER_SECOND",
        "1000",
        &[Gateway],
        "requests of one address, likewise; webhooks of providers do not count",
    ),
    open(
        "CALLFAIRY_OPS_ADDR",
        "",
        BEHIND_THE_GATEWAY,
        "where a service's own binary answers /healthz and /readyz; without it: nowhere",
    ),
    // Data
    open("CALLFAIRY_DATA_DIR", "./data", EVERY, "directory of SQLite files, uploads, recordings and mail"),
    secret(
        "DATABASE_URL",
        SERVICES,
        "postgres://… for all services, each its own schema; without it: SQLite in the data directory",
    ),
    secret("CALLFAIRY_AUTH_DATABASE_URL", &[Auth], "auth's own database, postgres://… or sqlite:<file>"),
    secret("CALLFAIRY_TENANCY_DATABASE_URL", &[Tenancy], "tenancy's own database, likewise"),
    secret("CALLFAIRY_AGENT_DATABASE_URL", &[Agent], "agent's own database, likewise"),
    secret("CALLFAIRY_TELEPHONY_DATABASE_URL", &[Telephony], "telephony's own database, likewise"),
    open("CALLFAIRY_DATABASE_POOL_SIZE", "10", SERVICES, "connections that one service keeps to its database"),
    secret("AMQP_URL", EVERY, "RabbitMQ, amqp://… or amqps://…; without it: the embedded queue, in one process only"),
    open("CALLFAIRY_QUEUE_PREFIX", "", EVERY, "put before the names of queues, for several platforms on one broker"),
    open(
        "CALLFAIRY_STORAGE_URL",
        "",
        &[Gateway, Telephony, Worker],
        "object store, file:///directory or s3://bucket/prefix (credentials by the standard AWS_ names); \
         without it: `files` in the data directory",
    ),
    // Keys
    secret(
        "CALLFAIRY_MASTER_KEY",
        SERVICES,
        "encrypts secrets at rest: 32 bytes in base64; several by commas: the first encrypts, all decrypt; \
         made in the data directory for one process, demanded otherwise",
    ),
    secret(
        "CALLFAIRY_INTERNAL_KEY",
        EVERY,
        "signs service identities: 32 bytes in base64; several by commas: the first signs, all verify; \
         made in the data directory for one process, demanded otherwise",
    ),
    // The voice provider
    secret(
        "BLAND_API_KEY",
        &[Telephony, Worker],
        "the platform's account at Bland AI; without it calls go to the built-in simulator",
    ),
    open("BLAND_BASE_URL", "https://api.bland.ai", &[Telephony, Worker], "Bland AI's API"),
    secret("BLAND_WEBHOOK_SECRET", &[Gateway, Telephony], "verifies Bland AI's webhooks"),
    open(
        "CALLFAIRY_SIMULATOR_ADDR",
        "127.0.0.1:8090",
        PLATFORM,
        "where the built-in simulator listens; port 0: any free",
    ),
    open("CALLFAIRY_SIMULATOR_SPEED", "60", PLATFORM, "how many times faster than real calls the simulator's are"),
    // Calls
    open(
        "CALLFAIRY_MAX_CONCURRENT_CALLS",
        "50",
        &[Telephony],
        "calls in flight at the provider at one time, over all organisations",
    ),
    open("CALLFAIRY_CALLS_PER_SECOND", "10", &[Telephony], "calls begun in a second, over all organisations"),
    open("CALLFAIRY_CLAIM_LEASE_SECONDS", "30", &[Telephony, Worker], "how long a worker's claim on a job holds"),
    open("CALLFAIRY_POLL_SECONDS", "120", &[Telephony], "how often the provider is asked for a call without news"),
    open("CALLFAIRY_SWEEP_SECONDS", "10", &[Telephony], "how often forgotten jobs are looked for"),
    // People
    open(
        "CALLFAIRY_SUPERADMIN_EMAIL",
        "admin@callfairy.local",
        &[Auth],
        "the superadmin that the first start makes if there is none",
    ),
    secret("CALLFAIRY_SUPERADMIN_PASSWORD", &[Auth], "that superadmin's password; without it: random, printed once"),
    open("CALLFAIRY_PASSWORD_HASHERS", "", &[Auth], "passwords hashed at one time; without it: the number of cores"),
    secret(
        "CALLFAIRY_SMTP_URL",
        &[Auth, Worker],
        "outgoing mail, smtp://… or smtps://…; without it: files in `mail` in the data directory",
    ),
    open("CALLFAIRY_GOOGLE_CLIENT_ID", "", &[Auth], "the client at Google; without it nobody signs in with Google"),
    secret("CALLFAIRY_GOOGLE_CLIENT_SECRET", &[Auth], "that client's secret, for the code flow"),
    open(
        "CALLFAIRY_GOOGLE_REDIRECT_URL",
        "",
        &[Auth],
        "where Google sends browsers back to, as the client is set up there; \
         without it: /api/v1/auth/google/callback at CALLFAIRY_PUBLIC_URL",
    ),
    open("CALLFAIRY_GOOGLE_ISSUER", "https://accounts.google.com", &[Auth], "who signs Google's ID tokens"),
    open(
        "CALLFAIRY_GOOGLE_KEYS_URL",
        "https://www.googleapis.com/oauth2/v3/certs",
        &[Auth],
        "the keys that verify them",
    ),
    open(
        "CALLFAIRY_GOOGLE_AUTHORIZATION_URL",
        "https://accounts.google.com/o/oauth2/v2/auth",
        &[Auth],
        "where browsers go to sign in with Google",
    ),
    open(
        "CALLFAIRY_GOOGLE_TOKEN_URL",
        "https://oauth2.googleapis.com/token",
        &[Auth],
        "where Google's codes are exchanged for ID tokens",
    ),
    // Services
    open("CALLFAIRY_AUTH_ADDR", "127.0.0.1:7001", &[Auth], "where auth listens for gRPC"),
    open("CALLFAIRY_TENANCY_ADDR", "127.0.0.1:7002", &[Tenancy], "where tenancy listens for gRPC"),
    open("CALLFAIRY_AGENT_ADDR", "127.0.0.1:7003", &[Agent], "where agent listens for gRPC"),
    open("CALLFAIRY_TELEPHONY_ADDR", "127.0.0.1:7004", &[Telephony], "where telephony listens for gRPC"),
    open(
        "CALLFAIRY_AUTH_URL",
        "",
        EVERY,
        "where the others find auth; without it: http://127.0.0.1 and the port of CALLFAIRY_AUTH_ADDR",
    ),
    open("CALLFAIRY_TENANCY_URL", "", EVERY, "where the others find tenancy, likewise"),
    open("CALLFAIRY_AGENT_URL", "", EVERY, "where the others find agent, likewise"),
    open("CALLFAIRY_TELEPHONY_URL", "", EVERY, "where the others find telephony, likewise"),
    // Telemetry
    open("CALLFAIRY_LOG", "info", EVERY, "what is logged: a level, or levels by module such as info,telephony=debug"),
    open("CALLFAIRY_LOG_FORMAT", "text", EVERY, "text or json"),
    open(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        EVERY,
        "where traces go by OTLP over gRPC, such as http://127.0.0.1:4317; the other OTEL_ names mean what the \
         standard says; without it: logs only",
    ),
];

/// The row of a variable.
pub(super) fn find(variable: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable == variable)
}
