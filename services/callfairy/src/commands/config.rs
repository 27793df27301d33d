//! `callfairy config check`.

use runtime::{Program, Settings};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints every setting as it would be used.
pub fn check(program: Program, config: Option<&Path>) -> ExitCode {
    let settings = match Settings::from_process(program, config) {
        Ok(settings) => settings,
        Err(error) => return super::misused(&error),
    };
    let mut out = String::new();
    for setting in settings.describe() {
        let value = setting.value.as_deref().unwrap_or("-");
        let _ = writeln!(out, "{:<36} {value:<48} {}", setting.variable, setting.source);
    }
    super::print(&out)
}
