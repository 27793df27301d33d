//! Telling other processes what has changed in who may do what.

use super::State;
use crate::store::access_changes::{self, Subject};
use crate::{Error, Result};
use ::access::LatestChange;
use callfairy_core::Problem;
use db::{Db, Pool};
use runtime::Shutdown;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, timeout};

/// How often one looks for changes that other replicas have made.
const LOOK: Duration = Duration::from_millis(20);

/// The number of the latest change that this process knows of.
#[derive(Clone)]
pub struct Changes {
    head: Arc<watch::Sender<i64>>,
    latest: LatestChange,
    shutdown: Shutdown,
}

impl Changes {
    pub fn new(latest: LatestChange, shutdown: Shutdown) -> Self {
        Self { head: Arc::new(watch::Sender::new(0)), latest, shutdown }
    }

    /// The same connections; what is changed by them is known here before the change is answered.
    pub fn noted(&self, pool: Pool) -> Pool {
        let changes = self.clone();
        pool.after_each_write(move |db| match access_changes::head(db) {
            Ok(head) => changes.note(head),
            Err(error) => tracing::warn!(%error, "a change of access is told a little later"),
        })
    }

    /// Follows what other replicas change.
    pub async fn follow(self, pool: Pool) -> Result<(), Infallible> {
        // A SQLite file has this one process.
        if !pool.is_postgres() {
            self.shutdown.wait().await;
            return Ok(());
        }
        let mut every = tokio::time::interval(LOOK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.wait() => return Ok(()),
                _ = every.tick() => {}
            }
            // Whoever waits for a change looks in the end, and is told what is wrong.
            if let Ok(head) = pool.read(|db| Ok::<_, Error>(access_changes::head(db)?)).await {
                self.note(head);
            }
        }
    }

    fn note(&self, head: i64) {
        self.latest.raise(head);
        self.head.send_if_modified(|known| std::mem::replace(known, head.max(*known)) < head);
    }

    /// Until there is a later change than this, or the time is over.
    async fn wait_for_one_after(&self, number: i64, time: Duration) -> Result<(), Problem> {
        let mut head = self.head.subscribe();
        tokio::select! {
            () = self.shutdown.wait() => Err(Problem::unavailable("tenancy")),
            _ = timeout(time, head.wait_for(|head| *head > number)) => Ok(()),
        }
    }
}

/// The changes after the one with the number `after`.
pub struct Told {
    pub head: i64,
    /// `None`: they cannot all be told.
    pub subjects: Option<Vec<Subject>>,
}

impl State {
    pub(super) async fn changes_after(&self, after: Option<i64>, time: Duration) -> Result<Told, Problem> {
        if let Some(after) = after {
            self.changes.wait_for_one_after(after, time).await?;
        }
        let find = move |db: &mut Db| -> Result<Told> {
            let head = access_changes::head(db)?;
            let told = match after {
                Some(after) if after <= head => access_changes::after(db, after)?,
                _ => None,
            };
            Ok(match told {
                Some((last, subjects)) => Told { head: last, subjects: Some(subjects) },
                None => Told { head, subjects: None },
            })
        };
        Ok(self.pool.read(find).await?)
    }
}
