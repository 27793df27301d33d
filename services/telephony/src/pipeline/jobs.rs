//! The messages that make workers move.

use crate::domain::ids::{CallId, ImportId};
use db::outbox::Outgoing;
use proto::jobs::{CallJob, CallJobKind, ImportJob, RecordingJob};
use queue::QueueName;
use std::time::Duration;

/// Place the call, when `delay` has passed.
pub fn place(call: CallId, delay: Duration) -> Outgoing {
    message(CallJobKind::Place, call).after(delay)
}

/// Ask the provider what became of the call.
pub fn look_up(call: CallId) -> Outgoing {
    message(CallJobKind::LookUp, call)
}

/// Copy the call's recording.
pub fn record(call: CallId) -> Outgoing {
    let job = RecordingJob { call_id: call.to_string() };
    Outgoing::new(QueueName::Recording.as_str(), json(&job)).about(call)
}

/// Read the import's file.
pub fn import(import: ImportId) -> Outgoing {
    let job = ImportJob { import_id: import.to_string() };
    Outgoing::new(QueueName::Import.as_str(), json(&job)).about(import)
}

fn message(kind: CallJobKind, call: CallId) -> Outgoing {
    let job = CallJob { kind: kind.into(), call_id: call.to_string() };
    Outgoing::new(QueueName::Call.as_str(), json(&job)).about(call)
}

fn json(job: &impl serde::Serialize) -> serde_json::Value {
    // The contract's messages have string keys only: nothing in them fails.
    serde_json::to_value(job).unwrap_or_default()
}
