//! What agent reported of assignments.
//!
//! Reports may come late, one before another. Assigning somebody revokes what they and the organisation had before; so
//! of two assignments that both read as active, for one user or for one organisation, only the newer one counts: the
//! report that ends the older one is still on its way. Ids are ordered by time.

use super::schema::{accounts, assignments};
use crate::domain::access::Assignment;
use access::PermissionSet;
use callfairy_core::{Id, OrganisationId, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::collections::HashMap;

/// Names the ids of assignments, which agent gives.
#[derive(Debug)]
pub enum AssignmentMark {}
pub type AssignmentId = Id<AssignmentMark>;

#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = assignments, primary_key(assignment_id))]
pub struct AssignmentRow {
    pub assignment_id: Sql<AssignmentId>,
    pub version: i64,
    pub user_id: Sql<UserId>,
    pub organisation_id: Sql<OrganisationId>,
    pub is_active: bool,
    /// The bits of a [`PermissionSet`].
    pub permissions: i64,
}

/// An organisation's agent, for showing. Name and address are empty until auth has reported the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub user_id: UserId,
    pub name: String,
    pub email: String,
}

/// Keeps the report, unless one of the same version or a later one was there before.
pub fn report(db: &mut Db, row: &AssignmentRow) -> QueryResult<()> {
    // The trait of ON CONFLICT … DO UPDATE … WHERE; it would be in the way of `QueryDsl` elsewhere.
    use diesel::query_dsl::methods::FilterDsl;

    on!(db, |c| diesel::insert_into(assignments::table)
        .values(row)
        .on_conflict(assignments::assignment_id)
        .do_update()
        .set(row)
        .filter(assignments::version.lt(row.version))
        .execute(c))?;
    Ok(())
}

diesel::alias!(const NEWER: Alias<Newer> = assignments as newer);

/// The assignments that count: active, and no newer active one of the same user or organisation.
#[diesel::dsl::auto_type]
fn counting() -> _ {
    let same = NEWER
        .field(assignments::user_id)
        .eq(assignments::user_id)
        .or(NEWER.field(assignments::organisation_id).eq(assignments::organisation_id));
    let newer = NEWER
        .filter(NEWER.field(assignments::is_active))
        .filter(NEWER.field(assignments::assignment_id).gt(assignments::assignment_id))
        .filter(same);
    assignments::table.filter(assignments::is_active).filter(diesel::dsl::not(diesel::dsl::exists(newer)))
}

/// The assignments of those of the users who are agents.
pub fn of_users(db: &mut Db, users: &[UserId]) -> QueryResult<HashMap<UserId, Assignment>> {
    let rows: Vec<(UserId, OrganisationId, i64)> = on!(db, |c| counting()
        .filter(assignments::user_id.eq_any(users.iter().copied().map(Sql)))
        .select((assignments::user_id, assignments::organisation_id, assignments::permissions))
        .load(c))?;
    let assignment = |(user, organisation_id, bits): (UserId, OrganisationId, i64)| {
        (user, Assignment { organisation_id, permissions: PermissionSet::from_bits(bits.cast_unsigned()) })
    };
    Ok(rows.into_iter().map(assignment).collect())
}

/// The agents of the organisations that have one.
pub fn agents_of(db: &mut Db, organisations: &[OrganisationId]) -> QueryResult<HashMap<OrganisationId, Agent>> {
    type Row = (OrganisationId, UserId, Option<(String, String)>);
    let rows: Vec<Row> = on!(db, |c| counting()
        .left_join(accounts::table.on(accounts::user_id.eq(assignments::user_id)))
        .filter(assignments::organisation_id.eq_any(organisations.iter().copied().map(Sql)))
        .select((assignments::organisation_id, assignments::user_id, (accounts::name, accounts::email).nullable(),))
        .load(c))?;
    let agent = |(organisation, user_id, account): Row| {
        let (name, email) = account.unwrap_or_default();
        (organisation, Agent { user_id, name, email })
    };
    Ok(rows.into_iter().map(agent).collect())
}
