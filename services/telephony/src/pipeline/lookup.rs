//! Asking the provider what became of a call that nothing is heard of.

use crate::domain::backoff;
use crate::domain::ids::{AttemptId, CallId};
use crate::error::Result;
use crate::pipeline::{report, send};
use crate::state::CallSettings;
use crate::store::attempts::{self, AttemptRow, AttemptState};
use crate::store::call_events::Cause;
use crate::store::calls::{self, CallRow};
use crate::store::transitions::Happening;
use db::{Db, Sql};
use proto::jobs::CallReport;
use std::time::Duration;

/// What to ask for, unless the outcome is known by now.
pub fn find(db: &mut Db, id: CallId) -> Result<Option<(CallRow, AttemptRow)>> {
    let Some(attempt) = attempts::live(db, id)? else { return Ok(None) };
    if !matches!(attempt.state, AttemptState::Accepted | AttemptState::Unknown) {
        return Ok(None);
    }
    Ok(calls::lock(db, id)?.map(|call| (call, attempt)))
}

/// How long after its last news an attempt is looked up.
fn until_due(attempt: &AttemptRow, settings: &CallSettings) -> Duration {
    match (attempt.state, u32::try_from(attempt.lookups)) {
        (AttemptState::Accepted, Ok(0)) => settings.poll,
        (_, lookups) => lookups.ok().and_then(backoff::lookup_after).unwrap_or_default(),
    }
}

/// What the provider answered; `None`: it knows no such call.
pub fn answer(db: &mut Db, id: AttemptId, found: Option<&CallReport>, settings: &CallSettings) -> Result<()> {
    let now = db.now()?;
    let Some((mut call, mut attempt)) = send::lock(db, id)? else { return Ok(()) };
    if !matches!(attempt.state, AttemptState::Accepted | AttemptState::Unknown) {
        return Ok(());
    }
    if let Some(found) = found {
        return report::apply(db, &mut call, attempt, found, settings.poll, &Happening::new(Cause::LookedUp), now);
    }
    // A message that came twice asks twice: only a look that was due counts, or a call would be given up in no time.
    // One that was given up already is in the hands of people.
    if call.needs_review || now < attempt.updated_at.0.plus(until_due(&attempt, settings)) {
        return Ok(());
    }
    attempt.lookups += 1;
    let next = u32::try_from(attempt.lookups).ok().and_then(backoff::lookup_after);
    let Some(wait) = next else { return report::give_up(db, &mut call, attempt, now) };
    attempt.lookup_at = Some(Sql(now.plus(wait)));
    attempt.updated_at = Sql(now);
    Ok(attempts::save(db, &attempt)?)
}
