//! What the provider says by itself: early, late, twice, with a wrong token.

use super::{Desk, active, begin, check, number, past, report};
use crate::world::{DEADLINE, World, code};
use callfairy_core::{ErrorCode, Problem};
use proto::jobs::{CallOrder, SendResult};
use proto::rpc::calls::CreateCall;
use proto::rpc::provider_webhooks::ReceiveBlandWebhook;
use proto::telephony::{CallStatus, ReceiveBlandWebhookRequest};
use serde_json::{Value, json};
use std::time::Duration;

testkit::on_both!(
    a_webhook_comes_before_the_workers_report,
    a_webhook_comes_twice,
    a_token_speaks_for_its_own_organisation,
    a_webhook_for_nobody_is_taken_and_dropped,
    a_report_does_not_hold_the_pace_while_it_waits,
    what_has_served_its_time_goes,
);

fn completed(order: &CallOrder) -> Value {
    json!({
        "call_id": order.attempt_id, "completed": true, "status": "completed", "answered_by": "human",
        "metadata": {"callfairy_attempt_id": order.attempt_id}, "price": 0.09,
    })
}

/// To where the order says.
async fn post(world: &World, order: &CallOrder, body: &Value) -> Result<(), Problem> {
    let token = order.webhook_url.rsplit('/').next().unwrap().to_owned();
    let body = body.to_string().into_bytes();
    let request = ReceiveBlandWebhookRequest { token, body, ..Default::default() };
    world.telephony.unary::<ReceiveBlandWebhook>(&access::Meta::default(), request).await.map(|_| ())
}

/// The called party does not want to be called again.
pub async fn opt_out(world: &World, order: &CallOrder) {
    let mut body = completed(order);
    body["disposition_tag"] = "DO_NOT_CONTACT".into();
    post(world, order, &body).await.unwrap();
}

async fn a_webhook_comes_before_the_workers_report(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.order(&call.id).await;
    // Nothing was sent yet, so nobody can know of it.
    let mut body = completed(&order);
    body["summary"] = "too early".into();
    post(world, &order, &body).await.unwrap();
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Queued);
    begin(world, &order).await.unwrap();
    post(world, &order, &completed(&order)).await.unwrap();
    for result in [SendResult::Accepted, SendResult::NotSent, SendResult::Unknown, SendResult::Refused] {
        report(world, &order, result).await;
    }
    let call = desk.get(&call.id).await;
    assert_eq!((call.status(), call.price.as_deref()), (CallStatus::Completed, Some("0.09")));
    assert_eq!(active(world).await, 0);
    check(world).await;
}

async fn a_webhook_comes_twice(world: &World) {
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.send(&call.id).await;
    report(world, &order, SendResult::Accepted).await;
    let posts = (0..10).map(|_| async { post(world, &order, &completed(&order)).await });
    for answer in futures_util::future::join_all(posts).await {
        answer.unwrap();
    }
    let mut other = completed(&order);
    other["status"] = "failed".into();
    post(world, &order, &other).await.unwrap();
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Completed);
    let told = desk.events(&call.id).await.into_iter().filter(|event| event.cause == "provider_event");
    assert_eq!(told.count(), 1);
    assert_eq!(active(world).await, 0);
    check(world).await;
}

async fn a_token_speaks_for_its_own_organisation(world: &World) {
    let (desk, other) = (Desk::new(world), Desk::new(world));
    let call = desk.create("+442079460018").await;
    let order = desk.send(&call.id).await;
    let theirs = desk.order(&other.create("+442079460018").await.id).await;
    assert_ne!(order.webhook_url, theirs.webhook_url);
    let wrong = CallOrder { webhook_url: theirs.webhook_url, ..order.clone() };
    post(world, &wrong, &completed(&order)).await.unwrap();
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Dialing);
    // The same words from the right one.
    post(world, &order, &completed(&order)).await.unwrap();
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Completed);
    let forged = CallOrder { webhook_url: format!("{}x", order.webhook_url), ..order.clone() };
    assert_eq!(code(post(world, &forged, &completed(&order)).await), ErrorCode::NotFound);
    check(world).await;
}

async fn a_webhook_for_nobody_is_taken_and_dropped(world: &World) {
    let desk = Desk::new(world);
    let order = desk.send(&desk.create("+442079460018").await.id).await;
    let body = json!({"call_id": "c-nobody", "completed": true, "status": "completed"});
    post(world, &order, &body).await.unwrap();
    let told = json!({"call_id": "c-nobody", "message": "Handling", "category": "call"});
    post(world, &order, &told).await.unwrap();
    assert_eq!(desk.get(&order.call_id).await.status(), CallStatus::Dialing);
    assert_eq!(code(post(world, &order, &json!([])).await), ErrorCode::InvalidArgument);
    check(world).await;
}

/// The campaign is locked before the pace, by everybody: else two reports could wait for each other.
async fn a_report_does_not_hold_the_pace_while_it_waits(world: &World) {
    if !world.pool.is_postgres() {
        return; // it has one writer
    }
    let desk = Desk::new(world);
    let call = desk.create("+442079460018").await;
    let order = desk.send(&call.id).await;
    world
        .sql(
            "INSERT INTO campaigns SELECT id, organisation_id, 'x', 'running', NULL, '{}', '\"all\"', 1, 1, true,
        NULL, NULL, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, now(), now(), now(), NULL FROM calls",
        )
        .await;
    world.sql("UPDATE calls SET campaign_id = id").await;
    let (locked, wait) = (tokio::sync::oneshot::channel(), std::sync::mpsc::channel::<()>());
    let (mut said, held) = (Some(locked.0), std::sync::Mutex::new(wait.1));
    let pool = world.pool.clone();
    let holder = tokio::spawn(async move {
        pool.write(move |db| -> Result<_, db::Error> {
            db.batch_execute("SELECT 1 FROM campaigns FOR UPDATE")?;
            said.take().unwrap().send(()).unwrap();
            held.lock().unwrap().recv().unwrap();
            // Whoever waits for the campaign has not locked this.
            Ok(db.batch_execute("SELECT 1 FROM pacing FOR UPDATE NOWAIT")?)
        })
        .await
    });
    locked.1.await.unwrap();
    let reported = async { post(world, &order, &completed(&order)).await };
    let meanwhile = async {
        testkit::eventually("the report waits for the campaign", DEADLINE, async || {
            // The first in the row's queue holds its place while it waits for the holder's end.
            let sql = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
                WHERE datname = current_database() AND locktype = 'tuple' AND relation = 'campaigns'::regclass";
            (number(world, sql).await > 0).then_some(())
        })
        .await;
        wait.0.send(()).unwrap();
    };
    let (reported, ()) = tokio::join!(reported, meanwhile);
    reported.unwrap();
    holder.await.unwrap().expect("the pace is free");
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Completed);
}

/// No table grows for ever.
async fn what_has_served_its_time_goes(world: &World) {
    let desk = Desk::new(world);
    let request = desk.request("+442079460018");
    let call = world.call_once::<CreateCall>(desk.user, "key", request).await.unwrap();
    let order = desk.send(&call.id).await;
    post(world, &order, &completed(&order)).await.unwrap();
    let rows = async |table| number(world, &format!("SELECT count(*) FROM {table}")).await;
    for table in ["stream_events", "idempotency", "webhook_inbox"] {
        assert!(rows(table).await > 0, "{table}");
    }
    // Each start begins with a look. Leases are the database's, and so are the times of what the pipeline wrote.
    world.clock.advance(2 * Duration::from_hours(24));
    world.sql(&format!("UPDATE stream_events SET at = {}", past(world))).await;
    let short = async || (rows("stream_events").await + rows("idempotency").await == 0).then_some(());
    world.with_replica(testkit::eventually("events and keys go after a day", DEADLINE, short)).await;
    assert_eq!(rows("webhook_inbox").await, 1, "a provider may still repeat itself");
    world.sql(&format!("UPDATE webhook_inbox SET received_at = {}", past(world))).await;
    let long = async || (rows("webhook_inbox").await == 0).then_some(());
    world.with_replica(testkit::eventually("what the provider said goes after two weeks", DEADLINE, long)).await;
    assert_eq!(desk.get(&call.id).await.status(), CallStatus::Completed);
}
