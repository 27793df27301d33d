//! Contacts: rows and queries. Many at once are put in by `contact_batch`.

use crate::domain::campaign::Selection;
use crate::domain::contact::Details;
use crate::domain::ids::{ContactId, ImportId};
use crate::store::schema::{contact_tags, contacts};
use access::OrgScope;
use callfairy_core::{Id, OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};
use std::collections::BTreeMap;

/// Ids in one query: fewer than the values that SQLite takes.
const IDS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub struct ContactRow {
    pub id: Sql<ContactId>,
    pub organisation_id: Sql<OrganisationId>,
    pub name: String,
    pub sort_name: String,
    pub search: String,
    pub phone_number: String,
    pub email: Option<String>,
    pub tags: Json<Vec<String>>,
    pub metadata: Json<BTreeMap<String, String>>,
    pub import_id: Option<Sql<ImportId>>,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = contact_tags, treat_none_as_default_value = false)]
pub struct ContactTagRow {
    pub organisation_id: Sql<OrganisationId>,
    pub tag: String,
    pub contact_id: Sql<ContactId>,
}

impl ContactRow {
    pub fn new(scope: &OrgScope, id: ContactId, details: Details, import: Option<ImportId>, now: Timestamp) -> Self {
        Self {
            id: Sql(id),
            organisation_id: Sql(scope.organisation_id()),
            sort_name: details.sort_name(),
            search: details.search(),
            name: details.name,
            phone_number: details.phone_number,
            email: details.email,
            tags: Json(details.tags),
            metadata: Json(details.metadata),
            import_id: import.map(Sql),
            created_at: Sql(now),
            updated_at: Sql(now),
        }
    }

    /// Takes over what `newer` has.
    pub fn update(&mut self, scope: &OrgScope, newer: Details, now: Timestamp) {
        let mut details = Details {
            name: std::mem::take(&mut self.name),
            phone_number: std::mem::take(&mut self.phone_number),
            email: self.email.take(),
            tags: std::mem::take(&mut self.tags.0),
            metadata: std::mem::take(&mut self.metadata.0),
        };
        details.update(newer);
        let row = Self::new(scope, self.id.0, details, self.import_id.map(|id| id.0), now);
        *self = Self { created_at: self.created_at, ..row };
    }

    /// The rows by which the contact `id`, as it is here, is found by tag.
    pub fn tag_rows(&self, id: ContactId) -> impl Iterator<Item = ContactTagRow> + '_ {
        let organisation_id = self.organisation_id;
        self.tags.0.iter().map(move |tag| ContactTagRow { organisation_id, tag: tag.clone(), contact_id: Sql(id) })
    }
}

/// A unique violation when the organisation has the number already.
pub fn insert(db: &mut Db, row: &ContactRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(contacts::table).values(row).execute(c))?;
    let tags: Vec<_> = row.tag_rows(row.id.0).collect();
    on!(db, |c| diesel::insert_into(contact_tags::table).values(&tags).execute(c)).map(|_| ())
}

pub fn find(db: &mut Db, scope: &OrgScope, id: ContactId) -> QueryResult<Option<ContactRow>> {
    on!(db, |c| contacts::table
        .filter(contacts::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(contacts::id.eq(Sql(id)))
        .select(ContactRow::as_select())
        .first(c)
        .optional())
}

/// Which contacts a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// As `domain::contact::search_for` gives it.
    pub search: Option<String>,
    pub tag: Option<String>,
}

/// How a list is ordered, with the page of that order.
#[derive(Debug, Clone)]
pub enum Order {
    Newest(Page<ContactId>),
    Name(Page<(String, ContactId)>),
}

pub fn page(db: &mut Db, scope: &OrgScope, filter: &Filter, order: &Order) -> QueryResult<Vec<ContactRow>> {
    let organisation = Sql(scope.organisation_id());
    on!(db, |c| {
        let mut query = contacts::table
            .filter(contacts::organisation_id.eq(organisation))
            .select(ContactRow::as_select())
            .into_boxed();
        if let Some(search) = &filter.search {
            query = query.filter(contacts::search.like(db::contains(search)).escape('\\'));
        }
        if let Some(tag) = &filter.tag {
            let tagged = contact_tags::table
                .filter(contact_tags::organisation_id.eq(organisation))
                .filter(contact_tags::tag.eq(tag))
                .select(contact_tags::contact_id);
            query = query.filter(contacts::id.eq_any(tagged));
        }
        query = match order {
            Order::Newest(page) => {
                if let Some(after) = page.after {
                    query = query.filter(contacts::id.lt(Sql(after)));
                }
                query.order(contacts::id.desc()).limit(page.limit())
            }
            Order::Name(page) => {
                if let Some((name, id)) = &page.after {
                    let later = contacts::sort_name.eq(name).and(contacts::id.gt(Sql(*id)));
                    // The first condition lets the index be entered at the right place.
                    query = query.filter(contacts::sort_name.ge(name)).filter(contacts::sort_name.gt(name).or(later));
                }
                query.order((contacts::sort_name, contacts::id)).limit(page.limit())
            }
        };
        query.load(c)
    })
}

/// What a campaign calls.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Callee {
    pub id: ContactId,
    pub name: String,
    pub phone_number: String,
    #[diesel(deserialize_as = Json<BTreeMap<String, String>>)]
    pub metadata: BTreeMap<String, String>,
}

/// The next `limit` contacts of the selection behind `after`, in the order of their ids. Fewer only at the end.
pub fn chunk(
    db: &mut Db,
    scope: &OrgScope,
    selection: &Selection,
    after: Option<ContactId>,
    limit: i64,
) -> QueryResult<Vec<Callee>> {
    let organisation = Sql(scope.organisation_id());
    let after = Sql(after.unwrap_or(Id::from_uuid(uuid::Uuid::nil())));
    let callee = (contacts::id, contacts::name, contacts::phone_number, contacts::metadata);
    match selection {
        Selection::Ids(ids) => by_ids(db, scope, ids, after.0, limit),
        Selection::Tag(tag) => on!(db, |c| contact_tags::table
            .inner_join(contacts::table.on(contacts::id.eq(contact_tags::contact_id)))
            .filter(contact_tags::organisation_id.eq(organisation))
            .filter(contact_tags::tag.eq(tag))
            .filter(contact_tags::contact_id.gt(after))
            .order(contact_tags::contact_id)
            .limit(limit)
            .select(callee)
            .load(c)),
        Selection::All => on!(db, |c| contacts::table
            .filter(contacts::organisation_id.eq(organisation))
            .filter(contacts::id.gt(after))
            .order(contacts::id)
            .limit(limit)
            .select(callee)
            .load(c)),
    }
}

/// Of sorted ids, of which some may be nobody's.
fn by_ids(db: &mut Db, scope: &OrgScope, ids: &[String], after: ContactId, limit: i64) -> QueryResult<Vec<Callee>> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let ids: Vec<Sql<ContactId>> =
        ids.iter().filter_map(|id| id.parse().ok()).filter(|id| *id > after).map(Sql).collect();
    let mut found: Vec<Callee> = vec![];
    for ids in ids.chunks(IDS) {
        if found.len() >= limit {
            break;
        }
        found.extend(on!(db, |c| contacts::table
            .filter(contacts::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(contacts::id.eq_any(ids))
            .order(contacts::id)
            .select((contacts::id, contacts::name, contacts::phone_number, contacts::metadata))
            .load::<Callee>(c))?);
    }
    found.truncate(limit);
    Ok(found)
}

#[cfg(test)]
#[path = "contacts_tests.rs"]
mod tests;
