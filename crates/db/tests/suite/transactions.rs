//! All or nothing, and one after the other.

use crate::base::Base;
use crate::contacts::*;
use db::diesel::prelude::*;
use db::diesel::result::Error as Diesel;
use db::{Db, Error, Pool, Sql, on, outbox};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

crate::on_both!(
    an_error_undoes_everything,
    a_panic_undoes_everything,
    a_savepoint_survives_its_error,
    a_swallowed_error_is_not_lost,
    violations_are_named,
    writers_do_not_lose_updates,
    reads_cannot_write,
    a_caller_that_goes_away_changes_nothing,
    the_clock_is_the_databases,
);

async fn count_of(pool: &Pool) -> i64 {
    pool.read(|db| Ok::<_, Error>(count(db)?)).await.unwrap()
}

/// An organisation with one contact.
async fn filled(pool: &Pool) -> Contact {
    pool.write(|db| {
        let row = contact(create_organisation(db, &organisation("Acme"))?.id, 0);
        insert(db, std::slice::from_ref(&row))?;
        Ok::<_, Error>(row)
    })
    .await
    .unwrap()
}

async fn an_error_undoes_everything(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    let refused: Result<(), Failure> = pool
        .write(move |db| {
            insert(db, &[contact(first.organisation_id, 1)])?;
            // A savepoint that was released goes with the rest.
            db.transaction(|db| insert(db, &[contact(first.organisation_id, 2)]))?;
            outbox::add(db, outbox::Outgoing::new("contact.created", serde_json::json!(1)))?;
            Err(Failure::Refused)
        })
        .await;
    assert!(matches!(refused, Err(Failure::Refused)));
    assert_eq!(count_of(&pool).await, 1);
    let age = pool.read(|db| Ok::<_, Error>(outbox::oldest_age(db)?)).await.unwrap();
    assert_eq!(age, Duration::ZERO, "the message went with its cause");
}

async fn a_panic_undoes_everything(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    for n in 1..=8 {
        let panicked: Result<(), Error> = pool
            .write(move |db| {
                insert(db, &[contact(first.organisation_id, n)])?;
                db.transaction(|_| panic!("on purpose"))
            })
            .await;
        assert!(matches!(panicked, Err(Error::Panicked)));
        let panicked: Result<(), Error> = pool.read(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Panicked)));
    }
    assert_eq!(count_of(&pool).await, 1);
    let row = contact(first.organisation_id, 9);
    pool.write(move |db| Ok::<_, Error>(insert(db, std::slice::from_ref(&row))?)).await.unwrap();
    assert_eq!(count_of(&pool).await, 2, "the pool goes on");
}

async fn a_savepoint_survives_its_error(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    pool.write(move |db| {
        insert(db, &[contact(first.organisation_id, 1)])?;
        let again = db.transaction(|db| {
            insert(db, &[contact(first.organisation_id, 2)])?;
            insert(db, &[contact(first.organisation_id, 2)])
        });
        assert!(again.is_err());
        let given_up: Result<(), Diesel> = db.transaction(|db| {
            insert(db, &[contact(first.organisation_id, 3)])?;
            Err(Diesel::RollbackTransaction)
        });
        assert!(given_up.is_err());
        insert(db, &[contact(first.organisation_id, 4)])?;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(count_of(&pool).await, 3, "the first, and those outside the savepoints");
}

/// Whatever the database makes of the rest: either it is all there, or the caller is told.
async fn a_swallowed_error_is_not_lost(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    let committed = pool
        .write(move |db| {
            insert(db, &[contact(first.organisation_id, 1)])?;
            let _ = insert(db, &[contact(first.organisation_id, 1)]);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(committed.is_ok(), !pool.is_postgres());
    assert_eq!(count_of(&pool).await, if pool.is_postgres() { 1 } else { 2 });
}

async fn violations_are_named(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    let write = async |row: Contact| {
        let failed = pool.write(move |db| Ok::<_, Error>(insert(db, std::slice::from_ref(&row))?)).await;
        failed.expect_err("the row is refused")
    };
    let same_phone = write(contact(first.organisation_id, 0)).await;
    assert_eq!(same_phone.is_unique_violation(), Some("contacts_organisation_id_phone_key"));

    let ann = |n| Contact { email: Some("Ann@example.org".to_owned()), ..contact(first.organisation_id, n) };
    let row = ann(1);
    pool.write(move |db| Ok::<_, Error>(insert(db, std::slice::from_ref(&row))?)).await.unwrap();
    assert_eq!(write(ann(2)).await.is_unique_violation(), Some("contacts_email_key"));

    let orphan = write(contact(organisation("gone").id, 3)).await;
    assert!(orphan.is_foreign_key_violation());
    assert_eq!(orphan.is_unique_violation(), None);

    let missing = pool
        .read(|db| {
            Ok::<_, Error>(on!(db, |c| contacts::table
                .select(contacts::id)
                .find(Sql(ContactId::new()))
                .first::<ContactId>(c))?)
        })
        .await;
    assert!(matches!(missing, Err(Error::Query(Diesel::NotFound))));
}

async fn writers_do_not_lose_updates(base: Base) {
    let pool = base.pool();
    let id = filled(&pool).await.id.0;
    let writers = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                pool.write(move |db| Ok::<_, Error>(raise_score(db, id)?)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let row = pool.read(move |db| Ok::<_, Error>(find(db, id)?)).await.unwrap().unwrap();
    assert_eq!(row.score, 400);
}

async fn reads_cannot_write(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    let refused = pool.read(move |db| Ok::<_, Error>(insert(db, &[contact(first.organisation_id, 1)])?)).await;
    assert!(matches!(refused, Err(Error::Query(_))), "{refused:?}");
    // Nor in a transaction of their own; but they may have one.
    let refused = pool.read(move |db| Ok::<_, Error>(db.transaction(|db| raise_score(db, first.id.0))?)).await;
    assert!(refused.is_err());
    assert_eq!(pool.read(|db| Ok::<_, Error>(db.transaction(count)?)).await.unwrap(), 1);
}

async fn a_caller_that_goes_away_changes_nothing(base: Base) {
    let pool = base.pool();
    let first = filled(&pool).await;
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let caller = tokio::spawn({
        let (pool, started, go_on) = (pool.clone(), Arc::clone(&started), Arc::clone(&go_on));
        async move {
            pool.write(move |db| {
                insert(db, &[contact(first.organisation_id, 1)])?;
                started.notify_one();
                while go_on.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
                Ok::<_, Error>(())
            })
            .await
        }
    });
    started.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.store(1, Ordering::Relaxed);
    // Behind the abandoned one in SQLite's queue, and served at once by PostgreSQL.
    crate::base::eventually("the abandoned write is committed", async || count_of(&pool).await == 2).await;
    pool.write(move |db| Ok::<_, Error>(raise_score(db, first.id.0)?)).await.unwrap();
}

async fn the_clock_is_the_databases(base: Base) {
    let pool = base.pool();
    let machine = callfairy_core::Clock::now(&callfairy_core::SystemClock);
    let second = Duration::from_secs(1);
    let (now, later, earlier) = pool
        .read(move |db: &mut Db| {
            let now = db.now()?;
            let (later, earlier): (callfairy_core::Timestamp, callfairy_core::Timestamp) =
                on!(db, |c| diesel::select((db::now_plus(second), db::now_minus(second))).get_result(c))?;
            Ok::<_, Error>((now, later, earlier))
        })
        .await
        .unwrap();
    assert!(now.since(machine) < Duration::from_mins(1) && machine.since(now) < Duration::from_mins(1));
    assert_eq!(later.since(earlier), 2 * second);
    assert!(later.since(now) >= second && now.since(earlier) <= second);
}

/// Two transactions that lock two rows in opposite orders: PostgreSQL gives one of them up, and it is run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_run_again() {
    let base = Base::postgres();
    let pool = base.pool();
    let one = filled(&pool).await;
    let other = contact(one.organisation_id, 1);
    let (one, row) = (one.id.0, other.clone());
    pool.write(move |db| Ok::<_, Error>(insert(db, std::slice::from_ref(&row))?)).await.unwrap();
    let (locked, runs) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let tasks = [(one, other.id.0), (other.id.0, one)].map(|(first, second)| {
        let (pool, locked, runs) = (pool.clone(), Arc::clone(&locked), Arc::clone(&runs));
        tokio::spawn(async move {
            pool.write(move |db| {
                runs.fetch_add(1, Ordering::Relaxed);
                raise_score(db, first)?;
                locked.fetch_add(1, Ordering::Relaxed);
                // Until the other one has locked its first row, too.
                while locked.load(Ordering::Relaxed) < 2 {
                    std::thread::yield_now();
                }
                Ok::<_, Error>(raise_score(db, second)?)
            })
            .await
        })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(runs.load(Ordering::Relaxed) > 2, "there was no deadlock");
    for id in [one, other.id.0] {
        let row = pool.read(move |db| Ok::<_, Error>(find(db, id)?)).await.unwrap().unwrap();
        assert_eq!(row.score, 2);
    }
}
