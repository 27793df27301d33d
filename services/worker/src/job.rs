//! The bodies of messages.

use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The longest reason that a dead letter carries, in characters.
const MAX_REASON: usize = 200;

/// Reads a job, or says why it is none.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("malformed: {error}").chars().take(MAX_REASON).collect())
}

/// Reads an id of a job.
pub fn id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "malformed: the id is no UUID".to_owned())
}
