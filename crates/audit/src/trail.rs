//! From a service's outbox to the log.

use crate::TOPIC;
use access::{Client, ServiceIdentity};
use callfairy_core::Problem;
use db::outbox::OutboxRow;
use proto::rpc::audit_log::AppendAuditEntries;
use proto::tenancy::{AppendAuditEntriesRequest, NewAuditEntry};
use std::time::Duration;

/// How long tenancy may take: less than a relay's batch may, so that a tenancy that hangs fails nothing else.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Takes entries to tenancy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trail {
    tenancy: Client,
    identity: ServiceIdentity,
}

type Result<T = (), E = String> = std::result::Result<T, E>;

impl Trail {
    pub fn new(tenancy: Client, identity: ServiceIdentity) -> Self {
        Self { tenancy, identity }
    }

    /// For [`db::outbox::relay`]: rows of the [`TOPIC`], in any order. One result for each, in order.
    pub async fn publish(&self, rows: Vec<OutboxRow>) -> Vec<Result> {
        let entries: Vec<Result<NewAuditEntry>> = rows.into_iter().map(read).collect();
        let readable: Vec<_> = entries.iter().filter_map(|entry| entry.as_ref().ok().cloned()).collect();
        let sent = if readable.is_empty() { Ok(()) } else { self.append(readable).await };
        // Should tenancy not take one of them, the others come again without it: each at a time of its own.
        let sent = sent.map_err(|problem| problem.to_string());
        entries.into_iter().map(|entry| entry.and_then(|_| sent.clone())).collect()
    }

    /// As [`Trail::publish`], for an outbox that has other rows too, which go to `others`.
    pub async fn publish_beside<F>(&self, rows: Vec<OutboxRow>, others: impl FnOnce(Vec<OutboxRow>) -> F) -> Vec<Result>
    where
        F: Future<Output = Vec<Result>>,
    {
        let are_entries: Vec<bool> = rows.iter().map(|row| row.topic == TOPIC).collect();
        let (entries, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.topic == TOPIC);
        let others = async { if rest.is_empty() { Vec::new() } else { others(rest).await } };
        let (entries, rest) = tokio::join!(self.publish(entries), others);
        let (mut entries, mut rest) = (entries.into_iter(), rest.into_iter());
        let next = |is_entry: bool| if is_entry { entries.next() } else { rest.next() };
        let missing = || Err("no answer for this message".to_owned());
        are_entries.into_iter().map(next).map(|result| result.unwrap_or_else(missing)).collect()
    }

    async fn append(&self, entries: Vec<NewAuditEntry>) -> Result<(), Problem> {
        let (meta, request) = (self.identity.meta()?, AppendAuditEntriesRequest { entries });
        let append = self.tenancy.unary::<AppendAuditEntries>(&meta, request);
        let answer = tokio::time::timeout(TIMEOUT, append).await;
        answer.unwrap_or_else(|_| Err(Problem::unavailable("tenancy"))).map(|_| ())
    }
}

fn read(row: OutboxRow) -> Result<NewAuditEntry> {
    serde_json::from_value(row.payload).map_err(|error| format!("not an entry of the audit log: {error}"))
}
