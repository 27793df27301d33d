//! Organisations.

use super::schema::{members, organisations};
use crate::domain::access::Organisation;
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp, UserId};
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

impl OrganisationPatch {
    /// The names of those that it sets.
    pub fn fields(&self) -> Vec<&'static str> {
        let Self { name, description, address, city, state, country, pincode, is_active } = self;
        let fields = [
            ("name", name.is_some()),
            ("description", description.is_some()),
            ("address", address.is_some()),
            ("city", city.is_some()),
            ("state", state.is_some()),
            ("country", country.is_some()),
            ("pincode", pincode.is_some()),
            ("is_active", is_active.is_some()),
        ];
        fields.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
    }
}

/// The key of a list's row.
pub type PageKey = (String, OrganisationId);

/// The organisations that a list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    Every,
    Nothing,
    /// The one, if it is active.
    Own(OrganisationId),
    /// The active ones that the user is a member of.
    Joined(UserId),
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

/// What [`deactivate`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deactivated {
    Now,
    /// It was inactive.
    Before,
    Unknown,
}

/// Any organisation, by its id: for the platform itself.
pub fn deactivate(db: &mut Db, id: OrganisationId, now: Timestamp) -> QueryResult<Deactivated> {
    let active = organisations::table.find(Sql(id)).filter(organisations::is_active);
    let inactive = (organisations::is_active.eq(false), organisations::updated_at.eq(Sql(now)));
    if on!(db, |c| diesel::update(active).set(inactive).execute(c))? == 1 {
        return Ok(Deactivated::Now);
    }
    Ok(find_standing(db, id)?.map_or(Deactivated::Unknown, |_| Deactivated::Before))
}

/// A page of the visible ones whose names contain `search`.
pub fn page(db: &mut Db, visible: Visible, search: &str, page: &Page<PageKey>) -> QueryResult<Vec<OrganisationRow>> {
    on!(db, |c| {
        let mut query = organisations::table.select(OrganisationRow::as_select()).into_boxed();
        match visible {
            Visible::Every => {}
            Visible::Nothing => return Ok(vec![]),
            Visible::Own(id) => query = query.filter(organisations::is_active).filter(organisations::id.eq(Sql(id))),
            Visible::Joined(user) => {
                query = query.filter(organisations::is_active).filter(organisations::id.eq_any(joined_by(user)));
            }
        }
        if !search.is_empty() {
            query = query.filter(organisations::folded_name.like(db::contains(&db::fold(search))).escape('\\'));
        }
        if let Some((name, id)) = &page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(organisations::sort_name.ge(name));
            query = query.filter(organisations::sort_name.gt(name).or(organisations::id.gt(Sql(*id))));
        }
        query.order((organisations::sort_name, organisations::id)).limit(page.limit()).load(c)
    })
}

#[diesel::dsl::auto_type(no_type_alias)]
fn joined_by(user: UserId) -> _ {
    let user: Sql<UserId> = Sql(user);
    members::table.filter(members::user_id.eq(user)).select(members::organisation_id)
}

/// All that the user is a member of, by name.
pub fn joined(db: &mut Db, user: UserId) -> QueryResult<Vec<OrganisationRow>> {
    on!(db, |c| organisations::table
        .filter(organisations::id.eq_any(joined_by(user)))
        .order((organisations::sort_name, organisations::id))
        .select(OrganisationRow::as_select())
        .load(c))
}

/// Any organisations, by their ids: for the platform itself.
pub fn look_up(db: &mut Db, ids: &[OrganisationId]) -> QueryResult<Vec<OrganisationRow>> {
    on!(db, |c| organisations::table
        .filter(organisations::id.eq_any(ids.iter().copied().map(Sql)))
        .select(OrganisationRow::as_select())
        .load(c))
}

/// How any organisation stands: for the rules.
pub fn find_standing(db: &mut Db, id: OrganisationId) -> QueryResult<Option<Organisation>> {
    let is_active: Option<bool> =
        on!(db, |c| organisations::table.find(Sql(id)).select(organisations::is_active).first(c).optional())?;
    Ok(is_active.map(|is_active| Organisation { id, is_active }))
}
