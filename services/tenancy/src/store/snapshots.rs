//! The facts put together: what a user is, and may do.

use super::organisations::{OrganisationRow, Visible};
use super::{accounts, assignments, organisations};
use crate::Result;
use crate::domain::access::{UserFacts, in_organisation, on_platform};
use access::{Relation, Snapshot, SnapshotSource};
use async_trait::async_trait;
use callfairy_core::{OrganisationId, Problem, UserId};
use db::{Db, Pool};
use diesel::QueryResult;

pub fn facts(db: &mut Db, user: UserId) -> QueryResult<UserFacts> {
    Ok(UserFacts { account: accounts::find(db, user)?, assignment: assignments::of_user(db, user)? })
}

pub fn snapshot(db: &mut Db, user: UserId, organisation: Option<OrganisationId>) -> QueryResult<Snapshot> {
    let user = facts(db, user)?;
    match organisation {
        None => Ok(on_platform(&user)),
        Some(id) => Ok(in_organisation(&user, organisations::standing(db, id)?)),
    }
}

/// The organisations that the user has a relation to, each with what the user may do there.
pub fn related(db: &mut Db, user: &UserFacts) -> QueryResult<Vec<(OrganisationRow, Snapshot)>> {
    let ids: Vec<_> = user.assignment.iter().map(|assignment| assignment.organisation_id).collect();
    let with_snapshot = |row: OrganisationRow| {
        let snapshot = in_organisation(user, Some(row.standing()));
        (row, snapshot)
    };
    let mut related: Vec<_> = organisations::look_up(db, &ids)?.into_iter().map(with_snapshot).collect();
    related.retain(|(_, snapshot)| snapshot.relation != Relation::None);
    Ok(related)
}

/// The organisations that the user can access.
pub fn visible(db: &mut Db, user: &UserFacts) -> QueryResult<Visible> {
    if on_platform(user).is_superadmin {
        return Ok(Visible::Every);
    }
    Ok(Visible::Only(related(db, user)?.iter().map(|(row, _)| row.id.0).collect()))
}

/// The authority's own guard asks no other service.
#[derive(Clone)]
pub struct OwnTables(pub Pool);

#[async_trait]
impl SnapshotSource for OwnTables {
    async fn snapshot(&self, user: UserId, organisation: Option<OrganisationId>) -> Result<Snapshot, Problem> {
        let answer: Result<Snapshot> = self.0.read(move |db| Ok(snapshot(db, user, organisation)?)).await;
        Ok(answer?)
    }
}
