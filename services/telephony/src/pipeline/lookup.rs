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

/// What to ask for, unless the outcome is known by now.
pub fn find(db: &mut Db, id: CallId) -> Result<Option<(CallRow, AttemptRow)>> {
    let Some(attempt) = attempts::live(db, id)? else { return Ok(None) };
    if !matches!(attempt.state, AttemptState::Accepted | AttemptState::Unknown) {
        return Ok(None);
    }
    Ok(calls::lock(db, id)?.map(|call| (call, attempt)))
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
    attempt.lookups += 1;
    let next = u32::try_from(attempt.lookups).ok().and_then(backoff::lookup_after);
    let Some(wait) = next else { return report::give_up(db, &mut call, attempt, now) };
    attempt.lookup_at = Some(Sql(now.plus(wait)));
    attempt.updated_at = Sql(now);
    Ok(attempts::save(db, &attempt)?)
}
