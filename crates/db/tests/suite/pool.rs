//! Bounds, and databases that go away.

use crate::base::{Base, SCHEMA, eventually};
use callfairy_core::{ErrorCode, Problem};
use db::{Error, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

crate::on_both!(queries_run_on_as_many_threads_as_there_are_connections, pings);

async fn queries_run_on_as_many_threads_as_there_are_connections(base: Base) {
    let pool = base.pool();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let readers = (0..60).map(|_| {
        let (pool, running, most) = (pool.clone(), Arc::clone(&running), Arc::clone(&most));
        tokio::spawn(async move {
            pool.read(move |db| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let now = db.now();
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error>(now?)
            })
            .await
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap().unwrap();
    }
    assert!((1..=4).contains(&most.load(Ordering::SeqCst)), "{most:?} of 4");
}

async fn pings(base: Base) {
    base.pool().ping().await.unwrap();
}

#[tokio::test]
async fn a_database_that_refuses_is_reported_at_once() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pool = Pool::open(&format!("postgres://nobody:hunter2@127.0.0.1:{port}/none"), SCHEMA, 2).unwrap();
    let start = Instant::now();
    let error = pool.ping().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(!error.to_string().contains("hunter2"));
    assert!(start.elapsed() < Duration::from_secs(2), "no waiting for what cannot come");
    assert_eq!(Problem::from(error).code, ErrorCode::Unavailable);
}

#[test]
fn bad_addresses_are_refused() {
    for (url, schema) in [
        ("mysql://localhost/x", "auth"),
        ("sqlite:", "auth"),
        ("sqlite::memory:", "auth"),
        ("postgres://localhost/x", ""),
        ("postgres://localhost/x", "auth; DROP TABLE users"),
        ("postgres://localhost/x", "Auth"),
    ] {
        let refused = Pool::open(url, schema, 1).map(|_| ());
        assert!(matches!(refused, Err(Error::Configuration(_))), "{url} {schema}: {refused:?}");
    }
}

/// Sessions ended by the server, as at its restart: no write notices, and reads do for a moment at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_sessions_are_replaced() {
    let base = Base::postgres();
    let pool = base.pool();
    for _ in 0..3 {
        // Several connections lie idle.
        let pings = (0..4).map(|_| pool.ping());
        futures_util::future::try_join_all(pings).await.unwrap();
        base.terminate_sessions();
        pool.write(|db| Ok::<_, Error>(db.now()?)).await.unwrap();
        pool.ping().await.unwrap();
        base.terminate_sessions();
        eventually("reads work again", async || match pool.ping().await {
            Ok(()) => true,
            Err(Error::Unavailable(_)) => false,
            Err(error) => panic!("{error:?}"),
        })
        .await;
    }
}

/// Lost in the middle of a transaction: nothing of it stays, and the caller may try again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lost_in_a_transaction_is_unavailable() {
    let base = Arc::new(Base::postgres());
    let pool = base.pool();
    // Half of the transaction would be in the way of the next one.
    base.execute("CREATE TABLE half (id integer PRIMARY KEY); GRANT ALL ON half TO callfairy_sample");
    let ends = Arc::clone(&base);
    let lost = pool
        .write(move |db| {
            db.batch_execute("INSERT INTO half VALUES (1)")?;
            ends.terminate_sessions();
            db.batch_execute("INSERT INTO half VALUES (2)")?;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    pool.write(|db| Ok::<_, Error>(db.batch_execute("INSERT INTO half VALUES (1)")?)).await.unwrap();
}

/// A server whose owner gives out users that may make roles, and no superuser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_user_migrates_and_works() {
    let base = Base::postgres();
    let user = format!("user_{}", uuid::Uuid::now_v7().simple());
    let schema = format!("sample_{}", uuid::Uuid::now_v7().simple());
    base.execute(&format!(
        "CREATE SCHEMA sample; CREATE ROLE {user} LOGIN CREATEROLE PASSWORD 'plain'; \
         DO $$ BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {user}'; END $$",
    ));
    let (_, place) = base.url.split_once('@').unwrap();
    let url = format!("postgres://{user}:plain@{place}");
    for _ in 0..2 {
        db::migrate(&url, &schema, &crate::base::MIGRATIONS).unwrap();
    }
    let pool = Pool::open(&url, &schema, 1).unwrap();
    let write = |sql: &'static str| pool.write(move |db| Ok::<_, Error>(db.batch_execute(sql)?));
    write("INSERT INTO leases VALUES ('a', 'b', now())").await.unwrap();
    // It owns nothing, and does not decide what version the schema has.
    for sql in ["DROP TABLE leases", "CREATE TABLE more (id integer)", "DELETE FROM __diesel_schema_migrations"] {
        let refused = write(sql).await.unwrap_err().to_string();
        assert!(refused.contains("must be owner") || refused.contains("permission denied"), "{sql}: {refused}");
    }
    drop(pool);
    base.execute(&format!(
        "DROP SCHEMA {schema} CASCADE; DROP OWNED BY {user}; DROP ROLE callfairy_{schema}; DROP ROLE {user}",
    ));
}
