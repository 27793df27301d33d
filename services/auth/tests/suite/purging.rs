//! No table grows for ever.

use crate::world::{DEADLINE, World};
use std::time::Duration;

testkit::on_both!(what_has_served_its_time_goes, what_is_needed_stays);

const DAY: Duration = Duration::from_hours(24);
const TABLES: [&str; 4] = ["sessions", "refresh_tokens", "single_use_tokens", "mails"];

async fn what_has_served_its_time_goes(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    world.refresh(&tokens.refresh_token).await.unwrap();
    for table in TABLES {
        assert!(world.count(table).await > 0, "{table}");
    }
    world.clock.advance(91 * DAY);
    // Each start begins with a look.
    let replica = world.launch(world.config()).await;
    for table in TABLES {
        let what = format!("{table} is empty");
        testkit::eventually(&what, DEADLINE, async || (world.count(table).await == 0).then_some(())).await;
    }
    assert_eq!(world.count("users").await, 2);
    replica.end().await;
}

async fn what_is_needed_stays(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let revoked = world.superadmin().await;
    world.logout(&revoked).await.unwrap();
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(world.count("refresh_tokens WHERE successor IS NOT NULL").await, 1);
    world.clock.advance(2 * DAY);
    let replica = world.launch(world.config()).await;
    let forgotten = async || {
        let successors = world.count("refresh_tokens WHERE successor IS NOT NULL").await;
        (successors == 0 && world.count("sessions").await == 1).then_some(())
    };
    testkit::eventually("the successor and the ended session are forgotten", DEADLINE, forgotten).await;
    assert_eq!(world.count("refresh_tokens").await, 2, "a reuse would be noticed");
    assert_eq!(world.count("single_use_tokens").await, 1, "a second use is still told from nonsense");
    world.refresh(&next.refresh_token).await.unwrap();
    replica.end().await;
}
