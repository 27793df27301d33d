//! Incoming webhooks that were taken.

use crate::store::schema::webhook_inbox;
use callfairy_core::{OrganisationId, Timestamp};
use db::diesel::prelude::*;
use db::purge::BATCH;
use db::{Db, Sql, diesel, on};
use std::time::Duration;

/// A provider repeats itself for hours, not for weeks.
pub const KEPT: Duration = Duration::from_hours(14 * 24);

/// Takes an event; false when it was taken before.
pub fn take(db: &mut Db, organisation: OrganisationId, key: &[u8; 32], now: Timestamp) -> QueryResult<bool> {
    let row = (
        webhook_inbox::event_key.eq(key.as_slice()),
        webhook_inbox::organisation_id.eq(Sql(organisation)),
        webhook_inbox::received_at.eq(Sql(now)),
    );
    on!(db, |c| diesel::insert_into(webhook_inbox::table).values(row).on_conflict_do_nothing().execute(c))
        .map(|rows| rows == 1)
}

/// For [`db::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = webhook_inbox::table
        .filter(webhook_inbox::received_at.lt(Sql(now.minus(KEPT))))
        .order(webhook_inbox::received_at)
        .limit(BATCH)
        .select(webhook_inbox::event_key);
    on!(db, |c| {
        let keys: Vec<Vec<u8>> = old.load(c)?;
        diesel::delete(webhook_inbox::table.filter(webhook_inbox::event_key.eq_any(keys))).execute(c)
    })
}
