//! Both sides of a call's life, played by the tests; and the books that must balance at every moment.

use crate::world::{DEADLINE, World};
use callfairy_core::{OrganisationId, Problem, UserId};
use db::diesel::prelude::*;
use db::diesel::sql_types::BigInt;
use db::{diesel, on};
use proto::jobs::{
    BeginSendRequest, CallOrder, CallOutcome, CallProgress, CallReport, ClaimCallRequest, ReleaseCallRequest,
    ReportLookupRequest, ReportSendRequest, SendResult,
};
use proto::rpc::call_jobs as jobs;
use proto::rpc::calls as rpc;
use proto::telephony::{Call, CallEvent, CallStatus, CreateCallRequest, GetCallRequest, ListCallEventsRequest};
use queue::{Outcome, QueueName};
use tokio_util::sync::CancellationToken;

/// An organisation with somebody who orders calls.
pub struct Desk<'w> {
    pub world: &'w World,
    pub organisation: OrganisationId,
    pub user: UserId,
}

impl<'w> Desk<'w> {
    pub fn new(world: &'w World) -> Self {
        let (organisation, user) = world.organisation();
        Self { world, organisation, user }
    }

    pub fn request(&self, phone_number: &str) -> CreateCallRequest {
        CreateCallRequest {
            organisation_id: self.organisation.to_string(),
            phone_number: phone_number.to_owned(),
            task: "Say hello".to_owned(),
            ..CreateCallRequest::default()
        }
    }

    pub async fn create(&self, phone_number: &str) -> Call {
        self.world.call::<rpc::CreateCall>(self.user, self.request(phone_number)).await.unwrap()
    }

    /// A call to a number of its own.
    pub async fn create_nth(&self, n: usize) -> Call {
        self.create(&format!("+442079460{n:03}")).await
    }

    pub async fn get(&self, id: &str) -> Call {
        let get = GetCallRequest { organisation_id: self.organisation.to_string(), id: id.to_owned() };
        self.world.call::<rpc::GetCall>(self.user, get).await.unwrap()
    }

    pub async fn events(&self, id: &str) -> Vec<CallEvent> {
        let request = ListCallEventsRequest {
            organisation_id: self.organisation.to_string(),
            id: id.to_owned(),
            page_size: 100,
            ..ListCallEventsRequest::default()
        };
        self.world.call::<rpc::ListCallEvents>(self.user, request).await.unwrap().events
    }

    /// Claims a call, as soon as the pace allows.
    pub async fn order(&self, id: &str) -> CallOrder {
        testkit::eventually("the call was claimed", DEADLINE, async || claim(self.world, id).await).await
    }

    /// Claims it and passes the fence.
    pub async fn send(&self, id: &str) -> CallOrder {
        let order = self.order(id).await;
        begin(self.world, &order).await.unwrap();
        order
    }

    /// Claims it, sends it, and does not know what became of it.
    pub async fn doubt(&self, id: &str) -> CallOrder {
        let order = self.send(id).await;
        report(self.world, &order, SendResult::Unknown).await;
        assert_eq!(self.get(id).await.status(), CallStatus::Unknown);
        order
    }

    /// Reports what the provider knows.
    pub async fn look(&self, order: &CallOrder, report: Option<CallReport>) {
        let request = ReportLookupRequest { attempt_id: order.attempt_id.clone(), report };
        self.world.asks::<jobs::ReportLookup>(request).await.unwrap();
    }

    /// Looks in vain, as often as there is patience for.
    pub async fn give_up(&self, order: &CallOrder) {
        for _ in 0..5 {
            assert!(!self.get(&order.call_id).await.needs_review);
            self.world.sql(&format!("UPDATE attempts SET updated_at = {}", past(self.world))).await;
            self.look(order, None).await;
        }
        let call = self.get(&order.call_id).await;
        assert_eq!((call.status(), call.needs_review), (CallStatus::Unknown, true));
    }
}

pub async fn claim(world: &World, call: &str) -> Option<CallOrder> {
    let request = ClaimCallRequest { call_id: call.to_owned(), worker: "worker".to_owned() };
    world.asks::<jobs::ClaimCall>(request).await.unwrap().order
}

pub async fn begin(world: &World, order: &CallOrder) -> Result<(), Problem> {
    let request = BeginSendRequest { attempt_id: order.attempt_id.clone(), epoch: order.epoch };
    world.asks::<jobs::BeginSend>(request).await.map(|_| ())
}

pub async fn report(world: &World, order: &CallOrder, result: SendResult) {
    let request = ReportSendRequest {
        attempt_id: order.attempt_id.clone(),
        epoch: order.epoch,
        result: result.into(),
        provider_call_id: if result == SendResult::Accepted { order.attempt_id.clone() } else { String::new() },
        ..ReportSendRequest::default()
    };
    world.asks::<jobs::ReportSend>(request).await.unwrap();
}

pub async fn release(world: &World, order: &CallOrder) {
    let request = ReleaseCallRequest { attempt_id: order.attempt_id.clone(), epoch: order.epoch };
    world.asks::<jobs::ReleaseCall>(request).await.unwrap();
}

pub fn progress(progress: CallProgress) -> CallReport {
    CallReport { progress: progress.into(), provider_call_id: "c-1".to_owned(), ..CallReport::default() }
}

pub fn ended(outcome: CallOutcome) -> CallReport {
    CallReport { outcome: outcome.into(), ..progress(CallProgress::Ended) }
}

/// Long ago, in SQL.
pub fn past(world: &World) -> &'static str {
    if world.pool.is_postgres() { "to_timestamp(0)" } else { "0" }
}

/// As if the lease of every claim had run out.
pub async fn lapse(world: &World) {
    let past = past(world);
    let sql = format!("UPDATE calls SET claimed_until = {past} WHERE claimed_until IS NOT NULL;");
    world.sql(&format!("{sql} UPDATE attempts SET lease_until = {past}")).await;
}

pub async fn number(world: &World, sql: &str) -> i64 {
    let sql = sql.to_owned();
    let read = move |db: &mut db::Db| -> Result<i64, db::Error> {
        Ok(on!(db, |c| diesel::dsl::sql::<BigInt>(&sql).get_result::<i64>(c))?)
    };
    world.pool.read(read).await.unwrap()
}

/// Places that are taken.
pub async fn active(world: &World) -> i64 {
    number(world, "SELECT active FROM pacing").await
}

/// What must hold at every moment.
pub async fn check(world: &World) {
    let live = "a.state IN ('intent', 'sent', 'accepted', 'unknown')";
    let placed = format!(
        "SELECT active - (SELECT count(*) FROM attempts a JOIN calls c ON c.id = a.call_id
         WHERE {live} AND NOT c.needs_review) FROM pacing"
    );
    assert_eq!(number(world, &placed).await, 0, "places are not those of the calls that hold one");
    let twice = format!(
        "SELECT count(*) FROM (SELECT call_id FROM attempts a WHERE {live} GROUP BY call_id HAVING count(*) > 1) t"
    );
    assert_eq!(number(world, &twice).await, 0, "two attempts of one call");
    // Whatever is being dialed has an attempt that is not over.
    let orphans = format!(
        "SELECT count(*) FROM calls c WHERE status IN ('dialing', 'ringing', 'in_progress', 'unknown')
         AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.call_id = c.id AND {live})"
    );
    assert_eq!(number(world, &orphans).await, 0, "a call without an attempt");
    let untold = "SELECT count(*) FROM calls c WHERE status <>
        (SELECT status FROM call_events e WHERE e.call_id = c.id ORDER BY id DESC LIMIT 1)";
    assert_eq!(number(world, untold).await, 0, "a state without its event");
    for (bucket, statuses) in [
        ("queued", "'queued'"),
        ("active", "'dialing', 'ringing', 'in_progress'"),
        ("completed", "'completed'"),
        ("no_answer", "'no_answer'"),
        ("busy", "'busy'"),
        ("voicemail", "'voicemail'"),
        ("failed", "'failed'"),
        ("canceled", "'canceled'"),
        ("blocked", "'blocked'"),
        ("unknown", "'unknown'"),
    ] {
        let sql = format!(
            "SELECT count(*) FROM campaigns p WHERE {bucket} <>
             (SELECT count(*) FROM calls c WHERE c.campaign_id = p.id AND c.status IN ({statuses}))"
        );
        assert_eq!(number(world, &sql).await, 0, "{bucket} is miscounted");
    }
}

/// Reads messages of a queue until one is about the call.
pub async fn rung(world: &World, queue: QueueName, call: &str) {
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let consume = world.queue.consume(queue, 1, stop.clone(), move |message| {
        let heard = heard.clone();
        async move {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            let _ = heard.send(body["call_id"].as_str().unwrap().to_owned());
            Outcome::Done
        }
    });
    let hear = async {
        while tokio::time::timeout(DEADLINE, hear.recv()).await.expect("somebody rings").unwrap() != call {}
        stop.cancel();
    };
    let _ = tokio::join!(consume, hear);
}
