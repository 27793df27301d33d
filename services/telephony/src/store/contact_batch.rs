//! Many contacts at once, from a file. What becomes of them does not depend on how the file is cut into batches.

use crate::domain::contact::Details;
use crate::domain::ids::{ContactId, ImportId};
use crate::domain::import::OnDuplicate;
use crate::store::contacts::{ContactRow, ContactTagRow};
use crate::store::schema::{contact_tags, contacts};
use access::OrgScope;
use callfairy_core::{Id, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on};
use diesel::upsert::excluded;
use std::collections::{HashMap, HashSet};

/// Rows in one statement: twelve values each must stay under SQLite's 32,766.
const ROWS: usize = 1_000;

/// What became of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub imported: usize,
    pub updated: usize,
    pub duplicate: usize,
}

/// Puts the contacts in, in their order: later ones with a number that is there already are left out, or update.
pub fn put(
    db: &mut Db,
    scope: &OrgScope,
    import: ImportId,
    on_duplicate: OnDuplicate,
    contacts: &[Details],
    now: Timestamp,
) -> QueryResult<Counts> {
    // Ids are in the file's order; locks are taken in the order of numbers, so that two imports do not wait for each
    // other. The sort is stable: the first of equals comes first.
    let mut contacts: Vec<(ContactId, Details)> = contacts.iter().map(|details| (Id::new(), details.clone())).collect();
    contacts.sort_by(|(_, a), (_, b)| a.phone_number.cmp(&b.phone_number));
    match on_duplicate {
        OnDuplicate::Skip => {
            let row = |(id, details)| ContactRow::new(scope, id, details, Some(import), now);
            insert_new(db, &contacts.into_iter().map(row).collect::<Vec<_>>())
        }
        OnDuplicate::Update => upsert(db, scope, import, contacts, now),
    }
}

fn insert_new(db: &mut Db, rows: &[ContactRow]) -> QueryResult<Counts> {
    let mut inserted = HashSet::new();
    for rows in rows.chunks(ROWS) {
        let ids: Vec<ContactId> = on!(db, |c| diesel::insert_into(contacts::table)
            .values(rows)
            .on_conflict((contacts::organisation_id, contacts::phone_number))
            .do_nothing()
            .returning(contacts::id)
            .get_results(c))?;
        inserted.extend(ids);
    }
    let new = rows.iter().filter(|row| inserted.contains(&row.id.0));
    insert_tags(db, new.flat_map(|row| row.tag_rows(row.id.0)).collect())?;
    Ok(Counts { imported: inserted.len(), updated: 0, duplicate: rows.len() - inserted.len() })
}

/// Existing contacts are read and locked, changed here, and written back.
fn upsert(
    db: &mut Db,
    scope: &OrgScope,
    import: ImportId,
    contacts: Vec<(ContactId, Details)>,
    now: Timestamp,
) -> QueryResult<Counts> {
    let count = contacts.len();
    let mut known = find_by_number(db, scope, &contacts)?;
    let known_ids: HashSet<ContactId> = known.values().map(|row| row.id.0).collect();
    // One row for each number: PostgreSQL does not touch a row twice in one statement.
    let mut rows: Vec<ContactRow> = vec![];
    for (id, details) in contacts {
        rows.extend(known.remove(&details.phone_number));
        match rows.last_mut() {
            Some(row) if row.phone_number == details.phone_number => row.update(scope, details, now),
            _ => rows.push(ContactRow::new(scope, id, details, Some(import), now)),
        }
    }
    let mut ids: HashMap<String, ContactId> = HashMap::new();
    for rows in rows.chunks(ROWS) {
        let put: Vec<(String, ContactId)> = on!(db, |c| diesel::insert_into(contacts::table)
            .values(rows)
            .on_conflict((contacts::organisation_id, contacts::phone_number))
            .do_update()
            .set((
                contacts::name.eq(excluded(contacts::name)),
                contacts::sort_name.eq(excluded(contacts::sort_name)),
                contacts::search.eq(excluded(contacts::search)),
                contacts::email.eq(excluded(contacts::email)),
                contacts::tags.eq(excluded(contacts::tags)),
                contacts::metadata.eq(excluded(contacts::metadata)),
                contacts::updated_at.eq(excluded(contacts::updated_at)),
            ))
            .returning((contacts::phone_number, contacts::id))
            .get_results(c))?;
        ids.extend(put);
    }
    // A contact that somebody else made since it was looked for has another id than the one made here.
    let id_of = |row: &ContactRow| ids.get(&row.phone_number).copied().unwrap_or(row.id.0);
    let is_new = |row: &&ContactRow| !known_ids.contains(&row.id.0) && id_of(row) == row.id.0;
    let imported = rows.iter().filter(is_new).count();
    delete_tags(db, &rows.iter().map(id_of).map(Sql).collect::<Vec<_>>())?;
    insert_tags(db, rows.iter().flat_map(|row| row.tag_rows(id_of(row))).collect())?;
    Ok(Counts { imported, updated: count - imported, duplicate: 0 })
}

/// Locked until the transaction ends.
fn find_by_number(
    db: &mut Db,
    scope: &OrgScope,
    contacts: &[(ContactId, Details)],
) -> QueryResult<HashMap<String, ContactRow>> {
    let numbers: Vec<&str> = contacts.iter().map(|(_, details)| details.phone_number.as_str()).collect();
    let mut known = HashMap::new();
    for numbers in numbers.chunks(ROWS) {
        let query = contacts::table
            .filter(contacts::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(contacts::phone_number.eq_any(numbers))
            .order(contacts::phone_number);
        let rows: Vec<ContactRow> = match db {
            Db::Postgres(c) => query.select(ContactRow::as_select()).for_update().load(c)?,
            Db::Sqlite(c) => query.select(ContactRow::as_select()).load(c)?,
        };
        known.extend(rows.into_iter().map(|row| (row.phone_number.clone(), row)));
    }
    Ok(known)
}

fn delete_tags(db: &mut Db, contacts: &[Sql<ContactId>]) -> QueryResult<()> {
    for contacts in contacts.chunks(ROWS) {
        on!(db, |c| diesel::delete(contact_tags::table.filter(contact_tags::contact_id.eq_any(contacts))).execute(c))?;
    }
    Ok(())
}

fn insert_tags(db: &mut Db, tags: Vec<ContactTagRow>) -> QueryResult<()> {
    for tags in tags.chunks(ROWS) {
        on!(db, |c| diesel::insert_into(contact_tags::table).values(tags).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}
