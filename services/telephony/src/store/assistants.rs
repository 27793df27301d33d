//! Assistants: rows and queries.

use crate::domain::ids::AssistantId;
use crate::domain::script::Script;
use crate::store::schema::assistants;
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = assistants)]
pub struct AssistantRow {
    pub id: Sql<AssistantId>,
    pub organisation_id: Sql<OrganisationId>,
    pub name: String,
    pub script: Json<Script>,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

pub fn insert(db: &mut Db, row: &AssistantRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(assistants::table).values(row).execute(c)).map(|_| ())
}

pub fn find(db: &mut Db, scope: &OrgScope, id: AssistantId) -> QueryResult<Option<AssistantRow>> {
    on!(db, |c| assistants::table
        .filter(assistants::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(assistants::id.eq(Sql(id)))
        .select(AssistantRow::as_select())
        .first(c)
        .optional())
}

/// The assistant, locked until the transaction ends.
pub fn lock(db: &mut Db, scope: &OrgScope, id: AssistantId) -> QueryResult<Option<AssistantRow>> {
    let assistant = assistants::table
        .filter(assistants::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(assistants::id.eq(Sql(id)));
    match db {
        Db::Postgres(c) => assistant.select(AssistantRow::as_select()).for_update().first(c).optional(),
        Db::Sqlite(c) => assistant.select(AssistantRow::as_select()).first(c).optional(),
    }
}

/// A page, newest first.
pub fn page(db: &mut Db, scope: &OrgScope, page: &Page<AssistantId>) -> QueryResult<Vec<AssistantRow>> {
    on!(db, |c| {
        let mut query = assistants::table
            .filter(assistants::organisation_id.eq(Sql(scope.organisation_id())))
            .order(assistants::id.desc())
            .limit(page.limit())
            .select(AssistantRow::as_select())
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(assistants::id.lt(Sql(after)));
        }
        query.load(c)
    })
}

/// Writes name and script; answers whether the assistant is still there.
pub fn save(db: &mut Db, scope: &OrgScope, row: &AssistantRow) -> QueryResult<bool> {
    on!(db, |c| diesel::update(
        assistants::table
            .filter(assistants::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(assistants::id.eq(row.id))
    )
    .set((
        assistants::name.eq(&row.name),
        assistants::script.eq(&row.script),
        assistants::updated_at.eq(row.updated_at),
    ))
    .execute(c))
    .map(|rows| rows == 1)
}

pub fn delete(db: &mut Db, scope: &OrgScope, id: AssistantId) -> QueryResult<bool> {
    on!(db, |c| diesel::delete(
        assistants::table
            .filter(assistants::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(assistants::id.eq(Sql(id)))
    )
    .execute(c))
    .map(|rows| rows == 1)
}
