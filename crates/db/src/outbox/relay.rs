//! From the table to the broker.

use super::row::{MessageId, OutboxRow};
use crate::schema::outbox;
use crate::{Db, Error, Pool, Sql, on, sql};
use callfairy_core::Timestamp;
use diesel::prelude::*;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many messages are claimed and published together.
const BATCH: i64 = 500;
/// How long a claim holds, by the database's clock. A relay that dies gives its batch to another one after this.
const CLAIM: Duration = Duration::from_secs(15);
/// How long a batch may take to publish: less than its claim.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look for what no commit of this process announced: due delays, other processes' rows, lapsed claims.
const POLL: Duration = Duration::from_secs(1);
/// A failed message waits for a random time up to this, doubled with each attempt, at most [`MAX_BACKOFF_MICROS`].
const BACKOFF_MICROS: i64 = 500_000;
const MAX_BACKOFF_MICROS: i64 = 30_000_000;
/// While nothing can be published or the database is away, the relay itself waits: doubled each time, between these.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(3);

/// Publishes what is in the outbox until `shutdown`; then it finishes the batch in hand.
///
/// `publish` answers one result for each row, in order; a missing one counts as a failure, and so does a batch that
/// takes longer than 10 s. What was published is deleted, what failed comes back after a backoff of at most 30 s.
/// Wakes at once on a commit of this process, looks every second otherwise.
///
/// A crash between publishing and deleting repeats messages, with the same [`OutboxRow::id`]. Any number of relays
/// may run, in any number of processes. A database that goes away is waited for.
pub async fn relay<F, Fut>(pool: Pool, shutdown: CancellationToken, publish: F)
where
    F: Fn(Vec<OutboxRow>) -> Fut,
    Fut: Future<Output = Vec<Result<(), String>>>,
{
    let mut health = Health::default();
    while !shutdown.is_cancelled() {
        let pause = match round(&pool, &publish).await {
            Ok(round) => health.after(&round),
            Err(error) => health.out_of_reach(&error),
        };
        match pause {
            Pause::None => {}
            Pause::UntilAdded => tokio::select! {
                () = shutdown.cancelled() => {}
                () = pool.outbox_added() => {}
                () = tokio::time::sleep(POLL) => {}
            },
            Pause::For(time) => tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(time) => {}
            },
        }
    }
}

/// One batch: claimed, published, settled.
struct Round {
    claimed: usize,
    failed: usize,
    /// The first failure's text.
    error: Option<String>,
}

async fn round<F, Fut>(pool: &Pool, publish: &F) -> Result<Round, Error>
where
    F: Fn(Vec<OutboxRow>) -> Fut,
    Fut: Future<Output = Vec<Result<(), String>>>,
{
    let Some((until, rows)) = pool.write(|db| claim(db).map_err(Error::from)).await? else {
        return Ok(Round { claimed: 0, failed: 0, error: None });
    };
    let ids: Vec<MessageId> = rows.iter().map(|row| row.id).collect();
    let results = match tokio::time::timeout(PUBLISH_TIMEOUT, publish(rows)).await {
        Ok(results) => results,
        Err(_) => vec![Err("the broker did not answer in time".to_owned()); ids.len()],
    };
    let mut results = results.into_iter();
    let (mut published, mut failed, mut error) = (Vec::new(), Vec::new(), None);
    for id in ids.iter().copied() {
        match results.next().unwrap_or_else(|| Err("no answer for this message".to_owned())) {
            Ok(()) => published.push(Sql(id)),
            Err(text) => {
                failed.push(Sql(id));
                error.get_or_insert(text);
            }
        }
    }
    let round = Round { claimed: ids.len(), failed: failed.len(), error };
    pool.write(move |db| settle(db, until, &published, &failed).map_err(Error::from)).await?;
    Ok(round)
}

/// Takes due messages that nobody holds, and holds them until the answered time.
fn claim(db: &mut Db) -> QueryResult<Option<(Timestamp, Vec<OutboxRow>)>> {
    let due = outbox::table
        .filter(outbox::available_at.le(crate::now()))
        .filter(outbox::claimed_until.is_null().or(outbox::claimed_until.le(crate::now().nullable())))
        // Not in the order of commits, which nothing tells; the longest due first.
        .order(outbox::available_at)
        .limit(BATCH);
    let rows = match db {
        Db::Postgres(c) => due.select(OutboxRow::as_select()).for_update().skip_locked().load(c)?,
        Db::Sqlite(c) => due.select(OutboxRow::as_select()).load(c)?,
    };
    if rows.is_empty() {
        return Ok(None);
    }
    let until = db.now()?.plus(CLAIM);
    on!(db, |c| diesel::update(outbox::table.filter(outbox::id.eq_any(rows.iter().map(|row| Sql(row.id)))))
        .set(outbox::claimed_until.eq(Sql(until)))
        .execute(c))?;
    Ok(Some((until, rows)))
}

fn settle(db: &mut Db, until: Timestamp, published: &[Sql<MessageId>], failed: &[Sql<MessageId>]) -> QueryResult<()> {
    if !published.is_empty() {
        on!(db, |c| diesel::delete(outbox::table.filter(outbox::id.eq_any(published))).execute(c))?;
    }
    if !failed.is_empty() {
        let later = diesel::dsl::sql::<sql::UtcTime>(&backoff(db.is_postgres()));
        // Unless the claim has lapsed and another relay holds the message now.
        let mine = outbox::table.filter(outbox::id.eq_any(failed)).filter(outbox::claimed_until.eq(Sql(until)));
        on!(db, |c| diesel::update(mine)
            .set((
                outbox::attempts.eq(outbox::attempts + 1),
                outbox::available_at.eq(later),
                outbox::claimed_until.eq(None::<Sql<Timestamp>>),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// When a failed message is due again: full jitter, by the database's clock and dice.
fn backoff(postgres: bool) -> String {
    let most = |least| format!("{least}({MAX_BACKOFF_MICROS}, {BACKOFF_MICROS} << {least}(attempts, 10))");
    if postgres {
        format!("statement_timestamp() + random() * {} * interval '1 microsecond'", most("least"))
    } else {
        // random() is any 64-bit number; the mask drops its sign.
        format!(
            "CAST(round(unixepoch('subsec') * 1000000) AS INTEGER) + (random() & 0x7fffffffffffffff) % ({} + 1)",
            most("min"),
        )
    }
}

enum Pause {
    None,
    UntilAdded,
    For(Duration),
}

/// Logs when an outage begins and when it ends, and paces the relay meanwhile.
#[derive(Default)]
struct Health {
    database_down: bool,
    broker_down: bool,
    pauses: u32,
}

impl Health {
    fn after(&mut self, round: &Round) -> Pause {
        if std::mem::take(&mut self.database_down) {
            tracing::info!("the outbox is within reach again");
        }
        if let Some(error) = &round.error
            && round.failed == round.claimed
        {
            if !std::mem::replace(&mut self.broker_down, true) {
                tracing::error!(error, messages = round.failed, "cannot publish; the messages stay in the outbox");
            }
            return self.pause();
        }
        if let Some(error) = &round.error {
            tracing::warn!(error, failed = round.failed, of = round.claimed, "some messages could not be published");
        }
        if round.claimed > 0 && std::mem::take(&mut self.broker_down) {
            tracing::info!("messages are published again");
        }
        self.pauses = 0;
        let full = i64::try_from(round.claimed).is_ok_and(|claimed| claimed == BATCH);
        if full { Pause::None } else { Pause::UntilAdded }
    }

    fn out_of_reach(&mut self, error: &Error) -> Pause {
        if std::mem::replace(&mut self.database_down, true) {
            tracing::debug!(%error, "still cannot read the outbox");
        } else {
            tracing::error!(%error, "cannot read the outbox");
        }
        self.pause()
    }

    fn pause(&mut self) -> Pause {
        let pause = MIN_PAUSE * 2_u32.saturating_pow(self.pauses.min(10));
        self.pauses += 1;
        Pause::For(pause.min(MAX_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(claimed: usize, failed: usize) -> Round {
        Round { claimed, failed, error: (failed > 0).then(|| "refused".to_owned()) }
    }

    fn wait(pause: &Pause) -> Option<Duration> {
        match pause {
            Pause::For(time) => Some(*time),
            Pause::None | Pause::UntilAdded => None,
        }
    }

    #[test]
    fn an_outage_is_waited_for_longer_and_longer() {
        let mut health = Health::default();
        let away = Error::Unavailable("away".to_owned());
        let pauses: Vec<_> = (0..20).filter_map(|_| wait(&health.out_of_reach(&away))).collect();
        assert_eq!(pauses[..3], [MIN_PAUSE, MIN_PAUSE * 2, MIN_PAUSE * 4]);
        assert_eq!(pauses[19], MAX_PAUSE);
        assert!(health.database_down);
        assert!(matches!(health.after(&round(0, 0)), Pause::UntilAdded));
        assert!(!health.database_down);
        // A broker that takes nothing is an outage, too; one that refuses some messages is not.
        assert_eq!(wait(&health.after(&round(3, 3))), Some(MIN_PAUSE));
        assert!(health.broker_down);
        assert!(matches!(health.after(&round(0, 0)), Pause::UntilAdded));
        assert!(health.broker_down, "nothing was published yet");
        assert!(matches!(health.after(&round(3, 1)), Pause::UntilAdded));
        assert!(!health.broker_down);
    }

    #[test]
    fn a_full_batch_is_followed_by_the_next() {
        assert!(matches!(Health::default().after(&round(500, 0)), Pause::None));
        assert!(matches!(Health::default().after(&round(499, 0)), Pause::UntilAdded));
    }
}
