//! Campaigns at their pace: makes their calls in chunks, releases them as there is room, finishes them.
//!
//! One process leads by a lease in the database; another takes over within seconds. What it does is done in
//! transactions, so that a leader who lost its lease without knowing does no harm.

use crate::domain::call_status::CallStatus;
use crate::domain::campaign::{CampaignStatus, allowance};
use crate::domain::ids::CampaignId;
use crate::error::Result;
use crate::pipeline::jobs;
use crate::state::State;
use crate::store::call_events::{self, CallEventRow, Cause};
use crate::store::calls::{self, NewCall};
use crate::store::campaigns::{self, CampaignRow};
use crate::store::contacts;
use crate::store::stream::{self, Subject};
use crate::store::transitions::{Happening, advance};
use access::{OrgScope, SystemScope};
use callfairy_core::{Id, Timestamp};
use db::{Db, Sql, lease, outbox};
use runtime::Shutdown;
use std::time::Duration;

const LEASE: &str = "campaign-dispatcher";
/// How long a leader leads without prolonging it.
const LEADS_FOR: Duration = Duration::from_secs(10);
/// How often each campaign is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the others ask whether they may lead.
const WAIT: Duration = Duration::from_secs(2);
/// Calls that one transaction makes or cancels.
const CHUNK: i64 = 1_000;
/// Campaigns that are looked at in one round.
const MAX_CAMPAIGNS: i64 = 1_000;

/// Dispatches until the shutdown.
pub async fn run(state: State, holder: String, shutdown: Shutdown) -> Result<()> {
    while !shutdown.has_begun() {
        let leads = match round(&state, &holder).await {
            Ok(leads) => leads,
            Err(error) => {
                tracing::warn!(%error, "the dispatcher failed, and will try again");
                false
            }
        };
        tokio::select! {
            () = tokio::time::sleep(if leads { TICK } else { WAIT }) => {}
            () = shutdown.wait() => {}
        }
    }
    // So that nobody has to wait for the lease to run out.
    state.pool.write(move |db| -> Result<_> { Ok(lease::release(db, LEASE, &holder)?) }).await
}

/// Looks at every open campaign once, if this process leads; answers whether it does.
async fn round(state: &State, holder: &str) -> Result<bool> {
    let holder = holder.to_owned();
    let leads = state.pool.write(move |db| -> Result<_> { Ok(lease::acquire(db, LEASE, &holder, LEADS_FOR)?) }).await?;
    if !leads {
        return Ok(false);
    }
    let open = state
        .of_everyone(SystemScope::for_background_work())
        .read(|db| -> Result<_> { Ok(campaigns::open(db, MAX_CAMPAIGNS)?) })
        .await?;
    for (organisation, id) in open {
        let scope = SystemScope::for_background_work().organisation(organisation);
        if let Err(error) = state.of(&scope).write(move |db| tend(db, &scope, id)).await {
            // The others go on.
            tracing::warn!(%error, campaign = %id, "a campaign cannot be tended, and will be tried again");
        }
    }
    Ok(true)
}

/// One campaign, one transaction.
pub fn tend(db: &mut Db, scope: &OrgScope, id: CampaignId) -> Result<()> {
    let now = db.now()?;
    if campaigns::status(db, scope, id)? == Some(CampaignStatus::Cancelled) {
        // Calls are locked before their campaign, so these go first.
        cancel(db, scope, id, now)?;
    }
    let Some(mut campaign) = campaigns::lock(db, scope, id)? else { return Ok(()) };
    let before = (campaign.status, campaign.filled, campaign.finished_at);
    match campaign.status {
        CampaignStatus::Running => {
            if !campaign.filled {
                fill(db, scope, &mut campaign, now)?;
            }
            release(db, scope, &mut campaign, now)?;
            if is_over(db, scope, &campaign)? {
                campaign.status = CampaignStatus::Completed;
                campaign.finished_at = Some(Sql(now));
            }
        }
        CampaignStatus::Cancelled => {
            if campaign.queued == 0 && campaign.active == 0 {
                campaign.finished_at = Some(Sql(now));
            }
        }
        CampaignStatus::Draft | CampaignStatus::Paused | CampaignStatus::Completed => return Ok(()),
    }
    if before != (campaign.status, campaign.filled, campaign.finished_at) {
        campaign.updated_at = Sql(now);
        stream::add(db, scope.organisation_id(), Subject::Campaign(id), now)?;
    }
    Ok(campaigns::save(db, &campaign)?)
}

/// Makes the calls of the next contacts. The key `(campaign, contact)` makes a repeated chunk harmless.
fn fill(db: &mut Db, scope: &OrgScope, campaign: &mut CampaignRow, now: Timestamp) -> Result<()> {
    let after = campaign.filled_to.map(|id| id.0);
    let contacts = contacts::chunk(db, scope, &campaign.selection.0, after, CHUNK)?;
    campaign.filled = contacts.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
    let Some(last) = contacts.last() else { return Ok(()) };
    campaign.filled_to = Some(Sql(last.id));
    let rows: Vec<_> = contacts
        .into_iter()
        .map(|contact| {
            let new = NewCall {
                id: Id::new(),
                phone_number: contact.phone_number,
                contact_id: Some(contact.id),
                campaign_id: Some(campaign.id.0),
                assistant_id: campaign.assistant_id.map(|id| id.0),
                script: campaign.script.0.clone(),
                metadata: contact.metadata,
                scheduled_at: None,
                due_at: None,
            };
            new.row(scope, now)
        })
        .collect();
    let new = calls::insert_new(db, &rows)?;
    let event = |id: &_| CallEventRow::new(scope, *id, CallStatus::Queued, Cause::Accepted, now);
    call_events::insert(db, &new.iter().map(event).collect::<Vec<_>>())?;
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    campaign.queued += count;
    Ok(campaigns::count_queued(db, campaign.id.0, count)?)
}

/// Releases as many calls as the pace and the room allow.
fn release(db: &mut Db, scope: &OrgScope, campaign: &mut CampaignRow, now: Timestamp) -> Result<()> {
    // What is in doubt may be going on.
    let going_on = campaign.active + calls::released(db, campaign.id.0)? + in_doubt(db, scope, campaign)?;
    let room = u32::try_from(i64::from(campaign.max_concurrent) - going_on).unwrap_or_default();
    let per_second = campaign.calls_per_second.unsigned_abs();
    let (count, next) = allowance(now, campaign.next_release_at.map(|t| t.0), per_second, room);
    if count == 0 {
        return Ok(());
    }
    let ids = calls::held(db, campaign.id.0, i64::from(count))?;
    if ids.is_empty() {
        return Ok(());
    }
    campaign.next_release_at = Some(Sql(next));
    calls::release(db, &ids, now)?;
    outbox::add_all(db, ids.into_iter().map(|id| jobs::place(id, Duration::ZERO)).collect())?;
    Ok(())
}

/// Cancels some of the calls that are not being dialed.
fn cancel(db: &mut Db, scope: &OrgScope, id: CampaignId, now: Timestamp) -> Result<()> {
    // All of them before the first counter: whoever holds one and waits for the campaign is passed over.
    for mut call in calls::lock_unclaimed(db, scope, id, CHUNK)? {
        advance(db, &mut call, CallStatus::Canceled, Happening::new(Cause::CampaignCancelled), now)?;
    }
    Ok(())
}

/// Nothing is left to do but what people decide.
fn is_over(db: &mut Db, scope: &OrgScope, campaign: &CampaignRow) -> Result<bool> {
    let is_idle = campaign.filled && campaign.queued == 0 && campaign.active == 0;
    Ok(is_idle && in_doubt(db, scope, campaign)? == 0)
}

/// Most campaigns have no such call, and are not asked.
fn in_doubt(db: &mut Db, scope: &OrgScope, campaign: &CampaignRow) -> Result<i64> {
    if campaign.unknown == 0 { Ok(0) } else { Ok(calls::in_doubt(db, scope, campaign.id.0)?) }
}
