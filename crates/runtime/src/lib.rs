//! What every program of the platform stands on: configuration, keys, telemetry, lifecycle, health.
//!
//! Owns: the registry of settings ([`config`]), the deployment's keys ([`keys`]) and what is sealed with them ([`vault`]), logs and traces
//! ([`telemetry`]), tasks that live and end together ([`lifecycle`]), health answers of a service's own binary
//! ([`health`]), and the entry that a `main` calls ([`run`]). Refuses: databases, queues, and anything that one
//! service alone needs.
//!
//! ```no_run
//! use runtime::{BoxError, Program};
//!
//! fn main() -> std::process::ExitCode {
//!     runtime::run(Program::Auth, async |settings, shutdown| -> Result<(), BoxError> {
//!         let listener = tokio::net::TcpListener::bind(settings.endpoints.auth.addr).await?;
//!         shutdown.wait().await;
//!         Ok(drop(listener))
//!     })
//! }
//! ```
//!
//! To add a setting: see [`config`]. To add a check of readiness: [`health::Health::check`].

pub mod config;
pub mod health;
pub mod keys;
pub mod lifecycle;
pub mod telemetry;
pub mod vault;

mod clients;
mod grpc;
mod run;

pub use clients::{Clients, Context, LocalSlots};
pub use config::{ConfigError, Program, Service, Settings};
pub use grpc::{Listener, serve_grpc};
pub use keys::{Key, KeyRing};
pub use lifecycle::{LifecycleError, Shutdown, Tasks};
pub use run::{run, run_with};

use std::error::Error;

/// Any error that can travel between threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
