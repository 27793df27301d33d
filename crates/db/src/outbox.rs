//! Messages that a change must cause, written in the change's own transaction. A [`relay()`]
//! publishes them, at least once each.

mod relay;
mod row;

pub use relay::relay;
pub use row::{MessageId, OutboxRow, Outgoing};

use crate::schema::outbox;
use crate::{Db, on};
use callfairy_core::Timestamp;
use diesel::prelude::*;
use row::NewRow;
use std::cell::Cell;
use std::time::Duration;

/// Rows in one INSERT; six values each must stay under SQLite's 32,766.
const INSERT_BATCH: usize = 1_000;

thread_local! {
    /// The transaction that runs on this thread added rows. `Pool::write` runs a closure and its commit on one
    /// thread, and diesel's connections have no room for a mark of ours.
    static ADDED: Cell<bool> = const { Cell::new(false) };
}

/// Adds one message; it is published after the commit, or after its delay. Call it inside
/// [`Pool::write`](crate::Pool::write), beside the change that causes it.
pub fn add(db: &mut Db, message: Outgoing) -> QueryResult<MessageId> {
    // Not as a batch of one: those are prepared anew each time.
    let row = NewRow::from(message);
    on!(db, |c| diesel::insert_into(outbox::table).values(&row).execute(c))?;
    ADDED.set(true);
    Ok(row.id.0)
}

/// Adds many messages, thousands too, in few statements.
pub fn add_all(db: &mut Db, messages: Vec<Outgoing>) -> QueryResult<Vec<MessageId>> {
    let rows: Vec<NewRow> = messages.into_iter().map(NewRow::from).collect();
    for batch in rows.chunks(INSERT_BATCH) {
        on!(db, |c| diesel::insert_into(outbox::table).values(batch).execute(c))?;
        ADDED.set(true);
    }
    Ok(rows.iter().map(|row| row.id.0).collect())
}

/// How long the oldest message that is due has been waiting; zero when none is.
pub fn oldest_age(db: &mut Db) -> QueryResult<Duration> {
    let (now, oldest): (Timestamp, Option<Timestamp>) = on!(db, |c| outbox::table
        .filter(outbox::available_at.le(crate::now()))
        .select((crate::now(), diesel::dsl::min(outbox::available_at)))
        .first(c))?;
    Ok(oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)))
}

/// Whether the transaction on this thread added rows; forgets it.
pub(crate) fn take_added() -> bool {
    ADDED.take()
}
