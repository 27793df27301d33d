//! The gateway: the contract's RPCs over REST.
//!
//! Owns: HTTP. Routes, JSON, uploads, downloads and event streams as the contract describes them; failures as
//! problem+json; request ids, the access log, CORS; the documentation; the health of the platform's front door.
//! Refuses: data and decisions. It has no database, and who may do what is decided by the services, each for itself;
//! the gateway only makes sure that whoever sends a body has signed in.
//!
//! A request's way is [`edge`], [`handle`], [`rpc`], and back. There is no code for any one route: to add a route, give
//! an RPC its `google.api.http` option in `proto/`. A new kind of body or answer is a variant in `proto::Body` or
//! `proto::Answer`; the compiler then leads to [`handle`].
//!
//! Limits beside those in [`Limits`]: a request's head has at most 128 KiB and 96 headers, and must come within 5 s;
//! a body or the next piece of an upload within 30 s; JSON is at most 128 levels deep. How many requests one caller and one
//! address may send is counted in each process apart: see [`rates`].

mod body;
mod browser;
mod client_address;
mod cors;
mod documentation;
mod download;
mod edge;
mod events;
mod gateway;
mod handle;
mod health;
mod input;
mod problem;
mod rates;
mod routes;
mod rpc;
mod upload;

use crate::documentation::Documentation;
use crate::gateway::Gateway;
use crate::routes::Routes;
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use ipnet::IpNet;
use runtime::{BoxError, Context, Settings, Shutdown};
use std::net::TcpListener;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long requests that run may take once the shutdown has begun.
const GRACE: Duration = Duration::from_secs(20);
/// Threads for blocking work of a worker. None of ours blocks: the services' work runs on the program's own runtime.
const BLOCKING_THREADS: usize = 1;

/// What the gateway is started with.
#[derive(Debug)]
pub struct Config {
    /// The services, and the keys that tokens are verified with.
    pub context: Context,
    /// Where people reach the gateway, without a slash at the end.
    pub public_url: String,
    /// Origins whose pages may call the API. None: no CORS headers.
    pub cors_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body that is not an upload.
    pub body: usize,
    /// Bytes of an uploaded file.
    pub upload: u64,
    /// Silence on an event stream before a comment shows that it lives.
    pub keep_alive: Duration,
    /// Requests in a second of one user or API key, and of one address; ten times as many at once; 0: as many as come.
    pub requests_of_caller: u32,
    pub requests_of_address: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            upload: 1024 * 1024 * 1024,
            keep_alive: Duration::from_secs(15),
            requests_of_caller: 0,
            requests_of_address: 0,
        }
    }
}

impl Config {
    pub fn new(settings: &Settings, context: Context) -> Self {
        Self {
            context,
            public_url: settings.http.public_url.as_str().trim_end_matches('/').to_owned(),
            cors_origins: settings.http.cors_origins.clone(),
            trusted_proxies: settings.http.trusted_proxies.clone(),
            limits: Limits {
                requests_of_caller: settings.http.requests_of_caller,
                requests_of_address: settings.http.requests_of_address,
                ..Limits::default()
            },
        }
    }
}

/// The gateway as a program of its own: the services over TCP.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("gateway", &settings)?;
    let listener = TcpListener::bind(settings.http.addr)
        .map_err(|error| format!("cannot listen at {}: {error}", settings.http.addr))?;
    serve(Config::new(&settings, context), listener, shutdown).await
}

/// Serves until the shutdown; then accepts no more, ends the event streams, and finishes what else runs. Inside a tokio
/// runtime, which also runs what services in the same process spawn.
pub async fn serve(config: Config, listener: TcpListener, shutdown: Shutdown) -> Result<(), BoxError> {
    let gateway = Gateway::new(&config, shutdown.clone(), Handle::current());
    tokio::select! {
        served = server(config, gateway.clone(), listener, shutdown)? => Ok(served?),
        never = gateway.follow_changes() => match never {},
        never = gateway.rates.sweep() => match never {},
    }
}

/// Apart from `serve`, whose future must be `Send`: what builds an actix server is not.
fn server(config: Config, gateway: Gateway, listener: TcpListener, shutdown: Shutdown) -> Result<Server, BoxError> {
    let routes = Routes::of_contract()?;
    let documentation = Documentation::new(&config.public_url)?;
    let routes = web::Data::new(routes);
    let origins = config.cors_origins;
    let app = move || {
        App::new()
            .app_data(web::Data::new(gateway.of_this_worker()))
            .app_data(routes.clone())
            .configure(|app| documentation.mount(app))
            .configure(health::mount)
            .default_service(web::to(handle::handle))
            .wrap(cors::middleware(&origins))
            .wrap(from_fn(edge::pass))
    };
    let server = HttpServer::new(app)
        // Whoever closes their side has gone: what they asked for is dropped.
        .h1_allow_half_closed(false)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .shutdown_timeout(GRACE.as_secs())
        .shutdown_signal(shutdown.token().cancelled_owned())
        .listen(listener)?;
    Ok(server.run())
}
