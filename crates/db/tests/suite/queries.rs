//! One query, two databases.

use crate::base::Base;
use crate::contacts::*;
use callfairy_core::Timestamp;
use db::diesel::dsl::{count_star, max};
use db::diesel::prelude::*;
use db::{Error, Json, Sql, on};

crate::on_both!(values_survive_the_way, rows_in_batches);

async fn values_survive_the_way(base: Base) {
    let pool = base.pool();
    let organisation = organisation("Acme");
    let row = organisation.clone();
    let answered = pool.write(move |db| Ok::<_, Error>(create_organisation(db, &row)?)).await.unwrap();
    assert_eq!(answered, organisation);

    let parent = contact(organisation.id, 1);
    let mut child = contact(organisation.id, 2);
    child.parent_id = Some(parent.id);
    child.called_at = Some(Sql(Timestamp::from_micros(-1).unwrap()));
    let rows = [parent.clone(), child.clone()];
    pool.write(move |db| Ok::<_, Error>(insert(db, &rows)?)).await.unwrap();

    let seen: Vec<Seen> = pool
        .read(move |db| {
            Ok::<_, Error>(on!(db, |c| contacts::table.order(contacts::phone).select(Seen::as_select()).load(c))?)
        })
        .await
        .unwrap();
    assert_eq!(seen[0], Seen { id: parent.id.0, parent_id: None, called_at: None });
    assert_eq!(seen[1].parent_id, Some(parent.id.0));
    assert_eq!(seen[1].called_at, Some(Timestamp::from_micros(-1).unwrap()));
    let found = pool.read(move |db| Ok::<_, Error>(find(db, child.id.0)?)).await.unwrap();
    assert_eq!(found, Some(child));
}

async fn rows_in_batches(base: Base) {
    let pool = base.pool();
    pool.write(|db| {
        let acme = create_organisation(db, &organisation("Acme"))?;
        create_organisation(db, &Organisation { status: Status::Closed, ..organisation("Empty") })?;
        let rows: Vec<Contact> = (0..1_000).map(|n| contact(acme.id, n)).collect();
        assert_eq!(insert(db, &rows)?, 1_000);

        // ON CONFLICT DO NOTHING … RETURNING answers the new ones only.
        let more: Vec<Contact> = (990..1_010).map(|n| contact(acme.id, n)).collect();
        let new = insert_new(db, &more)?;
        assert_eq!(new, more[10..].iter().map(|row| row.id.0).collect::<Vec<_>>());

        // ON CONFLICT DO UPDATE … RETURNING answers the row that is there.
        let again = upsert(db, &Contact { name: "Again".to_owned(), ..contact(acme.id, 5) })?;
        assert_eq!((again.id, again.name.as_str(), again.score), (rows[5].id, "Again", 1));

        // eq_any of ids, of words, of nothing.
        let some: Vec<ContactId> = on!(db, |c| contacts::table
            .filter(contacts::id.eq_any(rows[..3].iter().map(|row| row.id)))
            .select(contacts::id)
            .load(c))?;
        assert_eq!(some.len(), 3);
        let none: Vec<ContactId> = on!(db, |c| contacts::table
            .filter(contacts::id.eq_any(Vec::<Sql<ContactId>>::new()))
            .select(contacts::id)
            .load(c))?;
        assert_eq!(none, []);
        let words = [Status::Closed, Status::Trial];
        let names: Vec<String> = on!(db, |c| organisations::table
            .filter(organisations::status.eq_any(words))
            .select(organisations::name)
            .load(c))?;
        assert_eq!(names, ["Empty"]);

        // Joins, groups, and the largest time.
        let at = Sql(Timestamp::from_micros(7).unwrap());
        on!(db, |c| diesel::update(contacts::table.find(rows[0].id)).set(contacts::called_at.eq(Some(at))).execute(c))?;
        let groups: Vec<(Organisation, Option<Contact>)> = on!(db, |c| organisations::table
            .left_join(contacts::table)
            .filter(contacts::phone.is_null().or(contacts::phone.eq(&rows[0].phone)))
            .order(organisations::name)
            .select((Organisation::as_select(), Option::<Contact>::as_select()))
            .load(c))?;
        assert_eq!(groups[0].1.as_ref().and_then(|row| row.called_at), Some(at));
        assert_eq!(groups[1].1, None);
        let (number, last): (i64, Option<Timestamp>) =
            on!(db, |c| contacts::table.select((count_star(), max(contacts::called_at))).first(c))?;
        assert_eq!((number, last), (1_010, Some(at.0)));

        // Partial updates: absent, NULL and a value are three things.
        let patch =
            ContactPatch { called_at: Some(None), parent_id: Some(Some(rows[1].id)), ..ContactPatch::default() };
        let patched: Contact = on!(db, |c| diesel::update(contacts::table.find(rows[0].id))
            .set(&patch)
            .returning(Contact::as_returning())
            .get_result(c))?;
        assert_eq!((patched.called_at, patched.parent_id, &patched.name), (None, Some(rows[1].id), &rows[0].name));

        // A word that is not of the set is refused when it is read, not taken for another.
        assert!("opened".parse::<Status>().is_err());
        let settings: Json<Settings> =
            on!(db, |c| organisations::table.find(acme.id).select(organisations::settings).first(c))?;
        assert_eq!(settings.0.locale, "nb-NO");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}
