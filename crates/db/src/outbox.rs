//! Messages that a change must cause, written in the change's own transaction. A [`relay`](crate::outbox::relay)
//! publishes them, at least once each.

mod relay;
mod row;

pub use relay::relay;
pub use row::{MessageId, OutboxRow, Outgoing};

use crate::schema::outbox;
use crate::{Db, Json, Sql, now_plus, on};
use callfairy_core::{Id, Timestamp};
use diesel::prelude::*;
use std::cell::Cell;
use std::time::Duration;

/// Rows in one INSERT; six values each must stay under SQLite's 32,766.
const INSERT_BATCH: usize = 1_000;

thread_local! {
    /// The transaction that runs on this thread added rows. `Pool::write` runs a closure and its commit on one
    /// thread, and diesel's connections have no room for a mark of ours.
    static ADDED: Cell<bool> = const { Cell::new(false) };
}

/// Adds one message; it is published after the commit, or after `delay`. Call it inside
/// [`Pool::write`](crate::Pool::write), beside the change that causes it.
pub fn add(db: &mut Db, message: Outgoing) -> QueryResult<MessageId> {
    let id = Id::new();
    insert(db, vec![(id, message)])?;
    Ok(id)
}

/// Adds many messages, thousands too, in few statements.
pub fn add_all(db: &mut Db, messages: Vec<Outgoing>) -> QueryResult<Vec<MessageId>> {
    let mut ids = Vec::with_capacity(messages.len());
    let mut messages = messages.into_iter().map(|message| (Id::new(), message)).peekable();
    while messages.peek().is_some() {
        let batch: Vec<_> = messages.by_ref().take(INSERT_BATCH).collect();
        ids.extend(batch.iter().map(|(id, _)| *id));
        insert(db, batch)?;
    }
    Ok(ids)
}

fn insert(db: &mut Db, messages: Vec<(MessageId, Outgoing)>) -> QueryResult<()> {
    let rows: Vec<_> = messages
        .into_iter()
        .map(|(id, message)| {
            (
                outbox::id.eq(Sql(id)),
                outbox::topic.eq(message.topic),
                outbox::key.eq(message.key.map(Sql)),
                outbox::payload.eq(Json(message.payload)),
                outbox::headers.eq(Json(message.headers)),
                outbox::created_at.eq(crate::now()),
                outbox::available_at.eq(now_plus(message.delay)),
            )
        })
        .collect();
    on!(db, |c| diesel::insert_into(outbox::table).values(&rows).execute(c))?;
    ADDED.set(true);
    Ok(())
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
