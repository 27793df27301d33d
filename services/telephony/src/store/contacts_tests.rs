#![allow(clippy::unwrap_used)]
use super::*;
use crate::MIGRATIONS;
use access::SystemScope;
use testkit::Database;

fn scope() -> OrgScope {
    SystemScope::for_background_work().organisation(OrganisationId::new())
}

fn contact(scope: &OrgScope, n: usize, tags: &[&str]) -> ContactRow {
    let details = Details {
        name: format!("Person {n}"),
        phone_number: format!("+4420794600{n:02}"),
        email: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        metadata: [("n".to_owned(), n.to_string())].into(),
    };
    ContactRow::new(scope, Id::new(), details, None, Timestamp::UNIX_EPOCH)
}

/// All chunks of `limit`, one after the other.
fn walk(db: &mut Db, scope: &OrgScope, selection: &Selection, limit: i64) -> Vec<Callee> {
    let (mut all, mut after) = (vec![], None);
    loop {
        let chunk = chunk(db, scope, selection, after, limit).unwrap();
        let is_last = i64::try_from(chunk.len()).unwrap() < limit;
        after = chunk.last().map(|callee| callee.id).or(after);
        all.extend(chunk);
        if is_last {
            return all;
        }
    }
}

#[tokio::test]
async fn a_selection_is_walked_in_chunks_and_never_leaves_its_organisation() {
    for database in Database::both("telephony") {
        let url = database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "telephony", &MIGRATIONS)).await.unwrap().unwrap();
        let pool = db::Pool::open(database.url(), "telephony", 2).unwrap().of_everyone();
        let test = |db: &mut Db| -> Result<(), db::Error> {
            let (ours, theirs) = (scope(), scope());
            let rows: Vec<ContactRow> =
                (0..10).map(|n| contact(&ours, n, if n % 3 == 0 { &["third", "x"] } else { &["x"] })).collect();
            let canary = contact(&theirs, 0, &["third"]);
            for row in rows.iter().chain([&canary]) {
                insert(db, row)?;
            }
            let named = |rows: &[&ContactRow]| -> Vec<ContactId> { rows.iter().map(|row| row.id.0).collect() };
            let mut some: Vec<String> = [7, 2, 5, 8].map(|n: usize| rows[n].id.to_string()).into();
            some.extend([canary.id.to_string(), ContactId::new().to_string(), "no id".to_owned()]);
            some.extend((0..2_000).map(|_| Id::<()>::from_uuid(uuid::Uuid::new_v4()).to_string()));
            some.sort();
            for (selection, expected) in [
                (Selection::All, named(&rows.iter().collect::<Vec<_>>())),
                (Selection::Tag("third".into()), named(&[&rows[0], &rows[3], &rows[6], &rows[9]])),
                (Selection::Ids(some), named(&[&rows[2], &rows[5], &rows[7], &rows[8]])),
                (Selection::Tag("none".into()), vec![]),
                (Selection::Ids(vec![canary.id.to_string()]), vec![]),
            ] {
                for limit in [1, 2, 4, 100] {
                    let walked: Vec<_> =
                        walk(db, &ours, &selection, limit).into_iter().map(|callee| callee.id).collect();
                    assert_eq!(walked, expected, "{selection:?} by {limit}");
                }
            }
            let first = walk(db, &ours, &Selection::All, 1).remove(0);
            assert_eq!((first.name.as_str(), first.phone_number.as_str()), ("Person 0", "+442079460000"));
            assert_eq!(first.metadata["n"], "0");
            Ok(())
        };
        pool.write(test).await.unwrap();
    }
}
