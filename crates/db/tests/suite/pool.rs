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
    let ends = Arc::clone(&base);
    let lost = pool
        .write(move |db| {
            db.batch_execute("CREATE TABLE half (id integer)")?;
            ends.terminate_sessions();
            db.batch_execute("CREATE TABLE done (id integer)")?;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    pool.write(|db| Ok::<_, Error>(db.batch_execute("CREATE TABLE half (id integer)")?)).await.unwrap();
}
