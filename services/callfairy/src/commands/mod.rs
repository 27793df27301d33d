//! The operator's tools.
#![allow(clippy::print_stdout)] // it is what they are for

pub mod access_matrix;
pub mod audit;
pub mod config;
pub mod dead;
pub mod keys;
pub mod migrate;
pub mod simulator;
pub mod superadmin;
pub mod users;

use runtime::ConfigError;
use std::io::Write;
use std::process::ExitCode;

/// Prints a text. A reader that stops reading is no failure.
pub fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// The configuration is wrong: said once, with the exit code for it.
pub fn misused(error: &ConfigError) -> ExitCode {
    eprintln!("callfairy: {error}");
    ExitCode::from(2)
}
