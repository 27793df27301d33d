//! What the provider says of a call, by a webhook or when it is asked.

use crate::domain::call_status::CallStatus;
use crate::domain::report;
use crate::error::Result;
use crate::pipeline::{jobs, send};
use crate::store::attempts::{AttemptRow, AttemptState};
use crate::store::call_events::Cause;
use crate::store::calls::{CallRow, Turn};
use crate::store::schema::calls as table;
use crate::store::transitions::{Happening, advance, note};
use crate::store::{attempts, pacing, suppressions};
use access::SystemScope;
use callfairy_core::Timestamp;
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on, outbox};
use proto::jobs::CallReport;
use std::time::Duration;

/// Applies a report to a locked attempt and its call; without further news the provider is asked after `poll`. States
/// are ranked: what comes late or twice changes nothing.
pub fn apply(
    db: &mut Db,
    call: &mut CallRow,
    mut attempt: AttemptRow,
    report: &CallReport,
    poll: Duration,
    what: &Happening,
    now: Timestamp,
) -> Result<()> {
    if !attempt.state.is_live() || attempt.state == AttemptState::Intent {
        return Ok(());
    }
    if attempt.provider_call_id.is_none() && !report.provider_call_id.is_empty() {
        attempt.provider_call_id = Some(report.provider_call_id.clone());
    }
    attempt.raw = serde_json::from_str(&report.raw).ok().map(Json).or(attempt.raw);
    attempt.updated_at = Sql(now);
    let status = report::status(report);
    let what = what.clone().attempt(attempt.number);
    if !status.is_final() {
        // The provider has it, so it is not unknown any more; and it is news, so the next poll can wait.
        attempt.state = AttemptState::Accepted;
        attempt.lookups = 0;
        attempt.lookup_at = Some(Sql(now.plus(poll)));
        attempts::save(db, &attempt)?;
        let was_given_up = end_review(db, call)?;
        advance(db, call, status, what, now)?;
        if was_given_up {
            pacing::take_again(db)?;
        }
        return Ok(());
    }
    send::end(db, &mut attempt, AttemptState::Ended)?;
    write_outcome(db, call, report, now)?;
    if report::is_opt_out(report) {
        let scope = SystemScope::for_background_work().organisation(call.organisation_id.0);
        suppressions::add(db, &scope, &call.phone_number, "asked not to be called again", now)?;
    }
    if !report.recording_url.is_empty() {
        outbox::add(db, jobs::record(call.id.0))?;
    }
    let was_given_up = end_review(db, call)?;
    let what = Happening { detail: Some(report.error_message.clone()).filter(|m| !m.is_empty()), ..what };
    advance(db, call, status, what, now)?;
    if !was_given_up {
        pacing::give_back(db)?;
    }
    Ok(())
}

fn write_outcome(db: &mut Db, call: &mut CallRow, report: &CallReport, now: Timestamp) -> Result<()> {
    let time = |t: Option<proto::Timestamp>| t.and_then(|t| t.instant("at").ok()).map(Sql);
    let text = |t: &str| Some(t.replace('\0', "")).filter(|t| !t.is_empty());
    let turns: Vec<_> = report
        .turns
        .iter()
        .map(|turn| Turn {
            speaker: turn.speaker.clone(),
            text: turn.text.replace('\0', ""),
            at: turn.at.and_then(|t| t.instant("at").ok()),
        })
        .collect();
    call.ended_at = time(report.ended_at);
    on!(db, |c| diesel::update(table::table.find(call.id))
        .set((
            table::answered_by.eq(text(&report.answered_by)),
            table::duration.eq(report.duration.and_then(|d| i32::try_from(d).ok())),
            table::price_micros.eq(report.price_micros),
            table::summary.eq(text(&report.summary)),
            table::transcript.eq(text(&report.transcript)),
            table::turns.eq((!turns.is_empty()).then_some(Json(turns))),
            table::recording_source.eq(text(&report.recording_url)),
            table::reason.eq(text(&report.error_message)),
            table::started_at.eq(time(report.started_at)),
            table::failures.eq(0),
            // From here on the message that is waited for is the recording's.
            table::rung_at.eq(Sql(now)),
        ))
        .execute(c))?;
    Ok(())
}

/// Finds the attempt of a report: by our own id, else by the provider's.
pub fn attempt_of(db: &mut Db, ours: Option<uuid::Uuid>, provider_call_id: &str) -> Result<Option<AttemptRow>> {
    if let Some(id) = ours
        && let Some(attempt) = attempts::find(db, callfairy_core::Id::from_uuid(id))?
    {
        return Ok(Some(attempt));
    }
    Ok(attempts::find_by_provider(db, provider_call_id)?)
}

/// The late news wins: nobody has to decide any more. Answers whether somebody had to; such a call gave its place back
/// when it was given up.
pub fn end_review(db: &mut Db, call: &mut CallRow) -> Result<bool> {
    let was_given_up = std::mem::replace(&mut call.needs_review, false);
    if was_given_up {
        on!(db, |c| diesel::update(table::table.find(call.id)).set(table::needs_review.eq(false)).execute(c))?;
    }
    Ok(was_given_up)
}

/// A call that the provider does not know, after it was looked for often enough: people decide.
pub fn give_up(db: &mut Db, call: &mut CallRow, mut attempt: AttemptRow, now: Timestamp) -> Result<()> {
    attempt.state = AttemptState::Unknown;
    attempt.lookup_at = None;
    attempt.updated_at = Sql(now);
    attempts::save(db, &attempt)?;
    on!(db, |c| diesel::update(table::table.find(call.id)).set(table::needs_review.eq(true)).execute(c))?;
    call.needs_review = true;
    let what = Happening::new(Cause::NeedsReview).attempt(attempt.number);
    if !advance(db, call, CallStatus::Unknown, what.clone(), now)? {
        note(db, call, what, now)?;
    }
    Ok(pacing::give_back(db)?) // it waits for people, who may take days
}
