//! Organisations.

use super::schema::organisations;
use crate::domain::access::Organisation;
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::{Db, Sql, on};
use diesel::prelude::*;

/// Organisations are listed by this many characters of their folded name, then by id: a page's token holds them.
const SORT_LENGTH: usize = 100;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub struct OrganisationRow {
    pub id: Sql<OrganisationId>,
    pub name: String,
    pub sort_name: String,
    pub description: String,
    pub address: String,
    pub city: String,
    pub state: String,
    pub country: String,
    pub pincode: String,
    pub is_active: bool,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

/// `None` leaves a field as it is.
#[derive(Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = organisations)]
pub struct OrganisationPatch {
    pub name: Option<String>,
    pub description: Option<String>,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
    pub pincode: Option<String>,
    pub is_active: Option<bool>,
}

/// The key of a list's row.
pub type PageKey = (String, OrganisationId);

/// The organisations that a list may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    Every,
    Only(Vec<OrganisationId>),
}

/// What the list's order takes of a name.
pub fn sort_name(name: &str) -> String {
    db::fold(name).chars().take(SORT_LENGTH).collect()
}

impl OrganisationRow {
    pub fn page_key(&self) -> PageKey {
        (self.sort_name.clone(), self.id.0)
    }

    /// As the rules see it.
    pub fn standing(&self) -> Organisation {
        Organisation { id: self.id.0, is_active: self.is_active }
    }
}

pub fn insert(db: &mut Db, row: &OrganisationRow) -> QueryResult<()> {
    let folded = organisations::folded_name.eq(db::fold(&row.name));
    on!(db, |c| diesel::insert_into(organisations::table).values((row, folded)).execute(c))?;
    Ok(())
}

pub fn find(db: &mut Db, scope: &OrgScope) -> QueryResult<Option<OrganisationRow>> {
    on!(db, |c| organisations::table
        .find(Sql(scope.organisation_id()))
        .select(OrganisationRow::as_select())
        .first(c)
        .optional())
}

pub fn update(db: &mut Db, scope: &OrgScope, patch: &OrganisationPatch, now: Timestamp) -> QueryResult<()> {
    let folded = patch.name.as_deref().map(|name| organisations::folded_name.eq(db::fold(name)));
    let sorted = patch.name.as_deref().map(|name| organisations::sort_name.eq(sort_name(name)));
    on!(db, |c| diesel::update(organisations::table.find(Sql(scope.organisation_id())))
        .set((patch, folded, sorted, organisations::updated_at.eq(Sql(now))))
        .execute(c))?;
    Ok(())
}

/// A page of the visible ones whose names contain `search`.
pub fn page(db: &mut Db, visible: &Visible, search: &str, page: &Page<PageKey>) -> QueryResult<Vec<OrganisationRow>> {
    on!(db, |c| {
        let mut query = organisations::table.select(OrganisationRow::as_select()).into_boxed();
        if let Visible::Only(ids) = visible {
            query = query.filter(organisations::id.eq_any(ids.iter().copied().map(Sql)));
        }
        if !search.is_empty() {
            query = query.filter(organisations::folded_name.like(db::contains(&db::fold(search))).escape('\\'));
        }
        if let Some((name, id)) = &page.after {
            let after = organisations::sort_name
                .gt(name)
                .or(organisations::sort_name.eq(name).and(organisations::id.gt(Sql(*id))));
            query = query.filter(after);
        }
        query.order((organisations::sort_name, organisations::id)).limit(page.limit()).load(c)
    })
}

/// Any organisations, by their ids: for the platform itself.
pub fn look_up(db: &mut Db, ids: &[OrganisationId]) -> QueryResult<Vec<OrganisationRow>> {
    on!(db, |c| organisations::table
        .filter(organisations::id.eq_any(ids.iter().copied().map(Sql)))
        .select(OrganisationRow::as_select())
        .load(c))
}

/// How any organisation stands: for the rules.
pub fn standing(db: &mut Db, id: OrganisationId) -> QueryResult<Option<Organisation>> {
    let is_active: Option<bool> =
        on!(db, |c| organisations::table.find(Sql(id)).select(organisations::is_active).first(c).optional())?;
    Ok(is_active.map(|is_active| Organisation { id, is_active }))
}
