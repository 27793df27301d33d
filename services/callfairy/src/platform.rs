//! The whole platform in one process.
//!
//! Calls between the services stay in the process: the same guard, the same deadlines, no socket. The gateway and the
//! simulated voice provider listen; nothing else does.
#![allow(clippy::print_stdout)] // what the person who started it must know

use crate::commands::migrate;
use auth::FirstSuperadmin;
use callfairy_core::{Secret, SystemClock};
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Settings, Shutdown, Tasks};
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::oneshot;
use voice::simulator::{self, Behaviour, SimulatorConfig};

/// Where the platform is, when it is up.
#[derive(Debug)]
pub struct Started {
    pub url: String,
    /// At the first start.
    pub superadmin: Option<FirstSuperadmin>,
    /// Whether calls go to the simulator.
    pub simulated: bool,
}

/// Runs everything until the shutdown, and prints where it is.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let (up, started) = oneshot::channel();
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("the platform", run(settings, up, shutdown));
    tasks.spawn_once("the greeting", async move {
        if let Ok(started) = started.await {
            greet(&started);
        }
        Ok::<_, BoxError>(())
    });
    match tasks.join().await {
        Err(runtime::LifecycleError::Failed { source, .. }) => Err(source),
        other => Ok(other?),
    }
}

/// Runs everything until the shutdown; says so when it is up.
pub async fn run(mut settings: Settings, up: oneshot::Sender<Started>, shutdown: Shutdown) -> Result<(), BoxError> {
    // First of all, so that a second platform on the same address changes nothing.
    let http = TcpListener::bind(settings.http.addr)
        .map_err(|error| format!("cannot listen at {}: {error}", settings.http.addr))?;
    migrate::up_to_date(&settings).await?;
    let mut tasks = Tasks::new(shutdown.clone());
    let simulated = settings.bland.api_key.is_none();
    if simulated {
        let (config, listener) = simulate(&mut settings)?;
        tasks.spawn("the simulator", simulator::serve(config, listener, shutdown.token()));
    }

    let slots = LocalSlots::default();
    let queue = queue::open(settings.amqp_url.as_ref(), &settings.queue_prefix)?;
    let (internal, clock) = (settings.internal_keys()?, Arc::new(SystemClock));
    // One for all: what one service hears of a change of access, all have heard of.
    let clients = Clients::local(&slots);
    let context = |name| Context::new(name, clients.clone(), &internal, clock.clone());

    let (announce, superadmin) = oneshot::channel();
    let auth = auth::Config::new(&settings, context("auth"), queue.clone())?.announcing(|first| {
        let _ = announce.send(first);
    });
    tasks.spawn("auth", auth::serve(auth, Listener::local(slots.auth.clone()), shutdown.clone()));
    let tenancy = tenancy::Config::new(&settings, context("tenancy"))?;
    tasks.spawn("tenancy", tenancy::serve(tenancy, Listener::local(slots.tenancy.clone()), shutdown.clone()));
    let agent = agent::Config::new(&settings, context("agent"));
    tasks.spawn("agent", agent::serve(agent, Listener::local(slots.agent.clone()), shutdown.clone()));
    let telephony = telephony::Config::new(&settings, context("telephony"), queue.clone())?;
    tasks.spawn("telephony", telephony::serve(telephony, Listener::local(slots.telephony.clone()), shutdown.clone()));
    let account = worker::account(&settings)?; // the simulator's, if there is no other
    let worker = worker::Config::new(&settings, context("worker"), queue, account)?;
    tasks.spawn("worker", worker::serve(worker, shutdown.clone()));

    let gateway = gateway::Config::new(&settings, context("gateway"));
    let url = settings.http.public_url.as_str().trim_end_matches('/').to_owned();
    tasks.spawn("gateway", gateway::serve(gateway, http, shutdown.clone()));
    tasks.spawn_once("the start", async move {
        // auth drops its end when it is up and had nobody to announce.
        let superadmin = superadmin.await.ok();
        let _ = up.send(Started { url, superadmin, simulated });
        Ok::<_, BoxError>(())
    });
    Ok(tasks.join().await?)
}

/// Points the platform's provider account at a simulator of its own.
fn simulate(settings: &mut Settings) -> Result<(SimulatorConfig, TcpListener), BoxError> {
    let bound = TcpListener::bind(settings.simulator.addr);
    let listener = bound.map_err(|error| format!("cannot listen at {}: {error}", settings.simulator.addr))?;
    let address = listener.local_addr()?;
    let webhook_secret = match settings.bland.webhook_secret.clone() {
        Some(secret) => secret,
        None => random()?,
    };
    settings.bland.api_key = Some(Secret::new("simulator"));
    settings.bland.webhook_secret = Some(webhook_secret.clone());
    settings.bland.base_url = format!("http://{address}").parse()?;
    tracing::info!(%address, "there is no BLAND_API_KEY: calls go to the built-in simulator, nobody is dialed");
    std::fs::create_dir_all(&settings.data_dir)?;
    let config = SimulatorConfig {
        speed: settings.simulator.speed,
        webhook_secret,
        // So that it knows its calls again when the process comes back.
        journal: Some(settings.data_dir.join("simulator.journal")),
        // Contacts may have any number; whoever wants one to decide what becomes of its call switches that on.
        behaviour: Behaviour { suffixes: false, ..Behaviour::default() },
        ..SimulatorConfig::default()
    };
    Ok((config, listener))
}

fn random() -> Result<Secret, BoxError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(hex::encode(bytes)))
}

fn greet(started: &Started) {
    println!();
    println!("  CallFairy is up.");
    println!();
    println!("  API            {}/api/v1", started.url);
    println!("  documentation  {}/docs", started.url);
    if started.simulated {
        println!("  voice          simulated: nobody is dialed (set BLAND_API_KEY for real calls)");
    }
    if let Some(first) = &started.superadmin {
        println!();
        println!("  superadmin     {}", first.email);
        match &first.password {
            Some(password) => println!("  password       {}   (shown this once)", password.expose()),
            None => println!("  password       as configured"),
        }
    }
    println!();
}
