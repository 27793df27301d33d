//! The facts put together: what a user is, and may do.

use super::ended_sessions::SessionId;
use super::organisations::{OrganisationRow, Visible};
use super::{access_changes, accounts, assignments, ended_sessions, grants, members, organisations};
use crate::domain::access::{UserFacts, in_organisation, on_platform};
use access::{AsOf, Relation, Snapshot};
use callfairy_core::{OrganisationId, UserId};
use db::Db;
use diesel::QueryResult;
use std::collections::HashMap;

/// What is known of each of the users.
pub fn facts_of(db: &mut Db, users: &[UserId]) -> QueryResult<HashMap<UserId, UserFacts>> {
    let accounts = accounts::find_all(db, users)?;
    let assignments = assignments::of_users(db, users)?;
    let grants = grants::of_users(db, users)?;
    let facts = |user: &UserId| {
        let facts = UserFacts {
            account: accounts.get(user).copied(),
            assignment: assignments.get(user).copied(),
            grants: grants.get(user).copied().unwrap_or_default(),
        };
        (*user, facts)
    };
    Ok(users.iter().map(facts).collect())
}

pub fn facts(db: &mut Db, user: UserId) -> QueryResult<UserFacts> {
    Ok(facts_of(db, &[user])?.remove(&user).unwrap_or_default())
}

/// `session`: the one whose token is used. Once it has ended, its user is nobody.
pub fn snapshot(
    db: &mut Db,
    user: UserId,
    session: Option<SessionId>,
    organisation: Option<OrganisationId>,
) -> QueryResult<Snapshot> {
    if let Some(session) = session
        && ended_sessions::contains(db, session)?
    {
        return Ok(on_platform(&UserFacts::default()));
    }
    match organisation {
        None => Ok(on_platform(&facts(db, user)?)),
        Some(id) => within(db, user, id),
    }
}

/// The same, with the latest change that it takes into account: asked for first, since each statement sees more.
pub fn as_of_now(
    db: &mut Db,
    user: UserId,
    session: Option<SessionId>,
    organisation: Option<OrganisationId>,
) -> QueryResult<AsOf<Snapshot>> {
    let number = access_changes::head(db)?;
    Ok(AsOf { number, value: snapshot(db, user, session, organisation)? })
}

/// What the user may do in an organisation.
pub fn within(db: &mut Db, user: UserId, organisation: OrganisationId) -> QueryResult<Snapshot> {
    let (facts, is_member) = (facts(db, user)?, members::contains(db, organisation, user)?);
    Ok(in_organisation(&facts, organisations::find_standing(db, organisation)?, is_member))
}

/// The organisations that the user has a relation to, each with what the user may do there.
pub fn related(db: &mut Db, user: UserId, facts: &UserFacts) -> QueryResult<Vec<(OrganisationRow, Snapshot)>> {
    let rows = match &facts.assignment {
        Some(assignment) => organisations::look_up(db, &[assignment.organisation_id])?,
        None => organisations::joined(db, user)?,
    };
    let with_snapshot = |row: OrganisationRow| {
        let snapshot = in_organisation(facts, Some(row.standing()), facts.assignment.is_none());
        (row, snapshot)
    };
    let mut related: Vec<_> = rows.into_iter().map(with_snapshot).collect();
    related.retain(|(_, snapshot)| snapshot.relation != Relation::None);
    Ok(related)
}

/// The organisations that the user can access.
pub fn visible(user: UserId, facts: &UserFacts) -> Visible {
    let platform = on_platform(facts);
    match facts.assignment {
        _ if platform.is_superadmin => Visible::Every,
        _ if !platform.user_is_active => Visible::Nothing,
        Some(assignment) => Visible::Own(assignment.organisation_id),
        None => Visible::Joined(user),
    }
}
