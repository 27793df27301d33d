//! Telling tenancy, the authority on access, how assignments stand.
//!
//! Twice, on purpose: right after the commit, so that the caller is answered after the effect; and from the outbox,
//! so that nothing is lost when that fails. A report says how the assignment stands now, whenever it is made, and
//! tenancy lets an older one change nothing.

use crate::Error;
use crate::store::assignments::{self, AssignmentId, AssignmentRow};
use access::{Client, ServiceIdentity};
use callfairy_core::Problem;
use db::outbox::{OutboxRow, Outgoing};
use db::{Db, Pool};
use diesel::QueryResult;
use proto::rpc::authority::ReportAssignment;
use proto::tenancy::AssignmentFact;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The topic in the outbox.
const TOPIC: &str = "assignment_fact";
/// How long one report may take. The caller of a change waits for it, when tenancy hangs.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// A message in the outbox.
#[derive(Serialize, Deserialize)]
struct Payload {
    assignment_id: AssignmentId,
}

/// Puts the reports into the outbox. Belongs into the transaction of the change.
pub fn enqueue(db: &mut Db, ids: &[AssignmentId]) -> QueryResult<()> {
    let message = |id: &AssignmentId| Outgoing::new(TOPIC, serde_json::json!({ "assignment_id": id })).about(*id);
    db::outbox::add_all(db, ids.iter().map(message).collect())?;
    Ok(())
}

#[derive(Clone)]
pub struct Reporter {
    pub pool: Pool,
    pub tenancy: Client,
    pub identity: ServiceIdentity,
}

impl Reporter {
    /// Reports how these stand, in this order. What fails is left to the outbox.
    pub async fn try_report(&self, ids: &[AssignmentId]) {
        for id in ids {
            if let Err(problem) = self.report(*id).await {
                tracing::warn!(assignment = %id, %problem, "tenancy is told later");
                return;
            }
        }
    }

    /// Reports how it stands now.
    pub async fn report(&self, id: AssignmentId) -> Result<(), Problem> {
        let read = self.pool.read(move |db| Ok::<_, Error>(assignments::find(db, id)?)).await?;
        let Some(row) = read else {
            tracing::error!(assignment = %id, "there is no such assignment to report");
            return Ok(());
        };
        let meta = self.identity.meta()?;
        let report = self.tenancy.unary::<ReportAssignment>(&meta, fact(&row));
        let answer = tokio::time::timeout(REPORT_TIMEOUT, report).await;
        answer.unwrap_or_else(|_| Err(Problem::unavailable("tenancy")))?;
        Ok(())
    }

    /// What the relay does with a batch.
    pub async fn publish(&self, rows: Vec<OutboxRow>) -> Vec<Result<(), String>> {
        let mut results = Vec::with_capacity(rows.len());
        for row in rows {
            results.push(match serde_json::from_value::<Payload>(row.payload) {
                Ok(payload) => self.report(payload.assignment_id).await.map_err(|problem| problem.to_string()),
                Err(error) => Err(format!("{}: {error}", row.topic)),
            });
        }
        results
    }
}

fn fact(row: &AssignmentRow) -> AssignmentFact {
    AssignmentFact {
        assignment_id: row.id.to_string(),
        version: row.version,
        user_id: row.user_id.to_string(),
        organisation_id: row.organisation_id.to_string(),
        is_active: row.is_active(),
        permissions: row.permission_set().iter().map(Into::into).collect(),
    }
}
