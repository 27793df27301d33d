//! What can be wrong with a configuration, as the operator reads it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    /// The TOML file, by its path.
    File(PathBuf),
    Environment,
    /// The file that `<variable>_FILE` names.
    SecretFile(PathBuf),
    /// Made once, kept in the data directory.
    Made(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) | Self::SecretFile(path) | Self::Made(path) => path.display().fmt(f),
        }
    }
}

/// Why the configuration cannot be used. No text of it ever holds a secret's value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} ({from}) is no setting; did you mean {nearest}?")]
    Unknown { name: String, from: Source, nearest: String },
    /// `value` is absent when it is secret.
    #[error("{name} ({from}): expected {expected}{}", .value.as_ref().map(|v| format!(", but it is {v:?}")).unwrap_or_default())]
    BadValue { name: String, from: Source, expected: Cow<'static, str>, value: Option<String> },
    #[error("{name} and {name}_FILE are both given ({from}); give one")]
    BothGiven { name: String, from: Source },
    #[error("{name} is required: {why}")]
    Missing { name: &'static str, why: &'static str },
    #[error("{name}: cannot read {}: {error}", .path.display())]
    Unreadable { name: String, path: PathBuf, error: std::io::Error },
    #[error("{name}: cannot write {}: {error}", .path.display())]
    Unwritable { name: &'static str, path: PathBuf, error: std::io::Error },
    #[error("{}, line {line}: {message}", .path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{0}")]
    Usage(String),
    #[error("no random numbers from the operating system")]
    NoRandomness,
}
