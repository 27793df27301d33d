//! Taking a call: the compare-and-set, the gate, the intent.

use crate::domain::call_status::CallStatus;
use crate::domain::campaign::CampaignStatus;
use crate::domain::gate::{self, Facts, Verdict};
use crate::domain::ids::CallId;
use crate::error::Result;
use crate::pipeline::jobs;
use crate::state::CallSettings;
use crate::store::attempts::{self, AttemptRow, AttemptState};
use crate::store::call_events::Cause;
use crate::store::calls::{self, CallRow};
use crate::store::schema::calls as table;
use crate::store::transitions::{Happening, advance, note};
use crate::store::{campaigns, pacing, suppressions};
use access::{OrgScope, SystemScope};
use callfairy_core::{Id, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on, outbox};

/// A claim that passed the gate.
#[derive(Debug)]
pub struct Claimed {
    pub call: CallRow,
    pub attempt: AttemptRow,
}

/// Whose call it is: what the gate asks of other services is asked before the transaction.
pub fn organisation(db: &mut Db, id: CallId) -> Result<Option<OrgScope>> {
    let call = on!(db, |c| table::table.find(Sql(id)).select(CallRow::as_select()).first(c).optional())?;
    Ok(call.map(|call| SystemScope::for_background_work().organisation(call.organisation_id.0)))
}

/// Takes the call for `worker`. `None`: there is nothing to do, or not now, or never; then all that follows from it is
/// written.
pub fn claim(
    db: &mut Db,
    scope: &OrgScope,
    id: CallId,
    worker: &str,
    organisation_is_active: bool,
    settings: &CallSettings,
) -> Result<Option<Claimed>> {
    let now = db.now()?;
    let Some(mut call) = calls::lock(db, id)?.filter(|call| is_due(call, now)) else { return Ok(None) };
    if attempts::live(db, id)?.is_some() {
        return Ok(None);
    }
    if let Some(campaign) = call.campaign_id
        && campaigns::status(db, scope, campaign.0)? != Some(CampaignStatus::Running)
    {
        calls::set_due(db, id, None, now)?; // the campaign releases it again when it goes on
        return Ok(None);
    }
    // One claim for a number at a time, or two at the same moment would not see each other.
    calls::lock_number(db, scope, &call.phone_number)?;
    // In this order: a call that ends with a wish not to be called again ends and suppresses in one commit.
    let number_is_busy = calls::number_is_busy(db, scope, &call.phone_number, id)?;
    let suppressed = suppressions::reason(db, scope, &call.phone_number)?;
    let mut facts = Facts {
        now,
        phone_number: &call.phone_number,
        organisation_is_active,
        suppressed,
        number_is_busy,
        full_until: None,
    };
    let mut verdict = gate::decide(&facts);
    if verdict == Verdict::Pass {
        // Last, since it takes a place.
        facts.full_until = pacing::take(db, now, settings.max_concurrent, settings.per_second)?.err();
        verdict = gate::decide(&facts);
    }
    match verdict {
        Verdict::Pass => {}
        Verdict::Later { until, why } => {
            calls::set_due(db, id, Some(until), now)?;
            outbox::add(db, jobs::place(id, until.since(now)))?;
            tracing::debug!(call = %id, why, "not now");
            return Ok(None);
        }
        Verdict::Blocked { why } => {
            on!(db, |c| diesel::update(table::table.find(call.id)).set(table::reason.eq(&why)).execute(c))?;
            advance(db, &mut call, CallStatus::Blocked, Happening::new(Cause::Blocked).detail(why), now)?;
            return Ok(None);
        }
    }
    let lease_until = Sql(now.plus(settings.lease));
    call.epoch += 1;
    on!(db, |c| diesel::update(table::table.find(call.id))
        .set((
            table::epoch.eq(call.epoch),
            table::claimed_until.eq(lease_until),
            table::claimed_by.eq(worker),
            table::updated_at.eq(Sql(now)),
        ))
        .execute(c))?;
    let attempt = AttemptRow {
        id: Sql(Id::new()),
        organisation_id: call.organisation_id,
        call_id: call.id,
        number: call.attempts + 1,
        epoch: call.epoch,
        state: AttemptState::Intent,
        lease_until,
        rule_version: gate::RULE_VERSION,
        provider_call_id: None,
        message: None,
        raw: None,
        lookups: 0,
        lookup_at: None,
        sent_at: None,
        created_at: Sql(now),
        updated_at: Sql(now),
    };
    attempts::insert(db, &attempt)?;
    note(db, &call, Happening::new(Cause::Claimed).detail(format!("by {worker}")).attempt(attempt.number), now)?;
    Ok(Some(Claimed { call, attempt }))
}

fn is_due(call: &CallRow, now: Timestamp) -> bool {
    call.status == CallStatus::Queued
        && call.due_at.is_some_and(|due| due.0 <= now)
        && call.claimed_until.is_none_or(|until| until.0 <= now)
}
