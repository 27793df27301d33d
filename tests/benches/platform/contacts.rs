//! People who do not exist, as a file has them and as a table has them.

use callfairy_core::{Id, OrganisationId, Timestamp};
use db::{Json, Sql};
use diesel::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use db::sql::{Jsonb, UtcTime, Uuid};

    contacts (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        sort_name -> Text,
        search -> Text,
        phone_number -> Text,
        email -> Nullable<Text>,
        tags -> Jsonb,
        metadata -> Jsonb,
        import_id -> Nullable<Uuid>,
        created_at -> UtcTime,
        updated_at -> UtcTime,
    }
}

#[derive(Debug)]
pub enum Contact {}
pub type ContactId = Id<Contact>;

/// The columns that telephony keeps; as JSON, those that it shows.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub struct ContactRow {
    pub id: Sql<ContactId>,
    #[serde(skip)]
    pub organisation_id: Sql<OrganisationId>,
    pub name: String,
    #[serde(skip)]
    pub sort_name: String,
    #[serde(skip)]
    pub search: String,
    pub phone_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub tags: Json<Vec<String>>,
    pub metadata: Json<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<Sql<Id<()>>>,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

/// The numbers are all different, in no order that an index would like, and none ends in two digits that the simulator
/// takes for a sign. Nobody is dialed.
pub fn phone_number(n: usize) -> String {
    const COUNT: usize = 70 * 10_000;
    let n = n * 370_373 % COUNT;
    format!("+1212{:05}{:02}", 20_000 + n / 70, 30 + n % 70)
}

fn name(n: usize) -> String {
    const GIVEN: [&str; 8] = ["Amelie", "Bjorn", "Camille", "Daniel", "Elena", "Fatima", "George", "Hannah"];
    const FAMILY: [&str; 9] =
        ["Andersson", "Brown", "Castaneda", "Dvorak", "Eriksson", "Fischer", "Garcia", "Hernandez", "Iyer"];
    format!("{} {} {n}", GIVEN[n % GIVEN.len()], FAMILY[n % FAMILY.len()])
}

const COMPANY: &str = "Blue Harbour Travel";
const CITY: &str = "New York";

/// What is uploaded.
pub fn file(count: usize) -> String {
    let mut csv = String::from("Full Name,Phone No.,E-Mail,Company,City\n");
    for n in 0..count {
        let _ = writeln!(csv, "{},{},person{n}@example.com,{COMPANY},{CITY}", name(n), phone_number(n));
    }
    csv
}

/// What becomes of it.
pub fn rows(count: usize, organisation: OrganisationId, now: Timestamp) -> Vec<ContactRow> {
    let import = Id::new();
    let metadata = [("Company", COMPANY), ("City", CITY)].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let metadata = BTreeMap::from(metadata);
    let row = |n| {
        let (name, phone_number, email) = (name(n), phone_number(n), format!("person{n}@example.com"));
        ContactRow {
            id: Sql(Id::new()),
            organisation_id: Sql(organisation),
            sort_name: db::fold(&name),
            search: db::fold(&format!("{name}\n{phone_number}\n{email}")),
            name,
            phone_number,
            email: Some(email),
            tags: Json(vec![]),
            metadata: Json(metadata.clone()),
            import_id: Some(Sql(import)),
            created_at: Sql(now),
            updated_at: Sql(now),
        }
    };
    (0..count).map(row).collect()
}

/// The rows as PostgreSQL's COPY reads them. Nothing in them needs escaping but the line breaks.
pub fn copied(rows: &[ContactRow]) -> serde_json::Result<String> {
    let mut text = String::new();
    for row in rows {
        let search = row.search.replace('\n', "\\n");
        let (tags, metadata) = (serde_json::to_string(&row.tags)?, serde_json::to_string(&row.metadata)?);
        let email = row.email.as_deref().unwrap_or("\\N");
        let import = row.import_id.map_or("\\N".to_owned(), |id| id.to_string());
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{search}\t{}\t{email}\t{tags}\t{metadata}\t{import}\t{}\t{}",
            row.id, row.organisation_id, row.name, row.sort_name, row.phone_number, row.created_at, row.updated_at
        );
    }
    Ok(text)
}
