//! Finds what fell silent: messages that were lost, claims whose holder died, calls that nothing is heard of.

use crate::domain::ids::CallId;
use crate::error::Result;
use crate::pipeline::{jobs, lapse};
use crate::state::State;
use crate::store::{attempts, calls, imports};
use access::SystemScope;
use db::{Db, outbox};
use runtime::Shutdown;
use std::time::Duration;

/// A due call whose message was sent this long ago, and that nobody claimed, is rung again.
const SILENCE: Duration = Duration::from_secs(30);
/// A lookup whose message was sent is asked for again after this.
const LOOKUP_SILENCE: Duration = Duration::from_mins(1);
/// A recording whose message was sent this long ago, and that is not copied, is rung again. Copying takes its time, and
/// the queue tries a message several times.
const RECORDING_SILENCE: Duration = Duration::from_mins(10);
/// Rows that one sweep takes of each kind; the next takes the rest.
const BATCH: i64 = 1_000;

/// Sweeps until the shutdown. Any number of processes may: each takes what it can lock.
pub async fn run(state: State, shutdown: Shutdown) -> Result<()> {
    while !shutdown.has_begun() {
        if let Err(error) = sweep(&state).await {
            tracing::warn!(%error, "the sweep failed, and will try again");
        }
        // With jitter, so that several processes do not sweep together.
        let pause = state.calls.sweep.mul_f64(0.5 + rand::random::<f64>());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.wait() => {}
        }
    }
    Ok(())
}

/// One round.
pub async fn sweep(state: &State) -> Result<()> {
    let lapsed = state
        .of_everyone(SystemScope::for_background_work())
        .read(|db| -> Result<_> { Ok(attempts::lapsed(db, BATCH)?) })
        .await?;
    for id in lapsed {
        if let Err(error) =
            state.of_everyone(SystemScope::for_background_work()).write(move |db| lapse::lapse(db, id)).await
        {
            // The others go on.
            tracing::warn!(%error, attempt = %id, "a claim that ran out cannot be ended, and will be tried again");
        }
    }
    let rung = state.of_everyone(SystemScope::for_background_work()).write(ring).await?;
    if rung > 0 {
        tracing::info!(rung, "rang again for what was not heard of");
    }
    Ok(())
}

/// Sends the messages again; answers how many.
fn ring(db: &mut Db) -> Result<usize> {
    let place = |id: CallId| jobs::place(id, Duration::ZERO);
    let mut messages: Vec<_> = calls::ring_again(db, SILENCE, BATCH)?.into_iter().map(place).collect();
    messages.extend(attempts::due_lookups(db, LOOKUP_SILENCE, BATCH)?.into_iter().map(jobs::look_up));
    messages.extend(calls::ring_recordings_again(db, RECORDING_SILENCE, BATCH)?.into_iter().map(jobs::record));
    messages.extend(imports::ring_again(db, SILENCE, BATCH)?.into_iter().map(jobs::import));
    let count = messages.len();
    outbox::add_all(db, messages)?;
    Ok(count)
}
