//! `callfairy simulator`.

use crate::cli::SimulatorArgs;
use runtime::{BoxError, Settings, Shutdown};
use std::net::TcpListener;
use voice::simulator::{Behaviour, SimulatorConfig, serve};

/// Runs the simulator until the shutdown.
pub async fn run(arguments: SimulatorArgs, settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let listener = TcpListener::bind(settings.simulator.addr)?;
    listener.set_nonblocking(true)?;
    println!("simulator:  http://{}", listener.local_addr()?);
    let config = SimulatorConfig {
        seed: arguments.seed,
        speed: settings.simulator.speed,
        webhook_secret: settings.bland.webhook_secret.clone().unwrap_or_default(),
        api_key: settings.bland.api_key.clone(),
        journal: arguments.journal,
        behaviour: Behaviour { suffixes: arguments.suffixes, ..Behaviour::default() },
        ..SimulatorConfig::default()
    };
    Ok(serve(config, listener, shutdown.token()).await?)
}
