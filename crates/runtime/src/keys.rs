//! The two keys of a deployment: the master key encrypts secrets at rest, the internal key signs service
//! identities.
//!
//! Either is 32 random bytes in base64, from the configuration. One process alone makes what is absent in its
//! data directory (`master.key`, `internal.key`, readable by its user only); programs that run apart must share
//! them, so their settings do not load without. A deployment rotates a key by putting the new one first and
//! keeping the old ones behind it, separated by commas, until nothing needs them.

use crate::config::{ConfigError, Program, Settings, Source};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;
use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The length of a key in bytes.
pub const KEY_LENGTH: usize = 32;

/// Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_LENGTH]>);

impl Key {
    /// The bytes themselves. Each use is a place to look at in a review.
    pub fn expose(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The key in use, and those that came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    current: Key,
    previous: Vec<Key>,
}

impl KeyRing {
    /// What encrypts or signs.
    pub fn current(&self) -> &Key {
        &self.current
    }

    /// What decrypts or verifies, the current key first.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// One or more keys in base64, separated by commas or spaces.
    pub(crate) fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let expected =
            || format!("{KEY_LENGTH} bytes in base64 (openssl rand -base64 {KEY_LENGTH}), several by commas");
        let mut keys = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty())
            .map(|part| {
                let bytes = Zeroizing::new(BASE64_STANDARD.decode(part).ok()?);
                Some(Key(Zeroizing::new(<[u8; KEY_LENGTH]>::try_from(bytes.as_slice()).ok()?)))
            })
            .collect::<Option<Vec<Key>>>()
            .ok_or_else(expected)?
            .into_iter();
        let current = keys.next().ok_or_else(expected)?;
        Ok(Self { current, previous: keys.collect() })
    }
}

impl Settings {
    /// Encrypts secrets at rest. Makes the key in the data directory if this is the one process and has none.
    pub fn master_keys(&self) -> Result<KeyRing, ConfigError> {
        self.keys(self.master_keys.as_ref(), "CALLFAIRY_MASTER_KEY", "master.key")
    }

    /// Signs service identities. Made like the master key.
    pub fn internal_keys(&self) -> Result<KeyRing, ConfigError> {
        self.keys(self.internal_keys.as_ref(), "CALLFAIRY_INTERNAL_KEY", "internal.key")
    }

    fn keys(&self, given: Option<&KeyRing>, name: &'static str, file: &str) -> Result<KeyRing, ConfigError> {
        match given {
            Some(keys) => Ok(keys.clone()),
            None if self.program == Program::Platform => kept(name, &self.data_dir, file),
            None => Err(ConfigError::Missing { name, why: "this program does not make one" }),
        }
    }
}

/// The key in the file, which is made first if it is absent.
fn kept(name: &'static str, directory: &Path, file: &str) -> Result<KeyRing, ConfigError> {
    let path = directory.join(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(directory, &path).map_err(|error| match error {
                MakeError::Io(error) => ConfigError::Unwritable { name, path: path.clone(), error },
                MakeError::NoRandomness => ConfigError::NoRandomness,
            })?;
            let read = std::fs::read_to_string(&path).map(Zeroizing::new);
            read.map_err(|error| unreadable(name, &path, error))?
        }
        Err(error) => return Err(unreadable(name, &path, error)),
    };
    KeyRing::parse(&text).map_err(|expected| ConfigError::BadValue {
        name: name.to_owned(),
        from: Source::Made(path),
        expected,
        value: None,
    })
}

fn unreadable(name: &str, path: &Path, error: std::io::Error) -> ConfigError {
    ConfigError::Unreadable { name: name.to_owned(), path: path.to_owned(), error }
}

enum MakeError {
    Io(std::io::Error),
    NoRandomness,
}

impl From<std::io::Error> for MakeError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes beside the place and links into it: a crash leaves no half of a key, and of two processes that start
/// together both read the key of the one that was first.
fn make(directory: &Path, path: &Path) -> Result<(), MakeError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut bytes = Zeroizing::new([0_u8; KEY_LENGTH]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| MakeError::NoRandomness)?;
    let text = Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(bytes.as_slice())));

    let mut suffix = [0_u8; 8];
    getrandom::fill(&mut suffix).map_err(|_| MakeError::NoRandomness)?;
    let beside = PathBuf::from(format!("{}.{:016x}", path.display(), u64::from_ne_bytes(suffix)));
    let written = write_private(&beside, text.as_bytes()).and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::File::open(directory)?.sync_all(),
    });
    // What cannot be removed is a file that only this user reads.
    let _ = std::fs::remove_file(&beside);
    Ok(written?)
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Environment;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    fn settings(directory: &TempDir, more: &[(&str, String)]) -> Settings {
        let mut environment = Environment::new();
        environment.insert("CALLFAIRY_DATA_DIR".to_owned(), directory.path().join("data").display().to_string());
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Settings::load(Program::Platform, None, &environment).unwrap()
    }

    #[test]
    fn one_process_makes_its_keys_once() {
        let directory = TempDir::new().unwrap();
        let settings = settings(&directory, &[]);
        let (master, internal) = (settings.master_keys().unwrap(), settings.internal_keys().unwrap());
        assert_ne!(master, internal);
        assert_ne!(master.current().expose(), &[0; KEY_LENGTH]);
        assert_eq!(settings.master_keys().unwrap(), master);
        assert_eq!(settings.internal_keys().unwrap(), internal);
        let mut files = std::fs::read_dir(&settings.data_dir)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                entry.file_name()
            })
            .collect::<Vec<_>>();
        files.sort();
        assert_eq!(files, ["internal.key", "master.key"], "nothing is left beside them");
    }

    #[test]
    fn processes_that_start_together_agree() {
        for _ in 0..50 {
            let directory = TempDir::new().unwrap();
            let settings = settings(&directory, &[]);
            let barrier = std::sync::Barrier::new(4);
            let start = || {
                barrier.wait();
                settings.master_keys().unwrap()
            };
            let keys: Vec<KeyRing> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
        }
    }

    #[test]
    fn a_broken_file_is_named_and_kept() {
        let directory = TempDir::new().unwrap();
        let settings = settings(&directory, &[]);
        settings.master_keys().unwrap();
        let path = settings.data_dir.join("master.key");
        std::fs::write(&path, "c2hvcnQ=").unwrap();
        let error = settings.master_keys().unwrap_err().to_string();
        assert!(error.contains("CALLFAIRY_MASTER_KEY") && error.contains("master.key"), "{error}");
        assert!(!error.contains("c2hvcnQ="), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "c2hvcnQ=");
    }

    #[test]
    fn given_keys_are_used_and_rotate() {
        let directory = TempDir::new().unwrap();
        let key = |byte: u8| BASE64_STANDARD.encode([byte; KEY_LENGTH]);
        let settings = settings(&directory, &[("CALLFAIRY_MASTER_KEY", format!("{}, {}", key(2), key(1)))]);
        let keys = settings.master_keys().unwrap();
        assert_eq!(keys.current().expose(), &[2; KEY_LENGTH]);
        assert_eq!(keys.all().map(|key| key.expose()[0]).collect::<Vec<_>>(), [2, 1]);
        assert!(!settings.data_dir.exists(), "nothing is made");
        assert!(!format!("{keys:?}").contains('2'));
    }
}
