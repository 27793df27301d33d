//! The typed settings.

use super::error::{ConfigError, Source};
use super::parse;
use super::program::{Program, Service};
use super::table::{CONFIG_VARIABLE, SETTINGS};
use super::values::{self, Environment, Values};
use crate::keys::KeyRing;
use callfairy_core::Secret;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// Everything that can be set, as it will be used. A service takes its own small configuration from it.
#[derive(Debug, Clone)]
pub struct Settings {
    pub program: Program,
    pub http: Http,
    /// Where a service's own binary answers health checks.
    pub ops_addr: Option<SocketAddr>,
    /// Absolute.
    pub data_dir: PathBuf,
    /// Connections that one service keeps to its database.
    pub database_pool_size: u32,
    /// Absent: the embedded queue.
    pub amqp_url: Option<Secret>,
    pub queue_prefix: String,
    pub storage_url: String,
    pub bland: Bland,
    pub simulator: Simulator,
    pub calls: Calls,
    pub superadmin: Superadmin,
    pub google: Google,
    /// Passwords hashed at one time.
    pub password_hashers: u32,
    /// Absent: mail is written to files.
    pub smtp_url: Option<Secret>,
    pub endpoints: Endpoints,
    pub telemetry: Telemetry,
    pub(crate) master_keys: Option<KeyRing>,
    pub(crate) internal_keys: Option<KeyRing>,
    databases: Databases,
    described: Vec<Described>,
}

/// The gateway's side to the world.
#[derive(Debug, Clone)]
pub struct Http {
    pub addr: SocketAddr,
    /// Where providers and people reach the gateway.
    pub public_url: Url,
    /// Such as `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests in a second of one user or API key, by one process of the gateway; 0: as many as come.
    pub requests_of_caller: u32,
    /// Of one address, likewise.
    pub requests_of_address: u32,
}

/// The platform's account at the voice provider.
#[derive(Debug, Clone)]
pub struct Bland {
    /// Absent: calls go to the simulator.
    pub api_key: Option<Secret>,
    pub base_url: Url,
    pub webhook_secret: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct Simulator {
    pub addr: SocketAddr,
    /// How many times faster than real calls.
    pub speed: f64,
}

/// How calls are dispatched.
#[derive(Debug, Clone)]
pub struct Calls {
    /// In flight at the provider at one time, over all organisations.
    pub max_concurrent: u32,
    /// Begun in a second, over all organisations.
    pub per_second: u32,
    pub claim_lease: Duration,
    /// Between two questions about a call that the provider has and says nothing of.
    pub poll: Duration,
    pub sweep: Duration,
}

/// The superadmin that the first start makes.
#[derive(Debug, Clone)]
pub struct Superadmin {
    pub email: String,
    /// Absent: a random one.
    pub password: Option<Secret>,
}

/// The client by which people sign in with Google.
#[derive(Debug, Clone)]
pub struct Google {
    /// Absent: nobody does.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub redirect_url: Url,
    /// As it stands in tokens.
    pub issuer: String,
    pub keys_url: Url,
    pub authorization_url: Url,
    pub token_url: Url,
}

/// Where each service listens, and where the others find it.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub auth: Endpoint,
    pub tenancy: Endpoint,
    pub agent: Endpoint,
    pub telephony: Endpoint,
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub addr: SocketAddr,
    pub url: Url,
}

#[derive(Debug, Clone)]
pub struct Telemetry {
    /// In the syntax of `tracing_subscriber::EnvFilter`.
    pub log: String,
    pub log_format: LogFormat,
    /// Absent: no traces are sent.
    pub otlp_endpoint: Option<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone)]
struct Databases {
    auth: Secret,
    tenancy: Secret,
    agent: Secret,
    telephony: Secret,
}

/// One setting as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub variable: &'static str,
    /// Secrets masked; absent: not set.
    pub value: Option<String>,
    pub source: Source,
}

impl Settings {
    /// Loads with the process's own environment.
    pub fn from_process(program: Program, config: Option<&Path>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            if name != CONFIG_VARIABLE && !values::is_ours(name) {
                continue;
            }
            let value = value.into_string().map_err(|_| ConfigError::BadValue {
                name: name.to_owned(),
                from: Source::Environment,
                expected: "text in UTF-8".into(),
                value: None,
            })?;
            environment.insert(name.to_owned(), value);
        }
        Self::load(program, config, &environment)
    }

    /// `config`: the TOML file; without it the one that `CALLFAIRY_CONFIG` names, without that none. Reads
    /// files, writes none.
    pub fn load(program: Program, config: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let named = environment.get(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(Path::new);
        let (name, path) = match config {
            Some(path) => ("--config", Some(path)),
            None => (CONFIG_VARIABLE, named),
        };
        let content = path.map(|path| values::read_file(name, path)).transpose()?;
        Self::build(program, Values::gather(path.zip(content.as_deref()), environment)?)
    }

    /// The database of one service: `postgres://…` or `sqlite:<file>`.
    pub fn database(&self, service: Service) -> &Secret {
        match service {
            Service::Auth => &self.databases.auth,
            Service::Tenancy => &self.databases.tenancy,
            Service::Agent => &self.databases.agent,
            Service::Telephony => &self.databases.telephony,
        }
    }

    /// Each setting, in the table's order, with its value as used and where that comes from.
    pub fn describe(&self) -> &[Described] {
        &self.described
    }

    pub(super) fn build(program: Program, mut values: Values) -> Result<Self, ConfigError> {
        // What other settings decide comes first: the rest is then read alike.
        let http_addr = values.get("CALLFAIRY_HTTP_ADDR", parse::address)?;
        values.fill("CALLFAIRY_PUBLIC_URL", || format!("http://{http_addr}"));
        let public_url = values.get("CALLFAIRY_PUBLIC_URL", parse::http_url)?;
        values.fill("CALLFAIRY_GOOGLE_REDIRECT_URL", || {
            format!("{}/api/v1/auth/google/callback", public_url.as_str().trim_end_matches('/'))
        });
        let data_dir = values.get("CALLFAIRY_DATA_DIR", parse::directory)?;
        let files = Url::from_directory_path(data_dir.join("files")).map(String::from).unwrap_or_default();
        values.fill("CALLFAIRY_STORAGE_URL", || files);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        values.fill("CALLFAIRY_PASSWORD_HASHERS", || cores().min(256).to_string());
        let shared_database = values.optional("DATABASE_URL", parse::secret_url(parse::POSTGRES))?;
        let mut database = |variable, service: Service| {
            values.fill(variable, || match &shared_database {
                Some(url) => url.expose().to_owned(),
                None => format!("sqlite:{}", data_dir.join(format!("{service}.db")).display()),
            });
            values.get(variable, parse::database_url)
        };
        let databases = Databases {
            auth: database("CALLFAIRY_AUTH_DATABASE_URL", Service::Auth)?,
            tenancy: database("CALLFAIRY_TENANCY_DATABASE_URL", Service::Tenancy)?,
            agent: database("CALLFAIRY_AGENT_DATABASE_URL", Service::Agent)?,
            telephony: database("CALLFAIRY_TELEPHONY_DATABASE_URL", Service::Telephony)?,
        };
        let mut endpoint = |addr, url| {
            let addr: SocketAddr = values.get(addr, parse::address)?;
            values.fill(url, || format!("http://127.0.0.1:{}", addr.port()));
            Ok::<_, ConfigError>(Endpoint { addr, url: values.get(url, parse::http_url)? })
        };
        let endpoints = Endpoints {
            auth: endpoint("CALLFAIRY_AUTH_ADDR", "CALLFAIRY_AUTH_URL")?,
            tenancy: endpoint("CALLFAIRY_TENANCY_ADDR", "CALLFAIRY_TENANCY_URL")?,
            agent: endpoint("CALLFAIRY_AGENT_ADDR", "CALLFAIRY_AGENT_URL")?,
            telephony: endpoint("CALLFAIRY_TELEPHONY_ADDR", "CALLFAIRY_TELEPHONY_URL")?,
        };

        let settings = Self {
            program,
            http: Http {
                addr: http_addr,
                public_url,
                cors_origins: values.optional("CALLFAIRY_CORS_ORIGINS", parse::origins)?.unwrap_or_default(),
                trusted_proxies: values.optional("CALLFAIRY_TRUSTED_PROXIES", parse::networks)?.unwrap_or_default(),
                requests_of_caller: values.get("CALLFAIRY_CALLER_REQUESTS_PER_SECOND", parse::number(0..=1_000_000))?,
                requests_of_address: values
                    .get("CALLFAIRY_ADDRESS_REQUESTS_PER_SECOND", parse::number(0..=1_000_000))?,
            },
            ops_addr: values.optional("CALLFAIRY_OPS_ADDR", parse::address)?,
            database_pool_size: values.get("CALLFAIRY_DATABASE_POOL_SIZE", parse::number(1..=1_000))?,
            amqp_url: values.optional("AMQP_URL", parse::secret_url(parse::AMQP))?,
            queue_prefix: values.optional("CALLFAIRY_QUEUE_PREFIX", parse::queue_prefix)?.unwrap_or_default(),
            storage_url: values.get("CALLFAIRY_STORAGE_URL", parse::storage_url)?,
            bland: Bland {
                api_key: values.secret("BLAND_API_KEY"),
                base_url: values.get("BLAND_BASE_URL", parse::http_url)?,
                webhook_secret: values.secret("BLAND_WEBHOOK_SECRET"),
            },
            simulator: Simulator {
                addr: values.get("CALLFAIRY_SIMULATOR_ADDR", parse::address)?,
                speed: values.get("CALLFAIRY_SIMULATOR_SPEED", parse::speed)?,
            },
            calls: Calls {
                max_concurrent: values.get("CALLFAIRY_MAX_CONCURRENT_CALLS", parse::number(1..=1_000_000))?,
                per_second: values.get("CALLFAIRY_CALLS_PER_SECOND", parse::number(1..=100_000))?,
                claim_lease: values.get("CALLFAIRY_CLAIM_LEASE_SECONDS", parse::seconds(5..=600))?,
                poll: values.get("CALLFAIRY_POLL_SECONDS", parse::seconds(1..=3_600))?,
                sweep: values.get("CALLFAIRY_SWEEP_SECONDS", parse::seconds(1..=300))?,
            },
            superadmin: Superadmin {
                email: values.get("CALLFAIRY_SUPERADMIN_EMAIL", parse::email)?,
                password: values.secret("CALLFAIRY_SUPERADMIN_PASSWORD"),
            },
            google: Google {
                client_id: values.optional("CALLFAIRY_GOOGLE_CLIENT_ID", parse::word)?,
                client_secret: values.secret("CALLFAIRY_GOOGLE_CLIENT_SECRET"),
                redirect_url: values.get("CALLFAIRY_GOOGLE_REDIRECT_URL", parse::http_url)?,
                issuer: values.get("CALLFAIRY_GOOGLE_ISSUER", parse::issuer)?,
                keys_url: values.get("CALLFAIRY_GOOGLE_KEYS_URL", parse::http_url)?,
                authorization_url: values.get("CALLFAIRY_GOOGLE_AUTHORIZATION_URL", parse::http_url)?,
                token_url: values.get("CALLFAIRY_GOOGLE_TOKEN_URL", parse::http_url)?,
            },
            password_hashers: values.get("CALLFAIRY_PASSWORD_HASHERS", parse::number(1..=256))?,
            smtp_url: values.optional("CALLFAIRY_SMTP_URL", parse::secret_url(parse::SMTP))?,
            endpoints,
            telemetry: Telemetry {
                log: values.get("CALLFAIRY_LOG", parse::log_filter)?,
                log_format: values.get("CALLFAIRY_LOG_FORMAT", parse::log_format)?,
                otlp_endpoint: values.optional("OTEL_EXPORTER_OTLP_ENDPOINT", parse::http_url)?,
            },
            master_keys: values.optional("CALLFAIRY_MASTER_KEY", KeyRing::parse)?,
            internal_keys: values.optional("CALLFAIRY_INTERNAL_KEY", KeyRing::parse)?,
            data_dir,
            databases,
            described: describe(&values),
        };
        demand(program, &values)?;
        Ok(settings)
    }
}

impl Endpoints {
    pub fn get(&self, service: Service) -> &Endpoint {
        match service {
            Service::Auth => &self.auth,
            Service::Tenancy => &self.tenancy,
            Service::Agent => &self.agent,
            Service::Telephony => &self.telephony,
        }
    }
}

/// What one process can do without, but several that work together cannot.
fn demand(program: Program, values: &Values) -> Result<(), ConfigError> {
    const DEMANDED: [(&str, &str); 3] = [
        ("AMQP_URL", "services in separate processes reach each other's jobs and events through RabbitMQ alone"),
        ("CALLFAIRY_MASTER_KEY", "services in separate processes must share it; make one: openssl rand -base64 32"),
        ("CALLFAIRY_INTERNAL_KEY", "services in separate processes must share it; make one: openssl rand -base64 32"),
    ];
    for (name, why) in DEMANDED {
        let used = SETTINGS.iter().any(|setting| setting.variable == name && setting.used_by(program));
        if program != Program::Platform && used && values.text(name).is_none() {
            return Err(ConfigError::Missing { name, why });
        }
    }
    Ok(())
}

fn describe(values: &Values) -> Vec<Described> {
    let show = |setting: &super::Setting| {
        let text = values.text(setting.variable)?;
        Some(if setting.secret { mask(text) } else { text.to_owned() })
    };
    SETTINGS
        .iter()
        .map(|setting| Described {
            variable: setting.variable,
            value: show(setting),
            source: values.source(setting.variable),
        })
        .collect()
}

/// Of a secret that is the URL of a server or a file, where that is; of any other, nothing.
fn mask(text: &str) -> String {
    const MASKED: &str = "[secret]";
    let known = [parse::POSTGRES, parse::AMQP, parse::SMTP].concat();
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    match Url::parse(text) {
        Ok(url) if known.contains(&url.scheme()) => {
            let host = url.host_str().unwrap_or_default();
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{MASKED}@{host}{port}{}", url.scheme(), url.path())
        }
        _ => MASKED.to_owned(),
    }
}
