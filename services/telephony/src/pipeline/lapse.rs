//! Claims whose holder fell silent.

use crate::domain::ids::AttemptId;
use crate::error::Result;
use crate::pipeline::send;
use crate::store::attempts::AttemptState;
use crate::store::call_events::Cause;
use db::Db;

/// Before the fence: nothing was sent, and the call goes back to the queue. Behind it: it may have been dialed.
pub fn lapse(db: &mut Db, id: AttemptId) -> Result<()> {
    let now = db.now()?;
    let Some((mut call, mut attempt)) = send::lock(db, id)? else { return Ok(()) };
    if attempt.lease_until.0 > now {
        return Ok(());
    }
    match attempt.state {
        AttemptState::Intent => send::release(db, id, attempt.epoch, Cause::LeaseExpired),
        AttemptState::Sent => {
            attempt.message = Some("whoever sent it fell silent".into());
            send::unknown(db, &mut call, attempt, now)
        }
        _ => Ok(()),
    }
}
