//! A bounded set of connections, kept for the next one who needs one.
//!
//! Ours and not r2d2's, because the tasks queue in front of it without a thread each, and then a plain list does:
//! no threads of its own, and a database that refuses is reported at once instead of after the queue's timeout.

use crate::connect::{Place, Purpose};
use crate::tenant::Tenant;
use crate::watch::Watch;
use crate::{Db, Error, on};
use diesel::Connection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a task waits for its turn before it is told that the database is too busy.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is tried before it is lent.
const TRY_AFTER: Duration = Duration::from_secs(1);
/// An idle connection is closed after this time.
const MAX_IDLE: Duration = Duration::from_mins(5);
/// A connection is closed after this time, at its next return.
const MAX_AGE: Duration = Duration::from_mins(30);

/// Up to `size` connections for one purpose.
pub(crate) struct Connections {
    place: Place,
    purpose: Purpose,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// The last attempt to connect failed: an outage is logged when it begins and when it ends.
    down: AtomicBool,
}

struct Idle {
    db: Db,
    /// Whose rows it shows.
    tenant: Tenant,
    watch: Watch,
    born: Instant,
    since: Instant,
}

/// A connection on loan. Goes back when dropped, unless it is broken.
pub(crate) struct Loan {
    // Always there until `drop`.
    lent: Option<Idle>,
    tenant: Tenant,
    from: Arc<Connections>,
    _turn: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(place: Place, purpose: Purpose, size: usize) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(size));
        Arc::new(Self { place, purpose, turns, idle: Mutex::default(), down: AtomicBool::new(false) })
    }

    /// Waits in order of arrival until fewer than `size` connections are lent.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(Error::Unavailable("the pool is closed".to_owned())),
            Err(_) => Err(Error::Unavailable("all connections are busy".to_owned())),
        }
    }

    /// A connection that shows the tenant's rows. Blocks.
    pub(crate) fn lend(self: &Arc<Self>, turn: OwnedSemaphorePermit, tenant: Tenant) -> Result<Loan, Error> {
        let lent = match self.take_idle().map(|idle| idle.showing(tenant)) {
            Some(Ok(idle)) => idle,
            lost => {
                if lost.is_some() {
                    self.idle().clear();
                }
                self.connect()?.showing(tenant)?
            }
        };
        Ok(Loan { lent: Some(lent), tenant, from: Arc::clone(self), _turn: turn })
    }

    fn take_idle(&self) -> Option<Idle> {
        loop {
            // The lock is not held while the connection is tried.
            let mut idle = self.idle().pop()?;
            if idle.since.elapsed() < TRY_AFTER || idle.db.ping().is_ok() {
                return Some(idle);
            }
            // What one has lost, the others have too, most likely.
            self.idle().clear();
        }
    }

    fn connect(&self) -> Result<Idle, Error> {
        let connected = self.place.connect(self.purpose);
        match &connected {
            Ok(_) if self.down.swap(false, Ordering::Relaxed) => {
                tracing::info!(database = self.place.name(), "the database is back");
            }
            Err(error) if !self.down.swap(true, Ordering::Relaxed) => {
                tracing::error!(database = self.place.name(), %error, "cannot connect");
            }
            _ => {}
        }
        let (mut db, watch, now) = (connected?, Watch::default(), Instant::now());
        on!(&mut db, |c| c.set_instrumentation(watch.clone()));
        Ok(Idle { db, tenant: Tenant::Nobody, watch, born: now, since: now })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut lent: Idle) {
        if lent.db.is_broken() || lent.born.elapsed() > MAX_AGE {
            return;
        }
        lent.since = Instant::now();
        let mut idle = self.idle();
        idle.push(lent);
        // The longest idle stand in front, since the last returned is lent first.
        let stale = idle.iter().take_while(|one| one.since.elapsed() > MAX_IDLE).count();
        let closed: Vec<Idle> = idle.drain(..stale).collect();
        drop(idle);
        drop(closed);
    }
}

impl Loan {
    /// The connection, and what was seen on it.
    pub(crate) fn parts(&mut self) -> Result<(&mut Db, &Watch), Error> {
        match &mut self.lent {
            Some(lent) => Ok((&mut lent.db, &lent.watch)),
            None => Err(Error::Unavailable("the connection was lost".to_owned())),
        }
    }

    /// Takes a fresh connection in place of one that turned out to be lost.
    pub(crate) fn replace(&mut self) -> Result<(), Error> {
        self.lent = None;
        self.from.idle().clear();
        self.lent = Some(self.from.connect()?.showing(self.tenant)?);
        Ok(())
    }
}

impl Idle {
    /// If that fails, nobody knows what it shows, and it is closed.
    fn showing(mut self, tenant: Tenant) -> Result<Self, Error> {
        if self.tenant != tenant {
            tenant.show(&mut self.db)?;
            self.tenant = tenant;
        }
        Ok(self)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // After a panic nobody knows what state the connection is in.
        if let Some(lent) = self.lent.take().filter(|_| !std::thread::panicking()) {
            self.from.give_back(lent);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_has_an_end() {
        let place = Place::Sqlite { file: "never opened".to_owned() };
        let connections = Connections::new(place, Purpose::Read, 1);
        let turn = connections.turn().await.unwrap();
        assert!(matches!(connections.turn().await, Err(Error::Unavailable(_))));
        drop(turn);
        assert!(connections.turn().await.is_ok());
    }
}
