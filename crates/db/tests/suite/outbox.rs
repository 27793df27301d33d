//! Nothing that was committed stays unpublished, whatever happens to the relay.

use crate::base::{Base, eventually};
use db::outbox::{self, MessageId, OutboxRow, Outgoing};
use db::{Error, Pool};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

crate::on_both!(
    a_message_arrives_as_it_was_added,
    a_commit_wakes_the_relay,
    a_delayed_message_waits,
    the_age_is_that_of_the_oldest_due,
    the_order_of_ids_does_not_matter,
    a_failed_message_comes_back,
    an_answer_that_is_missing_is_a_failure,
    a_crash_before_the_mark_repeats_the_message,
    shutdown_finishes_the_batch,
    several_relays_lose_nothing,
);

/// What was published, and how often.
#[derive(Clone, Default)]
struct Broker(Arc<Mutex<HashMap<MessageId, Vec<OutboxRow>>>>);

impl Broker {
    fn take(&self, row: OutboxRow) {
        self.0.lock().unwrap().entry(row.id).or_default().push(row);
    }

    fn times(&self, id: MessageId) -> usize {
        self.0.lock().unwrap().get(&id).map_or(0, Vec::len)
    }
}

/// A relay whose broker decides about each row.
struct Relay(CancellationToken, JoinHandle<()>);

impl Relay {
    fn start(pool: &Pool, decide: impl Fn(OutboxRow) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let (pool, stop, decide) = (pool.clone(), CancellationToken::new(), Arc::new(decide));
        let shutdown = stop.clone();
        let task = tokio::spawn(async move {
            outbox::relay(pool, shutdown, move |rows| {
                let decide = Arc::clone(&decide);
                async move { rows.into_iter().map(|row| decide(row)).collect() }
            })
            .await;
        });
        Self(stop, task)
    }

    async fn stop(self) {
        self.0.cancel();
        self.1.await.unwrap();
    }
}

async fn add(pool: &Pool, message: Outgoing) -> MessageId {
    pool.write(move |db| Ok::<_, Error>(outbox::add(db, message.clone())?)).await.unwrap()
}

async fn is_empty(pool: &Pool) -> bool {
    pool.read(|db| Ok::<_, Error>(left(db)? == 0)).await.unwrap()
}

fn left(db: &mut db::Db) -> Result<i64, Error> {
    use db::diesel::prelude::*;
    db::diesel::table! { outbox (topic) { topic -> Text, } }
    Ok(db::on!(db, |c| outbox::table.count().get_result(c))?)
}

fn message(n: usize) -> Outgoing {
    Outgoing::new("call", json!({ "n": n }))
}

async fn a_message_arrives_as_it_was_added(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let about = MessageId::new();
    let sent = Outgoing::new("contact.created", json!({ "name": "Ærø", "n": [1, null] }))
        .about(about)
        .with_header("traceparent", "00-1-2-01");
    let id = add(&pool, sent.clone()).await;
    let age = pool.read(|db| Ok::<_, Error>(outbox::oldest_age(db)?)).await.unwrap();
    assert!(age < Duration::from_secs(30));
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    eventually("published and forgotten", async || broker.times(id) > 0 && is_empty(&pool).await).await;
    relay.stop().await;
    let row = broker.0.lock().unwrap()[&id][0].clone();
    assert_eq!((row.topic, row.key, row.payload), (sent.topic, Some(about.uuid()), sent.payload));
    assert_eq!((row.headers, row.attempts), (sent.headers, 0));
}

async fn a_commit_wakes_the_relay(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    let start = Instant::now();
    for n in 0..10 {
        let id = add(&pool, message(n)).await;
        eventually("published", async || broker.times(id) == 1).await;
    }
    // Each one is added right after the relay went to sleep for a second.
    assert!(start.elapsed() < Duration::from_secs(5), "polled instead: {:?}", start.elapsed());
    relay.stop().await;
}

async fn a_delayed_message_waits(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    let start = Instant::now();
    let delay = Duration::from_millis(1_500);
    let late = add(&pool, message(0).after(delay)).await;
    let soon = add(&pool, message(1)).await;
    eventually("the other one is published", async || broker.times(soon) == 1).await;
    eventually("it is published, too", async || broker.times(late) == 1).await;
    assert!(start.elapsed() >= delay);
    relay.stop().await;
}

async fn the_age_is_that_of_the_oldest_due(base: Base) {
    let pool = base.pool();
    let age = async || pool.read(|db| Ok::<_, Error>(outbox::oldest_age(db)?)).await.unwrap();
    assert_eq!(age().await, Duration::ZERO);
    add(&pool, message(0).after(Duration::from_hours(1))).await;
    assert_eq!(age().await, Duration::ZERO, "it is not due");
    add(&pool, message(1)).await;
    add(&pool, message(2)).await;
    base.execute(if pool.is_postgres() {
        "UPDATE outbox SET available_at = available_at - interval '60 s' WHERE payload ->> 'n' = '1'"
    } else {
        "UPDATE outbox SET available_at = available_at - 60000000 WHERE payload ->> 'n' = 1"
    });
    let age = age().await.as_secs();
    assert!((60..90).contains(&age), "{age}");
}

/// A transaction that began early and commits late has small ids and early times.
async fn the_order_of_ids_does_not_matter(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    let young = add(&pool, message(1)).await;
    eventually("the later one is published", async || broker.times(young) == 1).await;
    let old = MessageId::from_uuid(uuid::Uuid::from_u128(1));
    base.execute(if pool.is_postgres() {
        "INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000001', 'call', NULL, '{}', '{}', '2020-01-01', '2020-01-01')"
    } else {
        "INSERT INTO outbox VALUES (X'00000000000000000000000000000001', 'call', NULL, '{}', '{}', 0, 0, 0, NULL)"
    });
    eventually("the earlier one, too", async || broker.times(old) == 1).await;
    relay.stop().await;
}

async fn a_failed_message_comes_back(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let bad = add(&pool, message(0)).await;
    let good = add(&pool, message(1)).await;
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        let answer = if row.id == bad && row.attempts < 2 { Err("no route".to_owned()) } else { Ok(()) };
        taken.take(row);
        answer
    });
    eventually("both are done", async || is_empty(&pool).await).await;
    relay.stop().await;
    assert_eq!(broker.times(good), 1);
    let attempts: Vec<i32> = broker.0.lock().unwrap()[&bad].iter().map(|row| row.attempts).collect();
    assert_eq!(attempts, [0, 1, 2]);
}

async fn an_answer_that_is_missing_is_a_failure(base: Base) {
    let pool = base.pool();
    let (calls, stop) = (Arc::new(Mutex::new(0)), CancellationToken::new());
    add(&pool, message(0)).await;
    let (counter, shutdown) = (Arc::clone(&calls), stop.clone());
    let relay = tokio::spawn(outbox::relay(pool.clone(), shutdown, move |rows: Vec<OutboxRow>| {
        let mut calls = counter.lock().unwrap();
        *calls += 1;
        let answers = if *calls < 3 { vec![] } else { vec![Ok(()); rows.len()] };
        async move { answers }
    }));
    eventually("it is published in the end", async || is_empty(&pool).await).await;
    assert_eq!(*calls.lock().unwrap(), 3);
    stop.cancel();
    relay.await.unwrap();
}

async fn a_crash_before_the_mark_repeats_the_message(base: Base) {
    let (pool, broker) = (base.pool(), Broker::default());
    let id = add(&pool, message(0)).await;
    let taken = broker.clone();
    // It publishes and dies before it can say so.
    let dying = tokio::spawn(outbox::relay(pool.clone(), CancellationToken::new(), move |rows| {
        for row in rows {
            taken.take(row);
        }
        std::future::pending()
    }));
    eventually("published once", async || broker.times(id) == 1).await;
    dying.abort();
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    // The claim of the dead one holds: what comes later is published, this is not.
    let next = add(&pool, message(1)).await;
    eventually("the next is published", async || broker.times(next) == 1).await;
    assert_eq!(broker.times(id), 1);
    base.execute(if pool.is_postgres() {
        "UPDATE outbox SET claimed_until = claimed_until - interval '15 seconds'"
    } else {
        "UPDATE outbox SET claimed_until = claimed_until - 15000000"
    });
    eventually("published again", async || broker.times(id) == 2 && is_empty(&pool).await).await;
    relay.stop().await;
}

async fn shutdown_finishes_the_batch(base: Base) {
    let pool = base.pool();
    add(&pool, message(0)).await;
    let (stop, publishing, go_on) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let (shutdown, started, gate) = (stop.clone(), publishing.clone(), go_on.clone());
    let relay = tokio::spawn(outbox::relay(pool.clone(), shutdown, move |rows: Vec<OutboxRow>| {
        started.cancel();
        let gate = gate.clone();
        async move {
            gate.cancelled().await;
            vec![Ok(()); rows.len()]
        }
    }));
    publishing.cancelled().await;
    stop.cancel();
    assert!(!is_empty(&pool).await);
    go_on.cancel();
    relay.await.unwrap();
    assert!(is_empty(&pool).await);
}

async fn several_relays_lose_nothing(base: Base) {
    db::migrate(&base.url, crate::base::SCHEMA, &crate::base::MIGRATIONS).unwrap();
    // Three processes, as it were, each with a relay and writers; a broker that refuses now and then.
    let pools: Vec<Pool> = (0..3).map(|_| base.open(4)).collect();
    let broker = Broker::default();
    let relays: Vec<Relay> = pools
        .iter()
        .map(|pool| {
            let taken = broker.clone();
            Relay::start(pool, move |row| {
                let refused = row.attempts == 0 && row.id.as_bytes()[15] % 50 == 0;
                if refused {
                    return Err("busy".to_owned());
                }
                taken.take(row);
                Ok(())
            })
        })
        .collect();
    let writers: Vec<JoinHandle<Vec<MessageId>>> = pools
        .iter()
        .map(|pool| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let many = pool
                    .write(|db| Ok::<_, Error>(outbox::add_all(db, (0..2_500).map(message).collect())?))
                    .await
                    .unwrap();
                let mut ids = many;
                for n in 0..20 {
                    ids.push(add(&pool, message(n)).await);
                }
                ids
            })
        })
        .collect();
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    assert_eq!(ids.len(), 3 * 2_520);
    eventually("all is published", async || is_empty(&pools[0]).await).await;
    for relay in relays {
        relay.stop().await;
    }
    for id in ids {
        assert_eq!(broker.times(id), 1);
    }
}

/// The database goes away under a running relay and comes back.
#[tokio::test]
async fn an_outage_is_waited_for_and_logged_once() {
    let log = Log::default();
    let _logged = tracing::subscriber::set_default(log.clone());
    let base = Base::postgres();
    let (pool, broker) = (base.pool(), Broker::default());
    let taken = broker.clone();
    let relay = Relay::start(&pool, move |row| {
        taken.take(row);
        Ok(())
    });
    for n in 0..2 {
        base.execute("ALTER TABLE outbox RENAME TO gone");
        base.terminate_sessions();
        let again = log.count(tracing::Level::DEBUG);
        eventually("the relay tries again and again", async || log.count(tracing::Level::DEBUG) > again + 1).await;
        base.execute("ALTER TABLE gone RENAME TO outbox");
        let id = add(&pool, message(n)).await;
        eventually("it is published and the relay is well", async || {
            broker.times(id) == 1 && is_empty(&pool).await && log.count(tracing::Level::INFO) == n + 1
        })
        .await;
    }
    relay.stop().await;
    assert_eq!((log.count(tracing::Level::ERROR), log.count(tracing::Level::INFO)), (2, 2));
}

/// Counts what this crate logs on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<tracing::Level>>>);

impl Log {
    fn count(&self, level: tracing::Level) -> usize {
        self.0.lock().unwrap().iter().filter(|one| **one == level).count()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("db::outbox")
    }
    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
