//! The fence, and what the one POST behind it came to.

use crate::domain::backoff;
use crate::domain::call_status::CallStatus;
use crate::domain::campaign::CampaignStatus;
use crate::domain::ids::AttemptId;
use crate::error::Result;
use crate::pipeline::{jobs, report};
use crate::state::CallSettings;
use crate::store::attempts::{self, AttemptRow, AttemptState};
use crate::store::call_events::Cause;
use crate::store::calls::{self, CallRow};
use crate::store::schema::calls as table;
use crate::store::transitions::{Happening, advance, note};
use crate::store::{campaigns, pacing, suppressions};
use access::SystemScope;
use callfairy_core::Timestamp;
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on, outbox};
use proto::jobs::{ReportSendRequest, SendResult};
use std::time::Duration;

/// While the account cannot dial, its calls come back at this pace.
const ACCOUNT_BLOCKED: Duration = Duration::from_mins(5);

/// However long the provider wants to be left alone.
const LONGEST_SLOW_DOWN: Duration = Duration::from_hours(1);

/// The attempt with its call, both locked: the call first, always.
pub fn lock(db: &mut Db, id: AttemptId) -> Result<Option<(CallRow, AttemptRow)>> {
    let Some(attempt) = attempts::find(db, id)? else { return Ok(None) };
    let Some(call) = calls::lock(db, attempt.call_id.0)? else { return Ok(None) };
    // Read again: it may have changed before the lock was ours.
    Ok(attempts::find(db, id)?.map(|attempt| (call, attempt)))
}

/// From `intent` to `sent`. Whoever gets `true` may POST, once. `false`: the claim is no longer theirs, or their
/// campaign was held meanwhile, and then the claim is given back.
pub fn begin(db: &mut Db, id: AttemptId, epoch: i64, settings: &CallSettings) -> Result<bool> {
    let now = db.now()?;
    let Some((mut call, mut attempt)) = lock(db, id)? else { return Ok(false) };
    let ours = attempt.state == AttemptState::Intent && attempt.epoch == epoch && call.epoch == epoch;
    if !ours || attempt.lease_until.0 <= now || !call.status.may_become(CallStatus::Dialing) {
        return Ok(false);
    }
    // Locked, so that whoever is told that the campaign is paused sees no call begin after.
    if let Some(campaign) = call.campaign_id
        && campaigns::lock_status(db, campaign.0)? != Some(CampaignStatus::Running)
    {
        attempt.updated_at = Sql(now);
        end(db, &mut attempt, AttemptState::Abandoned)?;
        note(db, &call, Happening::new(Cause::HeldBack).attempt(attempt.number), now)?;
        calls::set_due(db, call.id.0, None, now)?; // the campaign releases it again when it goes on
        pacing::give_back(db)?;
        return Ok(false);
    }
    attempt.state = AttemptState::Sent;
    attempt.sent_at = Some(Sql(now));
    attempt.updated_at = Sql(now);
    // The POST has its own time, from here.
    attempt.lease_until = Sql(now.plus(settings.lease));
    attempts::save(db, &attempt)?;
    call.attempts = attempt.number;
    on!(db, |c| diesel::update(table::table.find(call.id)).set(table::attempts.eq(call.attempts)).execute(c))?;
    advance(db, &mut call, CallStatus::Dialing, Happening::new(Cause::Sent).attempt(attempt.number), now)
}

/// Writes what the POST came to. A report for an attempt that is decided by now changes nothing.
pub fn report(
    db: &mut Db,
    id: AttemptId,
    request: &ReportSendRequest,
    dice: f64,
    settings: &CallSettings,
) -> Result<()> {
    let now = db.now()?;
    let Some((mut call, mut attempt)) = lock(db, id)? else { return Ok(()) };
    // Whoever was paused behind the fence still tells the truth about the world: an attempt that was given up as
    // unknown meanwhile learns it.
    if attempt.epoch != request.epoch || !matches!(attempt.state, AttemptState::Sent | AttemptState::Unknown) {
        return Ok(());
    }
    attempt.updated_at = Sql(now);
    if !request.message.is_empty() {
        attempt.message = Some(request.message.clone());
    }
    match request.result() {
        SendResult::Accepted => accepted(db, &mut call, attempt, &request.provider_call_id, settings.poll, now),
        SendResult::Refused => refused(db, &mut call, attempt, request, now),
        SendResult::Unknown | SendResult::Unspecified => unknown(db, &mut call, attempt, now),
        SendResult::NotSent => not_dialed(db, &mut call, attempt, None, dice, now),
        SendResult::SlowDown => {
            let wait = Some(Duration::from_secs(request.retry_after_seconds)).filter(|wait| !wait.is_zero());
            let wait = wait.map(|wait| wait.min(LONGEST_SLOW_DOWN));
            not_dialed(db, &mut call, attempt, wait, dice, now)
        }
        SendResult::AccountBlocked => {
            tracing::warn!(organisation = %call.organisation_id, "the provider's account cannot dial");
            not_dialed(db, &mut call, attempt, Some(ACCOUNT_BLOCKED), dice, now)
        }
    }
}

fn accepted(
    db: &mut Db,
    call: &mut CallRow,
    mut attempt: AttemptRow,
    provider_call_id: &str,
    poll: Duration,
    now: Timestamp,
) -> Result<()> {
    attempt.state = AttemptState::Accepted;
    attempt.provider_call_id = Some(provider_call_id.to_owned()).filter(|id| !id.is_empty());
    attempt.lookups = 0;
    attempt.lookup_at = Some(Sql(now.plus(poll)));
    attempts::save(db, &attempt)?;
    let what = Happening::new(Cause::ProviderAccepted).attempt(attempt.number);
    if call.status != CallStatus::Unknown {
        return note(db, call, what, now);
    }
    let was_given_up = report::end_review(db, call)?;
    advance(db, call, CallStatus::Dialing, what, now)?;
    if was_given_up {
        pacing::take_again(db)?;
    }
    Ok(())
}

fn refused(
    db: &mut Db,
    call: &mut CallRow,
    mut attempt: AttemptRow,
    request: &ReportSendRequest,
    now: Timestamp,
) -> Result<()> {
    end(db, &mut attempt, AttemptState::Refused)?;
    let reason = Some(&request.message).filter(|m| !m.is_empty());
    on!(db, |c| diesel::update(table::table.find(call.id)).set(table::reason.eq(reason)).execute(c))?;
    if request.suppress {
        let scope = SystemScope::for_background_work().organisation(call.organisation_id.0);
        suppressions::add(db, &scope, &call.phone_number, "the provider has it on its do-not-call list", now)?;
    }
    let was_given_up = report::end_review(db, call)?;
    let what = Happening::new(Cause::ProviderRefused).detail(&request.message).attempt(attempt.number);
    advance(db, call, CallStatus::Failed, what, now)?;
    if !was_given_up {
        pacing::give_back(db)?;
    }
    Ok(())
}

/// It may have been dialed: from now on the provider is asked, and nobody dials again.
pub fn unknown(db: &mut Db, call: &mut CallRow, mut attempt: AttemptRow, now: Timestamp) -> Result<()> {
    if attempt.state == AttemptState::Unknown {
        return Ok(attempts::save(db, &attempt)?);
    }
    attempt.state = AttemptState::Unknown;
    attempt.lookups = 0;
    attempt.lookup_at = backoff::lookup_after(0).map(|wait| Sql(now.plus(wait)));
    attempt.updated_at = Sql(now);
    attempts::save(db, &attempt)?;
    let mut what = Happening::new(Cause::OutcomeUnknown).attempt(attempt.number);
    what.detail.clone_from(&attempt.message);
    advance(db, call, CallStatus::Unknown, what, now)?;
    Ok(())
}

/// It was certainly not dialed: back to the queue, later. Only from behind the fence by the word of whoever sent.
fn not_dialed(
    db: &mut Db,
    call: &mut CallRow,
    mut attempt: AttemptRow,
    wait: Option<Duration>,
    dice: f64,
    now: Timestamp,
) -> Result<()> {
    if !call.status.may_become(CallStatus::Queued) {
        // It was given up as unknown before this was told. Now it is known, but a call that was in doubt is looked up,
        // never dialed again by itself.
        return Ok(attempts::save(db, &attempt)?);
    }
    end(db, &mut attempt, AttemptState::NotSent)?;
    let failures = u32::try_from(call.failures).unwrap_or_default();
    let wait = wait.unwrap_or_else(|| backoff::retry_after(failures, dice));
    let what = Happening { detail: attempt.message.clone(), ..Happening::new(Cause::NotDialed) };
    advance(db, call, CallStatus::Queued, what.attempt(attempt.number), now)?;
    on!(db, |c| diesel::update(table::table.find(call.id)).set(table::failures.eq(table::failures + 1)).execute(c))?;
    calls::set_due(db, call.id.0, Some(now.plus(wait)), now)?;
    outbox::add(db, jobs::place(call.id.0, wait))?;
    Ok(pacing::give_back(db)?)
}

/// Gives back a claim that has not passed the fence.
pub fn release(db: &mut Db, id: AttemptId, epoch: i64, cause: Cause) -> Result<()> {
    let now = db.now()?;
    let Some((call, mut attempt)) = lock(db, id)? else { return Ok(()) };
    if attempt.state != AttemptState::Intent || attempt.epoch != epoch {
        return Ok(());
    }
    attempt.updated_at = Sql(now);
    end(db, &mut attempt, AttemptState::Abandoned)?;
    note(db, &call, Happening::new(cause).attempt(attempt.number), now)?;
    if call.status == CallStatus::Queued {
        calls::set_due(db, call.id.0, Some(now), now)?;
        outbox::add(db, jobs::place(call.id.0, Duration::ZERO))?;
    }
    Ok(pacing::give_back(db)?)
}

/// The attempt is over; nothing is looked up any more.
pub fn end(db: &mut Db, attempt: &mut AttemptRow, state: AttemptState) -> Result<()> {
    attempt.state = state;
    attempt.lookup_at = None;
    Ok(attempts::save(db, attempt)?)
}
