//! Attempts: each is at most one POST to the provider.

use crate::domain::ids::{AttemptId, CallId};
use crate::store::schema::attempts;
use callfairy_core::{OrganisationId, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};
use std::time::Duration;

db::text_enum!(
    pub enum AttemptState {
        /// Claimed; nothing was sent.
        Intent = "intent",
        /// Past the fence: the POST may have been sent.
        Sent = "sent",
        /// The provider has it.
        Accepted = "accepted",
        /// It may have been dialed.
        Unknown = "unknown",
        /// The provider refused it for good.
        Refused = "refused",
        /// Certainly not dialed.
        NotSent = "not_sent",
        /// Given back, or its lease ran out, before the fence.
        Abandoned = "abandoned",
        /// The call is over.
        Ended = "ended",
    }
);

impl AttemptState {
    /// Whether it stands in the way of another attempt for the same call.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Intent | Self::Sent | Self::Accepted | Self::Unknown)
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = attempts, treat_none_as_default_value = false)]
pub struct AttemptRow {
    pub id: Sql<AttemptId>,
    pub organisation_id: Sql<OrganisationId>,
    pub call_id: Sql<CallId>,
    pub number: i32,
    pub epoch: i64,
    pub state: AttemptState,
    pub lease_until: Sql<Timestamp>,
    pub rule_version: i32,
    pub provider_call_id: Option<String>,
    pub message: Option<String>,
    pub raw: Option<Json>,
    pub lookups: i32,
    pub lookup_at: Option<Sql<Timestamp>>,
    pub sent_at: Option<Sql<Timestamp>>,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

pub fn insert(db: &mut Db, row: &AttemptRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(attempts::table).values(row).execute(c)).map(|_| ())
}

pub fn find(db: &mut Db, id: AttemptId) -> QueryResult<Option<AttemptRow>> {
    on!(db, |c| attempts::table.filter(attempts::id.eq(Sql(id))).select(AttemptRow::as_select()).first(c).optional())
}

/// The attempt that the provider calls so; the newest, should a provider repeat itself.
pub fn find_by_provider(db: &mut Db, provider_call_id: &str) -> QueryResult<Option<AttemptRow>> {
    on!(db, |c| attempts::table
        .filter(attempts::provider_call_id.eq(provider_call_id))
        .order(attempts::id.desc())
        .select(AttemptRow::as_select())
        .first(c)
        .optional())
}

/// The attempt of a call that is not over.
pub fn live(db: &mut Db, call: CallId) -> QueryResult<Option<AttemptRow>> {
    let live = AttemptState::ALL.iter().copied().filter(|s| s.is_live());
    on!(db, |c| attempts::table
        .filter(attempts::call_id.eq(Sql(call)))
        .filter(attempts::state.eq_any(live))
        .select(AttemptRow::as_select())
        .first(c)
        .optional())
}

/// Writes the parts of an attempt that change.
pub fn save(db: &mut Db, row: &AttemptRow) -> QueryResult<()> {
    on!(db, |c| diesel::update(attempts::table.find(row.id))
        .set((
            attempts::state.eq(row.state),
            attempts::lease_until.eq(row.lease_until),
            attempts::provider_call_id.eq(&row.provider_call_id),
            attempts::message.eq(&row.message),
            attempts::raw.eq(&row.raw),
            attempts::lookups.eq(row.lookups),
            attempts::lookup_at.eq(row.lookup_at),
            attempts::sent_at.eq(row.sent_at),
            attempts::updated_at.eq(row.updated_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// Attempts whose claim ran out before their outcome was reported.
pub fn lapsed(db: &mut Db, limit: i64) -> QueryResult<Vec<AttemptId>> {
    on!(db, |c| attempts::table
        .filter(attempts::state.eq_any([AttemptState::Intent, AttemptState::Sent]))
        .filter(attempts::lease_until.le(db::now()))
        .order(attempts::lease_until)
        .limit(limit)
        .select(attempts::id)
        .load(c))
}

/// Calls to look up at the provider now; the next look is put off, so that a lost message is sent again.
pub fn due_lookups(db: &mut Db, put_off: Duration, limit: i64) -> QueryResult<Vec<CallId>> {
    let now = db.now()?;
    let query = attempts::table
        .filter(attempts::lookup_at.is_not_null())
        .filter(attempts::lookup_at.le(Sql(now)))
        .order(attempts::lookup_at)
        .limit(limit)
        .select((attempts::id, attempts::call_id));
    let due: Vec<(AttemptId, CallId)> = match db {
        Db::Postgres(c) => query.for_update().skip_locked().load(c)?,
        Db::Sqlite(c) => query.load(c)?,
    };
    let ids = due.iter().map(|(id, _)| Sql(*id));
    on!(db, |c| diesel::update(attempts::table.filter(attempts::id.eq_any(ids)))
        .set(attempts::lookup_at.eq(Sql(now.plus(put_off))))
        .execute(c))?;
    Ok(due.into_iter().map(|(_, call)| call).collect())
}
