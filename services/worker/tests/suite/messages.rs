//! Messages that say nothing usable.

use crate::world::World;
use queue::QueueName;

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_go_to_the_dead_letters() {
    let world = World::start().await;
    let id = "0190a6f1-0000-7000-8000-000000000000";
    let calls = [
        "no JSON".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"kind":"place","call_id":"{id}","surprise":1}}"#),
        format!(r#"{{"kind":"dance","call_id":"{id}"}}"#),
        format!(r#"{{"call_id":"{id}"}}"#),
        r#"{"kind":"place","call_id":"7"}"#.to_owned(),
        format!(r#"{{"kind":"place","call_id":"{id}","{}":1}}"#, "x".repeat(10_000)),
    ];
    for body in &calls {
        world.send(QueueName::Call, body.as_str()).await;
    }
    for body in ["", "[]", r#"{"call_id":"7"}"#] {
        world.send(QueueName::Recording, body).await;
    }
    let reasons = world.dead(calls.len() + 3).await;
    for reason in &reasons {
        assert!(reason.starts_with("malformed: ") && reason.len() <= 200, "{reason}");
    }
    assert_eq!(reasons.iter().filter(|reason| reason.contains("no UUID")).count(), 4, "{reasons:?}");
    assert_eq!(world.telephony.seen(), []);
}
