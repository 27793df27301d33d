//! The ends of organisations.

use super::Deactivation;
use crate::store::organisations::{self, Deactivated};
use crate::{Result, reviews};
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{OrganisationId, Problem};
use db::Db;
use proto::rpc::deactivation as rpc;
use proto::types::Empty;

impl access::Deactivation for Deactivation {
    async fn delete_organisation(&self, call: Call<rpc::DeleteOrganisation>) -> Result<Empty, Problem> {
        let id: OrganisationId = super::id("organisation_id", &call.request.organisation_id)?;
        let now = self.0.clock.now();
        let entry = Entry::of(&call, Action::OrganisationChanged).about(Subject::Organisation, id).within(id);
        let entry = entry.with("fields", vec!["is_active"]).with("is_active", false);
        let deactivate = move |db: &mut Db| -> Result<()> {
            match organisations::deactivate(db, id, now)? {
                Deactivated::Now => {
                    audit::record(db, &entry, now)?;
                    reviews::of_organisation(db, id)?;
                }
                Deactivated::Before => {}
                Deactivated::Unknown => return Err(Problem::not_found().into()),
            }
            Ok(())
        };
        self.0.pool.write(deactivate).await?;
        Ok(Empty {})
    }
}
