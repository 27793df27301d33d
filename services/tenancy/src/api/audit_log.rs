//! The audit log.

use super::AuditLog;
use crate::domain::chain::Content;
use crate::store::audit_log::{self as store, AuditLogRow, Filter};
use crate::{Error, Result};
use access::Call;
use callfairy_core::{Page, Problem};
use db::Db;
use proto::rpc::audit_log as rpc;
use proto::tenancy::{AuditActor, AuditLogEntry, AuditSubject, ListAuditLogsResponse, NewAuditEntry};
use proto::types::Empty;
use std::collections::BTreeMap;

impl access::AuditLog for AuditLog {
    async fn list_audit_logs(&self, call: Call<rpc::ListAuditLogs>) -> Result<ListAuditLogsResponse, Problem> {
        let request = call.request;
        let page = Page::parse(request.page_size, &request.page_token)?;
        let some = |text: String| (!text.is_empty()).then_some(text);
        let filter = Filter {
            actor: some(request.actor.to_lowercase()),
            action: some(request.action),
            organisation: some(request.organisation_id).map(|id| super::id("organisation_id", &id)).transpose()?,
            from: request.from.map(|at| at.instant("from")).transpose()?,
            to: request.to.map(|at| at.instant("to")).transpose()?,
        };
        let list = move |db: &mut Db| -> Result<_> {
            let mut rows = store::page(db, &filter, &page)?;
            let next_page_token = page.cut(&mut rows, AuditLogRow::page_key);
            Ok(ListAuditLogsResponse { audit_logs: rows.into_iter().map(message).collect(), next_page_token })
        };
        Ok(self.0.of_everyone().read(list).await?)
    }

    async fn append_audit_entries(&self, call: Call<rpc::AppendAuditEntries>) -> Result<Empty, Problem> {
        let entries = call.request.entries.into_iter().map(content).collect::<Result<Vec<_>, Problem>>()?;
        let append = move |db: &mut Db| Ok::<_, Error>(store::append(db, &entries)?);
        self.0.of_everyone().write(append).await?;
        Ok(Empty {})
    }
}

fn content(entry: NewAuditEntry) -> Result<Content, Problem> {
    let organisation = entry.organisation_id.as_str();
    Ok(Content {
        id: super::id("id", &entry.id)?,
        at: entry.at.ok_or_else(|| Problem::field("at", "is required"))?.instant("at")?,
        actor_kind: entry.actor_kind,
        actor_id: entry.actor_id,
        action: entry.action,
        organisation_id: match organisation {
            "" => None,
            id => Some(super::id("organisation_id", id)?),
        },
        subject_kind: entry.subject_kind,
        subject_id: entry.subject_id,
        outcome: entry.outcome,
        network: entry.network,
        // Sorted by name, so that the same details are the same text.
        details: serde_json::to_string(&entry.details).map_err(|_| Problem::field("details", "are not JSON"))?,
    })
}

fn message(row: AuditLogRow) -> AuditLogEntry {
    let details: BTreeMap<String, String> = serde_json::from_str(&row.details).unwrap_or_else(|error| {
        tracing::error!(%error, sequence = row.sequence, "the details of an entry of the audit log cannot be read");
        BTreeMap::new()
    });
    let subject = AuditSubject { kind: row.subject_kind, id: row.subject_id };
    AuditLogEntry {
        id: row.id.to_string(),
        sequence: row.sequence,
        at: Some(row.at.0.into()),
        actor: Some(AuditActor { kind: row.actor_kind, id: row.actor_id }),
        action: row.action,
        organisation_id: row.organisation_id.map(|id| id.to_string()),
        subject: (!subject.kind.is_empty()).then_some(subject),
        outcome: row.outcome,
        network: row.network,
        details,
        previous_hash: hex::encode(&row.previous_hash),
        hash: hex::encode(&row.hash),
    }
}
