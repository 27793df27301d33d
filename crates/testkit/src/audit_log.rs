//! A stand-in for the audit log.

use crate::eventually;
use access::Call;
use callfairy_core::Problem;
use proto::rpc::audit_log as rpc;
use proto::tenancy::{ListAuditLogsResponse, NewAuditEntry};
use proto::types::Empty;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What tenancy does with the entries of other services, for tests of those: mount it beside the other stand-ins for
/// tenancy. Clones share the entries.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    entries: Arc<Mutex<Vec<NewAuditEntry>>>,
    is_down: Arc<AtomicBool>,
}

impl AuditLog {
    /// Whether it takes nothing for now.
    pub fn be_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    /// All entries, in the order in which they came, each once.
    pub fn entries(&self) -> Vec<NewAuditEntry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of one action.
    pub fn of(&self, action: &str) -> Vec<NewAuditEntry> {
        self.entries().into_iter().filter(|entry| entry.action == action).collect()
    }

    /// Waits until there are so many of an action.
    ///
    /// # Panics
    /// When there are more, or too few at the deadline.
    pub async fn eventually(&self, action: &str, count: usize, deadline: Duration) -> Vec<NewAuditEntry> {
        let what = format!("{count} of {action} were recorded");
        let enough = async || Some(self.of(action)).filter(|entries| entries.len() >= count);
        let entries = eventually(&what, deadline, enough).await;
        assert_eq!(entries.len(), count, "{entries:#?}");
        entries
    }
}

impl access::AuditLog for AuditLog {
    async fn list_audit_logs(&self, _: Call<rpc::ListAuditLogs>) -> Result<ListAuditLogsResponse, Problem> {
        Ok(ListAuditLogsResponse::default())
    }

    async fn append_audit_entries(&self, call: Call<rpc::AppendAuditEntries>) -> Result<Empty, Problem> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(Problem::unavailable("the audit log"));
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: HashSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        entries.extend(call.request.entries.into_iter().filter(|entry| known.insert(entry.id.clone())));
        Ok(Empty {})
    }
}
