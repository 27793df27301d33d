//! One leader.

use crate::base::Base;
use db::{Error, Pool, lease};
use std::time::Duration;

crate::on_both!(one_holder_at_a_time, a_lapsed_lease_is_taken_over, only_one_of_many_wins);

async fn acquire(pool: &Pool, holder: &str) -> bool {
    let holder = holder.to_owned();
    pool.write(move |db| Ok::<_, Error>(lease::acquire(db, "dispatcher", &holder, Duration::from_secs(10))?))
        .await
        .unwrap()
}

async fn one_holder_at_a_time(base: Base) {
    let pool = base.pool();
    assert!(acquire(&pool, "a").await);
    assert!(!acquire(&pool, "b").await);
    assert!(acquire(&pool, "a").await, "the holder prolongs it");
    // Only the holder's own release counts.
    pool.write(|db| Ok::<_, Error>(lease::release(db, "dispatcher", "b")?)).await.unwrap();
    assert!(!acquire(&pool, "b").await);
    pool.write(|db| Ok::<_, Error>(lease::release(db, "dispatcher", "a")?)).await.unwrap();
    assert!(acquire(&pool, "b").await);
}

async fn a_lapsed_lease_is_taken_over(base: Base) {
    let pool = base.pool();
    assert!(acquire(&pool, "a").await);
    base.execute(if pool.is_postgres() {
        "UPDATE leases SET until = until - interval '11 seconds'"
    } else {
        "UPDATE leases SET until = until - 11000000"
    });
    assert!(acquire(&pool, "b").await);
    assert!(!acquire(&pool, "a").await, "the one that slept finds it gone");
}

async fn only_one_of_many_wins(base: Base) {
    let pool = base.pool();
    let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let won = futures_util::future::join_all(names.iter().map(|name| acquire(&pool, name))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}
