//! Assignments, past and present.

use super::schema::assignments;
use access::PermissionSet;
use callfairy_core::{Id, OrganisationId, Page, Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;

/// Names the ids of assignments.
#[derive(Debug)]
pub enum Assignment {}
pub type AssignmentId = Id<Assignment>;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = assignments)]
pub struct AssignmentRow {
    pub id: Sql<AssignmentId>,
    pub user_id: Sql<UserId>,
    pub organisation_id: Sql<OrganisationId>,
    /// The bits of a [`PermissionSet`].
    pub permissions: i64,
    pub assigned_at: Sql<Timestamp>,
    pub assigned_by: Sql<UserId>,
    pub revoked_at: Option<Sql<Timestamp>>,
    pub revoked_by: Option<Sql<UserId>>,
    /// Grows with each change.
    pub version: i64,
}

/// The key of a list's row.
pub type PageKey = (Timestamp, AssignmentId);

/// Which assignments a list holds.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// The active ones, or else those that have ended.
    pub active: bool,
    pub user: Option<UserId>,
    pub organisation: Option<OrganisationId>,
}

impl AssignmentRow {
    pub fn is_active(&self) -> bool {
        self.revoked_at.is_none()
    }

    pub fn permission_set(&self) -> PermissionSet {
        PermissionSet::from_bits(self.permissions.cast_unsigned())
    }

    pub fn page_key(&self) -> PageKey {
        (self.assigned_at.0, self.id.0)
    }
}

pub fn insert(db: &mut Db, row: &AssignmentRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(assignments::table).values(row).execute(c))?;
    Ok(())
}

pub fn find(db: &mut Db, id: AssignmentId) -> QueryResult<Option<AssignmentRow>> {
    on!(db, |c| assignments::table.find(Sql(id)).select(AssignmentRow::as_select()).first(c).optional())
}

/// As [`find`], and nobody else changes it until the end of the transaction.
pub fn lock(db: &mut Db, id: AssignmentId) -> QueryResult<Option<AssignmentRow>> {
    let row = assignments::table.find(Sql(id));
    match db {
        Db::Postgres(c) => row.select(AssignmentRow::as_select()).for_update().first(c).optional(),
        // A transaction that writes is alone.
        Db::Sqlite(c) => row.select(AssignmentRow::as_select()).first(c).optional(),
    }
}

/// Revokes what is active of the user or of the organisation: at most one of each. Answers what that was.
pub fn revoke_active(
    db: &mut Db,
    user: UserId,
    organisation: OrganisationId,
    by: UserId,
    now: Timestamp,
) -> QueryResult<Vec<AssignmentRow>> {
    let active = assignments::table
        .filter(assignments::revoked_at.is_null())
        .filter(assignments::user_id.eq(Sql(user)).or(assignments::organisation_id.eq(Sql(organisation))));
    on!(db, |c| diesel::update(active)
        .set((
            assignments::revoked_at.eq(Some(Sql(now))),
            assignments::revoked_by.eq(Some(Sql(by))),
            assignments::version.eq(assignments::version + 1),
        ))
        .returning(AssignmentRow::as_returning())
        .get_results(c))
}

/// The active assignments of the user and of the organisation, where they are given: at most one of each.
pub fn active_of(
    db: &mut Db,
    user: Option<UserId>,
    organisation: Option<OrganisationId>,
) -> QueryResult<Vec<AssignmentRow>> {
    let of_user = assignments::user_id.nullable().eq(user.map(Sql));
    let of_organisation = assignments::organisation_id.nullable().eq(organisation.map(Sql));
    on!(db, |c| assignments::table
        .filter(assignments::revoked_at.is_null())
        .filter(of_user.or(of_organisation))
        .select(AssignmentRow::as_select())
        .load(c))
}

/// Revokes an active assignment. Without `by`: since its user or its organisation was deactivated.
pub fn revoke(db: &mut Db, id: AssignmentId, by: Option<UserId>, now: Timestamp) -> QueryResult<AssignmentRow> {
    on!(db, |c| diesel::update(assignments::table.find(Sql(id)))
        .set((
            assignments::revoked_at.eq(Some(Sql(now))),
            assignments::revoked_by.eq(by.map(Sql)),
            assignments::version.eq(assignments::version + 1),
        ))
        .returning(AssignmentRow::as_returning())
        .get_result(c))
}

pub fn set_permissions(db: &mut Db, id: AssignmentId, set: PermissionSet) -> QueryResult<AssignmentRow> {
    on!(db, |c| diesel::update(assignments::table.find(Sql(id)))
        .set(
            (assignments::permissions.eq(set.bits().cast_signed()), assignments::version.eq(assignments::version + 1),)
        )
        .returning(AssignmentRow::as_returning())
        .get_result(c))
}

/// A page, the newest first.
pub fn page(db: &mut Db, filter: Filter, page: &Page<PageKey>) -> QueryResult<Vec<AssignmentRow>> {
    on!(db, |c| {
        let mut query = assignments::table.select(AssignmentRow::as_select()).into_boxed();
        query = if filter.active {
            query.filter(assignments::revoked_at.is_null())
        } else {
            query.filter(assignments::revoked_at.is_not_null())
        };
        if let Some(user) = filter.user {
            query = query.filter(assignments::user_id.eq(Sql(user)));
        }
        if let Some(organisation) = filter.organisation {
            query = query.filter(assignments::organisation_id.eq(Sql(organisation)));
        }
        if let Some((at, id)) = page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(assignments::assigned_at.le(Sql(at)));
            query = query.filter(assignments::assigned_at.lt(Sql(at)).or(assignments::id.lt(Sql(id))));
        }
        query.order((assignments::assigned_at.desc(), assignments::id.desc())).limit(page.limit()).load(c)
    })
}
