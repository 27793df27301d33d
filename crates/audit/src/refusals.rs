//! What a service refused, recorded.

use crate::{Action, Actor, Entry, record};
use access::{Refusal, Refusals};
use db::{Db, Pool};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often to look whether what was gathered is due.
const LOOK: Duration = Duration::from_millis(500);

/// Records what the service refuses, window by window, until `stop`; then what is left. Of refusals in a process
/// that dies, those of the last window are lost: they changed nothing.
pub async fn refusals(pool: Pool, refusals: Refusals, stop: CancellationToken) -> Result<(), Infallible> {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = every.tick() => write(&pool, &refusals, refusals.take_due()).await,
        }
    }
    write(&pool, &refusals, refusals.take_all()).await;
    Ok(())
}

async fn write(pool: &Pool, gathered: &Refusals, refusals: Vec<Refusal>) {
    if refusals.is_empty() {
        return;
    }
    let rows = refusals.clone();
    let written = pool.write(move |db: &mut Db| -> Result<(), db::Error> {
        Ok(rows.iter().try_for_each(|refusal| record(db, &entry(refusal), refusal.at))?)
    });
    if let Err(error) = written.await {
        tracing::warn!(%error, refusals = refusals.len(), "refusals are recorded later");
        gathered.give_back(refusals);
    }
}

fn entry(refusal: &Refusal) -> Entry {
    let actor = refusal.what.caller.as_ref().map_or(Actor::System, Actor::from);
    let entry =
        Entry::new(actor, Action::AccessRefused).refused().from_address(refusal.address).with("count", refusal.count);
    let Some(door) = refusal.what.door else { return entry.with("rpc", "several") };
    let entry = entry.with("rpc", door.rpc);
    let entry = door.permission.map_or(entry.clone(), |permission| entry.with("permission", permission));
    door.organisation.map_or(entry.clone(), |organisation| entry.within(organisation))
}
