//! Whether assignments still have both their ends.

use super::{Reviews, State};
use crate::store::assignments::{self, AssignmentRow};
use crate::{Result, facts};
use access::Call;
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::Problem;
use db::Db;
use proto::rpc::reviews as rpc;
use proto::types::Empty;

impl access::Reviews for Reviews {
    async fn review_assignments(&self, call: Call<rpc::ReviewAssignments>) -> Result<Empty, Problem> {
        let user = super::optional_id("user_id", &call.request.user_id)?;
        let organisation = super::optional_id("organisation_id", &call.request.organisation_id)?;
        if user.is_none() && organisation.is_none() {
            return Err(Problem::field("user_id", "is required, or organisation_id is"));
        }
        let find = move |db: &mut Db| -> Result<_> { Ok(assignments::active_of(db, user, organisation)?) };
        for row in self.0.pool.read(find).await? {
            if let Some(inactive) = self.0.neighbours.inactive_end(&row).await? {
                self.revoke(row, inactive).await?;
            }
        }
        Ok(Empty {})
    }
}

impl Reviews {
    /// Nobody revokes it: `inactive` says what is the matter.
    async fn revoke(&self, row: AssignmentRow, inactive: &'static str) -> Result<(), Problem> {
        let State { pool, clock, reporter, .. } = &self.0;
        let (id, now) = (row.id.0, clock.now());
        let entry = Entry::new(Actor::System, Action::AgentRevoked).about(Subject::Assignment, id);
        let entry = entry.within(row.organisation_id.0).with("user", row.user_id.0).with("inactive", inactive);
        let revoke = move |db: &mut Db| -> Result<()> {
            // Somebody else may have ended it in the meantime.
            if assignments::lock(db, id)?.is_some_and(|row| row.is_active()) {
                assignments::revoke(db, id, None, now)?;
                facts::enqueue(db, &[id])?;
                audit::record(db, &entry, now)?;
            }
            Ok(())
        };
        pool.write(revoke).await?;
        reporter.try_report(&[id]).await;
        Ok(())
    }
}
