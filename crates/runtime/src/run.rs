//! The entry of every program.

use crate::config::{ConfigError, Program, Settings};
use crate::lifecycle::Shutdown;
use crate::{BoxError, causes, chain, telemetry};
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Threads for blocking work: database queries, password hashing, files. Tokio's own bound is 512.
pub const MAX_BLOCKING_THREADS: usize = 64;
/// How long blocking work may still take once everything else has ended.
const LAST_WORK: Duration = Duration::from_secs(2);

/// It ran and failed.
const FAILED: u8 = 1;
/// It did not start: the configuration or the command line is wrong.
const MISUSED: u8 = 2;

/// Runs one program to its end: reads `--config <file>`, loads the settings, then as [`run_with`]. Exit code 0:
/// it ended as asked; 1: it failed; 2: the configuration is wrong. The error is printed once.
pub fn run<F>(program: Program, main: F) -> ExitCode
where
    F: AsyncFnOnce(Settings, Shutdown) -> Result<(), BoxError>,
{
    let settings = config_argument(std::env::args_os().skip(1))
        .and_then(|config| Settings::from_process(program, config.as_deref()));
    match settings {
        Ok(settings) => run_with(settings, main),
        Err(error) => report(program, &error),
    }
}

/// Runs `main` with settings that are loaded: telemetry, TLS provider, runtime, signals.
pub fn run_with<F>(settings: Settings, main: F) -> ExitCode
where
    F: AsyncFnOnce(Settings, Shutdown) -> Result<(), BoxError>,
{
    let program = settings.program;
    match start(settings, main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(program, &*error),
    }
}

fn start<F>(settings: Settings, main: F) -> Result<(), BoxError>
where
    F: AsyncFnOnce(Settings, Shutdown) -> Result<(), BoxError>,
{
    // Fails only if there is one already, which is then this one: no other is linked.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_name("callfairy")
        .build()?;
    let result = runtime.block_on(async {
        let guard = telemetry::init(&settings.telemetry, settings.program.name())?;
        let shutdown = Shutdown::on_signals()?;
        let result = main(settings, shutdown).await;
        drop(guard);
        result
    });
    runtime.shutdown_timeout(LAST_WORK);
    result
}

/// `--config <file>` or `--config=<file>`, and nothing else.
fn config_argument(arguments: impl Iterator<Item = OsString>) -> Result<Option<PathBuf>, ConfigError> {
    let usage = |argument: &str| ConfigError::Usage(format!("{argument} is not understood; usage: [--config <file>]"));
    let mut config = None;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let path = match text.strip_prefix("--config=") {
            Some(path) => Some(OsString::from(path)),
            None if argument == "--config" => arguments.next(),
            None => return Err(usage(&text)),
        };
        match path {
            Some(path) if !path.is_empty() && config.is_none() => config = Some(PathBuf::from(path)),
            _ => return Err(usage("--config without one file")),
        }
    }
    Ok(config)
}

/// Prints the error, and answers the exit code of its kind.
fn report(program: Program, error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("{program}: {}", chain(error));
    let misused = causes(error).any(<dyn Error>::is::<ConfigError>);
    ExitCode::from(if misused { MISUSED } else { FAILED })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lifecycle::LifecycleError;

    fn arguments(list: &[&str]) -> Result<Option<PathBuf>, ConfigError> {
        config_argument(list.iter().map(OsString::from))
    }

    #[test]
    fn reads_the_path_of_the_file() {
        assert_eq!(arguments(&[]).unwrap(), None);
        assert_eq!(arguments(&["--config", "a.toml"]).unwrap(), Some("a.toml".into()));
        assert_eq!(arguments(&["--config=a.toml"]).unwrap(), Some("a.toml".into()));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for list in [&["--confg"][..], &["--config"], &["--config="], &["--config", "a", "--config", "b"], &["a"]] {
            assert!(matches!(arguments(list), Err(ConfigError::Usage(_))), "{list:?}");
        }
    }

    #[test]
    fn the_exit_code_tells_a_wrong_configuration_from_a_failure() {
        let misuse = || ConfigError::Usage("no".to_owned());
        assert_eq!(report(Program::Auth, &misuse()), ExitCode::from(2));
        let inside = LifecycleError::Failed { task: "auth".into(), source: misuse().into() };
        assert_eq!(report(Program::Auth, &inside), ExitCode::from(2));
        let other = LifecycleError::Failed { task: "auth".into(), source: "no".into() };
        assert_eq!(report(Program::Auth, &other), ExitCode::from(1));
    }
}
