//! Configuration: one registry of names, three sources, one typed struct.
//!
//! Sources, each over the one before: defaults, a TOML file (`--config`, else `CALLFAIRY_CONFIG`), the
//! environment. A secret's value may stand in a file that `<variable>_FILE` names. An empty value counts as
//! absent. An unknown name, or a value that does not parse, is a [`ConfigError`] that names the key.
//!
//! To add a setting: a row in [`SETTINGS`], a field in [`Settings`] (or in one of its groups), and the line in
//! `Settings::build` that reads it; a test fails as long as one of them is missing. A new kind of value is a
//! function in `parse`.

mod error;
mod parse;
mod program;
mod settings;
mod table;
mod values;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Source};
pub use program::{Program, Service};
pub use settings::{
    Bland, Calls, Described, Endpoint, Endpoints, Google, Http, LogFormat, Settings, Simulator, Superadmin, Telemetry,
};
pub use table::{CONFIG_VARIABLE, SETTINGS, Setting};
pub use values::Environment;
