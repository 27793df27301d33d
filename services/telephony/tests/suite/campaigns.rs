//! Campaigns: filled in chunks, released at their pace, held and ended by people.

use crate::pipeline::{Desk, begin, check, claim, ended, number, release, report};
use crate::world::{DEADLINE, World, code};
use callfairy_core::ErrorCode;
use proto::jobs::{CallOutcome, SendResult};
use proto::rpc::{assistants, campaigns as rpc};
use proto::telephony::{
    Call, Campaign, CampaignStatus, CancelCampaignRequest, ContactSelection, CreateAssistantRequest,
    CreateCampaignRequest, DeleteAssistantRequest, GetCampaignRequest, ListCampaignCallsRequest, PauseCampaignRequest,
    ResumeCampaignRequest, StartCampaignRequest,
};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

testkit::on_both!(
    a_campaign_is_filled_in_chunks_and_once,
    no_more_calls_than_the_campaign_wants,
    the_campaigns_pace_is_kept,
    what_is_paused_waits,
    a_pause_reaches_what_is_claimed,
    what_is_cancelled_ends,
    what_is_claimed_stands_in_no_cancellations_way,
    a_campaign_comes_to_its_end,
    an_assistant_in_use_stays,
);

/// Contacts, straight into the table.
async fn contacts(desk: &Desk<'_>, count: usize) {
    let postgres = desk.world.pool.is_postgres();
    let (quote, now) = if postgres { ("'", "now()") } else { ("x'", "0") };
    let organisation = desk.organisation.uuid().simple();
    let row = |n| {
        let (id, number) = (Uuid::now_v7().simple(), 79_460_000 + n);
        let ids = format!("{quote}{id}', {quote}{organisation}'");
        format!("({ids}, 'Ada', 'ada', 'ada', '+4420{number}', '[]', '{{}}', {now}, {now})")
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    let columns = "id, organisation_id, name, sort_name, search, phone_number, tags, metadata, created_at, updated_at";
    desk.world.sql(&format!("INSERT INTO contacts ({columns}) VALUES {}", rows.join(", "))).await;
}

async fn create(desk: &Desk<'_>, max_concurrent: u32, calls_per_second: u32) -> Campaign {
    let request = CreateCampaignRequest {
        organisation_id: desk.organisation.to_string(),
        name: "Spring".to_owned(),
        task: "Say hello".to_owned(),
        contacts: Some(ContactSelection { all: true, ..ContactSelection::default() }),
        pacing: Some(proto::types::Pacing { max_concurrent, calls_per_second }),
        ..CreateCampaignRequest::default()
    };
    desk.world.call::<rpc::CreateCampaign>(desk.user, request).await.unwrap()
}

/// A campaign that runs.
async fn start(desk: &Desk<'_>, max_concurrent: u32, calls_per_second: u32) -> Campaign {
    let campaign = create(desk, max_concurrent, calls_per_second).await;
    let request = StartCampaignRequest { organisation_id: desk.organisation.to_string(), id: campaign.id };
    desk.world.call::<rpc::StartCampaign>(desk.user, request).await.unwrap()
}

async fn get(desk: &Desk<'_>, id: &str) -> Campaign {
    let request = GetCampaignRequest { organisation_id: desk.organisation.to_string(), id: id.to_owned() };
    desk.world.call::<rpc::GetCampaign>(desk.user, request).await.unwrap()
}

async fn pause(desk: &Desk<'_>, id: &str) -> Campaign {
    let request = PauseCampaignRequest { organisation_id: desk.organisation.to_string(), id: id.to_owned() };
    desk.world.call::<rpc::PauseCampaign>(desk.user, request).await.unwrap()
}

async fn resume(desk: &Desk<'_>, id: &str) -> Campaign {
    let request = ResumeCampaignRequest { organisation_id: desk.organisation.to_string(), id: id.to_owned() };
    desk.world.call::<rpc::ResumeCampaign>(desk.user, request).await.unwrap()
}

async fn cancel(desk: &Desk<'_>, id: &str) -> Campaign {
    let request = CancelCampaignRequest { organisation_id: desk.organisation.to_string(), id: id.to_owned() };
    desk.world.call::<rpc::CancelCampaign>(desk.user, request).await.unwrap()
}

async fn calls(desk: &Desk<'_>, id: &str) -> Vec<Call> {
    let organisation_id = desk.organisation.to_string();
    let request = ListCampaignCallsRequest { organisation_id, id: id.to_owned(), page_size: 100, ..Default::default() };
    desk.world.call::<rpc::ListCampaignCalls>(desk.user, request).await.unwrap().calls
}

async fn until(desk: &Desk<'_>, id: &str, what: &str, so: impl Fn(&Campaign) -> bool) -> Campaign {
    testkit::eventually(what, DEADLINE, async || Some(get(desk, id).await).filter(&so)).await
}

const RELEASED: &str = "SELECT count(*) FROM calls WHERE status = 'queued' AND due_at IS NOT NULL";

async fn released(world: &World, count: i64) {
    testkit::eventually("calls were released", DEADLINE, async || {
        (number(world, RELEASED).await == count).then_some(())
    })
    .await;
}

/// After the dispatcher has surely looked at all campaigns again.
async fn a_round(desk: &Desk<'_>) {
    let other = Desk::new(desk.world);
    contacts(&other, 1).await;
    for _ in 0..2 {
        let probe = start(&other, 1, 1).await;
        until(&other, &probe.id, "the dispatcher came by", |c| c.counts.unwrap().total == 1).await;
        cancel(&other, &probe.id).await;
        until(&other, &probe.id, "the probe ended", |c| c.finished_at.is_some()).await;
    }
}

async fn a_campaign_is_filled_in_chunks_and_once(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 2_300).await;
    let campaign = start(&desk, 3, 1_000).await;
    until(&desk, &campaign.id, "all calls were made", |c| c.counts.unwrap().total == 2_300).await;
    check(world).await;
    // A leader that did not know what another had done.
    world.sql("UPDATE campaigns SET filled_to = NULL, filled = (1 = 0)").await;
    a_round(&desk).await;
    testkit::eventually("it was filled again", DEADLINE, async || {
        (number(world, "SELECT count(*) FROM campaigns WHERE NOT filled").await == 0).then_some(())
    })
    .await;
    assert_eq!(get(&desk, &campaign.id).await.counts.unwrap().total, 2_300);
    check(world).await;
}

async fn no_more_calls_than_the_campaign_wants(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 20).await;
    let campaign = start(&desk, 3, 1_000).await;
    released(world, 3).await;
    let released: Vec<_> = calls(&desk, &campaign.id).await.into_iter().rev().take(3).collect();
    for (call, result) in released.iter().zip([SendResult::Accepted, SendResult::Unknown, SendResult::Accepted]) {
        let order = desk.send(&call.id).await;
        report(world, &order, result).await;
    }
    a_round(&desk).await;
    // The one in doubt may be going on.
    assert_eq!(number(world, RELEASED).await, 0);
    let counts = get(&desk, &campaign.id).await.counts.unwrap();
    assert_eq!((counts.queued, counts.active, counts.unknown), (17, 2, 1));
    check(world).await;
}

async fn the_campaigns_pace_is_kept(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 50).await;
    let begun = Instant::now();
    start(&desk, 50, 2).await;
    testkit::eventually("some were released", DEADLINE, async || (number(world, RELEASED).await >= 4).then_some(()))
        .await;
    // The first comes at once, and a second may be made good.
    assert!(begun.elapsed() > Duration::from_millis(400));
    let count = i32::try_from(number(world, RELEASED).await).unwrap();
    assert!(f64::from(count) <= 2.0 * (begun.elapsed().as_secs_f64() + 1.0) + 1.0, "{count}");
}

async fn what_is_paused_waits(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 5).await;
    let campaign = start(&desk, 2, 1_000).await;
    released(world, 2).await;
    assert_eq!(pause(&desk, &campaign.id).await.status(), CampaignStatus::Paused);
    assert_eq!(pause(&desk, &campaign.id).await.status(), CampaignStatus::Paused);
    for call in calls(&desk, &campaign.id).await {
        assert_eq!(claim(world, &call.id).await, None);
    }
    a_round(&desk).await;
    assert_eq!(number(world, RELEASED).await, 0);
    assert_eq!(resume(&desk, &campaign.id).await.status(), CampaignStatus::Running);
    released(world, 2).await;
    let first = calls(&desk, &campaign.id).await.pop().unwrap();
    desk.send(&first.id).await;
    check(world).await;
}

async fn a_pause_reaches_what_is_claimed(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 1).await;
    let campaign = start(&desk, 1, 1_000).await;
    released(world, 1).await;
    let call = calls(&desk, &campaign.id).await.pop().unwrap();
    let order = desk.order(&call.id).await;
    pause(&desk, &campaign.id).await;
    assert_eq!(code(begin(world, &order).await), ErrorCode::Conflict);
    check(world).await;
    assert_eq!(number(world, "SELECT active FROM pacing").await, 0);
    resume(&desk, &campaign.id).await;
    desk.send(&call.id).await;
}

async fn what_is_cancelled_ends(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 30).await;
    let campaign = start(&desk, 3, 1_000).await;
    released(world, 3).await;
    let mut all = calls(&desk, &campaign.id).await;
    let (dialing, claimed) = (all.pop().unwrap(), all.pop().unwrap());
    let dialing = desk.send(&dialing.id).await;
    let claimed = desk.order(&claimed.id).await;
    assert_eq!(cancel(&desk, &campaign.id).await.status(), CampaignStatus::Cancelled);
    until(&desk, &campaign.id, "the rest was canceled", |c| c.counts.unwrap().canceled == 28).await;
    assert_eq!(get(&desk, &campaign.id).await.finished_at, None);
    // What comes back is canceled too.
    release(world, &claimed).await;
    report(world, &dialing, SendResult::NotSent).await;
    let end = until(&desk, &campaign.id, "the campaign ended", |c| c.finished_at.is_some()).await;
    assert_eq!(end.counts.unwrap().canceled, 30);
    check(world).await;
}

/// Calls are locked before their campaign, by everybody: a cancellation waits for no call.
async fn what_is_claimed_stands_in_no_cancellations_way(world: &World) {
    if !world.pool.is_postgres() {
        return; // it has one writer
    }
    let desk = Desk::new(world);
    contacts(&desk, 3).await;
    let campaign = start(&desk, 3, 1_000).await;
    released(world, 3).await;
    let (locked, wait) = (tokio::sync::oneshot::channel(), std::sync::mpsc::channel::<()>());
    let (mut said, held) = (Some(locked.0), std::sync::Mutex::new(wait.1));
    let pool = world.pool.clone();
    let holder = tokio::spawn(async move {
        pool.write(move |db| -> Result<_, db::Error> {
            // As a claim does that is about to count.
            db.batch_execute("SELECT 1 FROM calls WHERE id = (SELECT id FROM calls LIMIT 1) FOR UPDATE")?;
            said.take().unwrap().send(()).unwrap();
            held.lock().unwrap().recv().unwrap();
            Ok(())
        })
        .await
    });
    locked.1.await.unwrap();
    cancel(&desk, &campaign.id).await;
    until(&desk, &campaign.id, "the others were canceled", |c| c.counts.unwrap().canceled == 2).await;
    wait.0.send(()).unwrap();
    holder.await.unwrap().unwrap();
    until(&desk, &campaign.id, "the last was canceled", |c| c.finished_at.is_some()).await;
    check(world).await;
}

async fn a_campaign_comes_to_its_end(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 3).await;
    let campaign = start(&desk, 3, 1_000).await;
    released(world, 3).await;
    let all = calls(&desk, &campaign.id).await;
    let (done, lost) = (desk.send(&all[0].id).await, desk.doubt(&all[1].id).await);
    report(world, &done, SendResult::Accepted).await;
    desk.look(&done, Some(ended(CallOutcome::Completed))).await;
    let refused = desk.send(&all[2].id).await;
    report(world, &refused, SendResult::Refused).await;
    a_round(&desk).await;
    assert_eq!(get(&desk, &campaign.id).await.status(), CampaignStatus::Running);
    // What only people can decide does not keep it open.
    desk.give_up(&lost).await;
    let end = until(&desk, &campaign.id, "the campaign is over", |c| c.status() == CampaignStatus::Completed).await;
    let counts = end.counts.unwrap();
    assert_eq!((counts.completed, counts.failed, counts.unknown, counts.total), (1, 1, 1, 3));
    let request = CancelCampaignRequest { organisation_id: desk.organisation.to_string(), id: campaign.id.clone() };
    assert_eq!(code(world.call::<rpc::CancelCampaign>(desk.user, request).await), ErrorCode::Conflict);
    desk.look(&lost, Some(ended(CallOutcome::NoAnswer))).await;
    assert_eq!(get(&desk, &campaign.id).await.counts.unwrap().no_answer, 1);
    check(world).await;
}

async fn an_assistant_in_use_stays(world: &World) {
    let desk = Desk::new(world);
    contacts(&desk, 1).await;
    let organisation_id = desk.organisation.to_string();
    let (name, prompt) = ("Ada".to_owned(), "Say hello".to_owned());
    let request = CreateAssistantRequest { organisation_id, name, prompt, ..CreateAssistantRequest::default() };
    let assistant = world.call::<assistants::CreateAssistant>(desk.user, request).await.unwrap();
    let request = CreateCampaignRequest {
        organisation_id: desk.organisation.to_string(),
        name: "Spring".to_owned(),
        assistant_id: assistant.id.clone(),
        contacts: Some(ContactSelection { all: true, ..ContactSelection::default() }),
        ..CreateCampaignRequest::default()
    };
    let campaign = world.call::<rpc::CreateCampaign>(desk.user, request).await.unwrap();
    let delete = DeleteAssistantRequest { organisation_id: desk.organisation.to_string(), id: assistant.id };
    let deleted = world.call::<assistants::DeleteAssistant>(desk.user, delete.clone()).await;
    assert_eq!(code(deleted), ErrorCode::Conflict);
    cancel(&desk, &campaign.id).await;
    world.call::<assistants::DeleteAssistant>(desk.user, delete.clone()).await.unwrap();
    assert_eq!(code(world.call::<assistants::DeleteAssistant>(desk.user, delete).await), ErrorCode::NotFound);
}
