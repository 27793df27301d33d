//! A small service's store, as the tests need one.

use callfairy_core::{Id, OrganisationId, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, on};
use diesel::upsert::excluded;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{Jsonb, UtcTime, Uuid};

    organisations (id) {
        id -> Uuid,
        name -> Text,
        status -> Text,
        settings -> Jsonb,
        created_at -> UtcTime,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use db::sql::{UtcTime, Uuid};

    contacts (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        parent_id -> Nullable<Uuid>,
        name -> Text,
        phone -> Text,
        email -> Nullable<Text>,
        score -> Integer,
        called_at -> Nullable<UtcTime>,
    }
}

diesel::joinable!(contacts -> organisations (organisation_id));
diesel::allow_tables_to_appear_in_same_query!(organisations, contacts);

db::text_enum!(
    pub enum Status {
        Trial = "trial",
        Active = "active",
        Closed = "closed",
    }
);

#[derive(Debug)]
pub enum ContactMark {}
pub type ContactId = Id<ContactMark>;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    pub locale: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable)]
#[diesel(table_name = organisations, treat_none_as_default_value = false)]
pub struct Organisation {
    pub id: Sql<OrganisationId>,
    pub name: String,
    pub status: Status,
    pub settings: Json<Settings>,
    pub created_at: Sql<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable, Associations)]
#[diesel(table_name = contacts, treat_none_as_default_value = false, belongs_to(Organisation))]
pub struct Contact {
    pub id: Sql<ContactId>,
    pub organisation_id: Sql<OrganisationId>,
    pub parent_id: Option<Sql<ContactId>>,
    pub name: String,
    pub phone: String,
    pub email: Option<String>,
    pub score: i32,
    pub called_at: Option<Sql<Timestamp>>,
}

/// `None` leaves a column as it is; `Some(None)` sets it to NULL.
#[allow(clippy::option_option)]
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = contacts)]
pub struct ContactPatch {
    pub name: Option<String>,
    pub parent_id: Option<Option<Sql<ContactId>>>,
    pub called_at: Option<Option<Sql<Timestamp>>>,
}

/// A row that is only read has its ids and times bare.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = contacts)]
pub struct Seen {
    pub id: ContactId,
    pub parent_id: Option<ContactId>,
    pub called_at: Option<Timestamp>,
}

#[allow(dead_code)]
#[derive(Debug)]
pub enum Failure {
    Db(db::Error),
    Refused,
}
impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}
impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

pub fn organisation(name: &str) -> Organisation {
    Organisation {
        id: Sql(OrganisationId::new()),
        name: name.to_owned(),
        status: Status::Active,
        settings: Json(Settings { locale: "nb-NO".to_owned() }),
        created_at: Sql(Timestamp::from_micros(1_767_225_600_123_456).unwrap()),
    }
}

pub fn contact(organisation: Sql<OrganisationId>, n: usize) -> Contact {
    Contact {
        id: Sql(ContactId::new()),
        organisation_id: organisation,
        parent_id: None,
        name: format!("Ann Lee {n}"),
        phone: format!("+1415{n:07}"),
        email: None,
        score: 0,
        called_at: None,
    }
}

pub fn create_organisation(db: &mut Db, row: &Organisation) -> QueryResult<Organisation> {
    on!(db, |c| diesel::insert_into(organisations::table)
        .values(row)
        .returning(Organisation::as_returning())
        .get_result(c))
}

pub fn insert(db: &mut Db, rows: &[Contact]) -> QueryResult<usize> {
    on!(db, |c| diesel::insert_into(contacts::table).values(rows).execute(c))
}

pub fn insert_new(db: &mut Db, rows: &[Contact]) -> QueryResult<Vec<ContactId>> {
    on!(db, |c| diesel::insert_into(contacts::table)
        .values(rows)
        .on_conflict((contacts::organisation_id, contacts::phone))
        .do_nothing()
        .returning(contacts::id)
        .get_results(c))
}

pub fn upsert(db: &mut Db, row: &Contact) -> QueryResult<Contact> {
    on!(db, |c| diesel::insert_into(contacts::table)
        .values(row)
        .on_conflict((contacts::organisation_id, contacts::phone))
        .do_update()
        .set((contacts::name.eq(excluded(contacts::name)), contacts::score.eq(contacts::score + 1)))
        .returning(Contact::as_returning())
        .get_result(c))
}

pub fn find(db: &mut Db, id: ContactId) -> QueryResult<Option<Contact>> {
    on!(db, |c| contacts::table.find(Sql(id)).select(Contact::as_select()).first(c).optional())
}

pub fn count(db: &mut Db) -> QueryResult<i64> {
    on!(db, |c| contacts::table.count().get_result(c))
}

/// Read, then write: what loses updates when transactions are not isolated.
pub fn raise_score(db: &mut Db, id: ContactId) -> QueryResult<i32> {
    let score: i32 = match db {
        Db::Postgres(c) => contacts::table.find(Sql(id)).select(contacts::score).for_update().first(c)?,
        Db::Sqlite(c) => contacts::table.find(Sql(id)).select(contacts::score).first(c)?,
    };
    on!(db, |c| diesel::update(contacts::table.find(Sql(id))).set(contacts::score.eq(score + 1)).execute(c))?;
    Ok(score + 1)
}
