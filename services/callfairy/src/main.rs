//! The `callfairy` command: all services in one process, each of them alone, and the operator's tools.
//!
//! Owns: how the services are put together, and what is printed. Refuses: anything that a service does itself.
//!
//! To add a command: a variant in `cli::Command`, a module in `commands`, a line in `run`.

mod cli;
mod commands;
mod demo;
mod platform;

use clap::Parser;
use cli::{
    AuditCommand, Cli, Command, ConfigCommand, DeadCommand, KeysCommand, QueueCommand, SuperadminCommand, UsersCommand,
};
use runtime::{BoxError, Program, Settings, Shutdown};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = cli.config.as_deref();
    match cli.command {
        None => with_settings(Program::Platform, config, platform::start),
        Some(Command::Gateway) => with_settings(Program::Gateway, config, gateway::start),
        Some(Command::Auth) => with_settings(Program::Auth, config, auth::start),
        Some(Command::Tenancy) => with_settings(Program::Tenancy, config, tenancy::start),
        Some(Command::Agent) => with_settings(Program::Agent, config, agent::start),
        Some(Command::Telephony) => with_settings(Program::Telephony, config, telephony::start),
        Some(Command::Worker) => with_settings(Program::Worker, config, worker::start),
        Some(Command::Demo(demo)) => with_settings(Program::Platform, config, async |settings, shutdown| {
            demo::start(demo, settings, shutdown).await
        }),
        Some(Command::Simulator(simulator)) => with_settings(Program::Platform, config, async |settings, shutdown| {
            commands::simulator::run(simulator, settings, shutdown).await
        }),
        Some(Command::Migrate { plan }) => {
            with_settings(Program::Platform, config, async |settings, _| commands::migrate::run(&settings, plan).await)
        }
        Some(Command::Superadmin(SuperadminCommand::Create(admin))) => {
            with_settings(Program::Platform, config, async |settings, _| {
                commands::superadmin::create(&settings, admin).await
            })
        }
        Some(Command::Users(UsersCommand::Import(import))) => {
            with_settings(Program::Platform, config, async |settings, _| {
                commands::users::import(&settings, import).await
            })
        }
        Some(Command::Keys(KeysCommand::Rotate)) => {
            with_settings(Program::Platform, config, async |settings, _| commands::keys::rotate(&settings).await)
        }
        Some(Command::Audit(AuditCommand::Verify { expect })) => {
            with_settings(Program::Platform, config, async |settings, _| {
                commands::audit::verify(&settings, expect).await
            })
        }
        Some(Command::Queue(QueueCommand::Dead(dead))) => {
            with_settings(Program::Platform, config, async |settings, _| match dead {
                DeadCommand::List { limit } => commands::dead::list(&settings, limit).await,
                DeadCommand::Replay { id, all: _ } => commands::dead::replay(&settings, id).await,
            })
        }
        Some(Command::Config(ConfigCommand::Check { program })) => commands::config::check(program.into(), config),
        Some(Command::Openapi) => commands::print(proto::OPENAPI),
        Some(Command::AccessMatrix) => commands::print(&commands::access_matrix::document()),
    }
}

/// Loads the settings and runs `main` with them.
fn with_settings<F>(program: Program, config: Option<&std::path::Path>, main: F) -> ExitCode
where
    F: AsyncFnOnce(Settings, Shutdown) -> Result<(), BoxError>,
{
    match Settings::from_process(program, config) {
        Ok(settings) => runtime::run_with(settings, main),
        Err(error) => commands::misused(&error),
    }
}
