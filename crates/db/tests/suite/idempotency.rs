//! The same key, the same answer, one effect.

use crate::base::Base;
use crate::contacts::*;
use callfairy_core::{ErrorCode, OnceKey, Timestamp};
use db::idempotency::{self, KEPT, Once};
use db::{Error, Pool};
use std::time::Duration;

crate::on_both!(
    one_effect_for_one_key,
    another_request_with_the_key_is_refused,
    keys_have_a_scope_and_an_end,
    a_failure_is_not_remembered,
    twenty_at_once_have_one_effect,
    old_keys_are_purged,
);

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000).unwrap()
}

/// A request whose effect is one organisation, and whose response is its name.
async fn request(pool: &Pool, scope: &str, key: Option<&str>, hash: u8, now: Timestamp) -> Once {
    let request = OnceKey { scope: scope.to_owned(), key: key.map(str::to_owned), request_hash: [hash; 32] };
    pool.write(move |db| {
        idempotency::once(db, &request, now, |db| {
            let number = organisations(db)?;
            create_organisation(db, &organisation("Acme"))?;
            Ok::<_, Error>(format!("made number {number}").into_bytes())
        })
    })
    .await
    .unwrap()
}

fn organisations(db: &mut db::Db) -> Result<i64, Error> {
    use db::diesel::prelude::*;
    Ok(db::on!(db, |c| organisations::table.count().get_result(c))?)
}

async fn effects(pool: &Pool) -> i64 {
    pool.read(organisations).await.unwrap()
}

fn made(number: u32) -> Vec<u8> {
    format!("made number {number}").into_bytes()
}

async fn one_effect_for_one_key(base: Base) {
    let pool = base.pool();
    assert_eq!(request(&pool, "s", Some("k"), 1, start()).await, Once::Done(made(0)));
    let soon = start().plus(KEPT).minus(SECOND);
    assert_eq!(request(&pool, "s", Some("k"), 1, soon).await, Once::Repeated(made(0)));
    assert_eq!(effects(&pool).await, 1);
    // Without a key each request counts.
    assert_eq!(request(&pool, "s", None, 1, start()).await, Once::Done(made(1)));
    assert_eq!(request(&pool, "s", None, 1, start()).await, Once::Done(made(2)));
}

async fn another_request_with_the_key_is_refused(base: Base) {
    let pool = base.pool();
    request(&pool, "s", Some("k"), 1, start()).await;
    let reused = request(&pool, "s", Some("k"), 2, start()).await;
    assert_eq!(reused, Once::KeyReused);
    assert_eq!(reused.response().map_err(|problem| problem.code), Err(ErrorCode::IdempotencyKeyReused));
    assert_eq!(effects(&pool).await, 1);
}

async fn keys_have_a_scope_and_an_end(base: Base) {
    let pool = base.pool();
    assert_eq!(request(&pool, "one", Some("k"), 1, start()).await, Once::Done(made(0)));
    assert_eq!(request(&pool, "two", Some("k"), 2, start()).await, Once::Done(made(1)));
    let later = start().plus(KEPT);
    assert_eq!(request(&pool, "one", Some("k"), 3, later).await, Once::Done(made(2)), "a day later it is free");
    assert_eq!(request(&pool, "one", Some("k"), 3, later).await, Once::Repeated(made(2)));
}

async fn a_failure_is_not_remembered(base: Base) {
    let pool = base.pool();
    for _ in 0..2 {
        let outcome = pool
            .write(|db| {
                let request = OnceKey { scope: "s".to_owned(), key: Some("k".to_owned()), request_hash: [1; 32] };
                let refused = idempotency::once(db, &request, start(), |db| {
                    create_organisation(db, &organisation("Acme"))?;
                    Err(Failure::Refused)
                });
                assert!(matches!(refused, Err(Failure::Refused)));
                // The caller goes on: even then nothing of the attempt stays.
                Ok::<_, Failure>(())
            })
            .await;
        assert!(outcome.is_ok());
    }
    assert_eq!(effects(&pool).await, 0);
    assert_eq!(request(&pool, "s", Some("k"), 1, start()).await, Once::Done(made(0)));
}

async fn twenty_at_once_have_one_effect(base: Base) {
    db::migrate(&base.url, crate::base::SCHEMA, &crate::base::MIGRATIONS).unwrap();
    // Two processes, as it were.
    let pools = [base.open(10), base.open(10)];
    let requests = (0..20).map(|n| request(&pools[n % 2], "s", Some("k"), 1, start()));
    let answers = futures_util::future::join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Once::Done(made(0))).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Once::Repeated(made(0))).count(), 19);
    assert_eq!(effects(&pools[0]).await, 1);
    // And the same for a key that has just run out.
    let later = start().plus(KEPT);
    let requests = (0..20).map(|n| request(&pools[n % 2], "s", Some("k"), 1, later));
    let answers = futures_util::future::join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Once::Repeated(made(1))).count(), 19);
}

async fn old_keys_are_purged(base: Base) {
    let pool = base.pool();
    let day_ago = start().minus(KEPT);
    for (key, made) in [("a", day_ago.minus(KEPT)), ("b", day_ago), ("c", day_ago.plus(SECOND))] {
        request(&pool, "s", Some(key), 1, made).await;
    }
    let purged = pool.write(|db| Ok::<_, Error>(idempotency::purge(db, start())?)).await.unwrap();
    assert_eq!(purged, 2);
    assert_eq!(request(&pool, "s", Some("c"), 1, start()).await, Once::Repeated(made(2)));
    assert_eq!(request(&pool, "s", Some("b"), 1, start()).await, Once::Done(made(3)));
}
