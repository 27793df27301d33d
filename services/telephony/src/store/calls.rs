//! Calls: rows and queries. What changes a call's state is in `transitions`.

use crate::domain::call_status::CallStatus;
use crate::domain::ids::{AssistantId, CallId, CampaignId, ContactId};
use crate::domain::script::Script;
use crate::store::schema::calls;
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = calls, treat_none_as_default_value = false)]
pub struct CallRow {
    pub id: Sql<CallId>,
    pub organisation_id: Sql<OrganisationId>,
    pub status: CallStatus,
    pub phone_number: String,
    pub contact_id: Option<Sql<ContactId>>,
    pub campaign_id: Option<Sql<CampaignId>>,
    pub assistant_id: Option<Sql<AssistantId>>,
    pub script: Json<Script>,
    pub metadata: Json<BTreeMap<String, String>>,
    pub reason: Option<String>,
    pub attempts: i32,
    pub failures: i32,
    pub needs_review: bool,
    pub answered_by: Option<String>,
    pub duration: Option<i32>,
    pub price_micros: Option<i64>,
    pub summary: Option<String>,
    pub transcript: Option<String>,
    pub turns: Option<Json<Vec<Turn>>>,
    pub recording_source: Option<String>,
    pub recording_type: Option<String>,
    pub recording_size: Option<i64>,
    pub recorded: bool,
    pub scheduled_at: Option<Sql<Timestamp>>,
    pub due_at: Option<Sql<Timestamp>>,
    pub rung_at: Option<Sql<Timestamp>>,
    pub epoch: i64,
    pub claimed_until: Option<Sql<Timestamp>>,
    pub claimed_by: Option<String>,
    pub started_at: Option<Sql<Timestamp>>,
    pub ended_at: Option<Sql<Timestamp>>,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
}

/// What one of the two said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Turn {
    pub speaker: String,
    pub text: String,
    pub at: Option<Timestamp>,
}

/// What a call is made from; the rest follows.
#[derive(Debug, Clone)]
pub struct NewCall {
    pub id: CallId,
    pub phone_number: String,
    pub contact_id: Option<ContactId>,
    pub campaign_id: Option<CampaignId>,
    pub assistant_id: Option<AssistantId>,
    pub script: Script,
    pub metadata: BTreeMap<String, String>,
    pub scheduled_at: Option<Timestamp>,
    /// `None`: its campaign releases it.
    pub due_at: Option<Timestamp>,
}

impl NewCall {
    pub fn row(self, scope: &OrgScope, now: Timestamp) -> CallRow {
        CallRow {
            id: Sql(self.id),
            organisation_id: Sql(scope.organisation_id()),
            status: CallStatus::Queued,
            phone_number: self.phone_number,
            contact_id: self.contact_id.map(Sql),
            campaign_id: self.campaign_id.map(Sql),
            assistant_id: self.assistant_id.map(Sql),
            script: Json(self.script),
            metadata: Json(self.metadata),
            reason: None,
            attempts: 0,
            failures: 0,
            needs_review: false,
            answered_by: None,
            duration: None,
            price_micros: None,
            summary: None,
            transcript: None,
            turns: None,
            recording_source: None,
            recording_type: None,
            recording_size: None,
            recorded: false,
            scheduled_at: self.scheduled_at.map(Sql),
            due_at: self.due_at.map(Sql),
            rung_at: self.due_at.map(|_| Sql(now)),
            epoch: 0,
            claimed_until: None,
            claimed_by: None,
            started_at: None,
            ended_at: None,
            created_at: Sql(now),
            updated_at: Sql(now),
        }
    }
}

/// Which calls a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<CallStatus>,
    pub campaign: Option<CampaignId>,
    pub contact: Option<ContactId>,
    pub phone_number: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

pub fn insert(db: &mut Db, row: &CallRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(calls::table).values(row).execute(c)).map(|_| ())
}

/// Inserts those whose campaign has no call to their contact yet; answers the ids of those that are new.
pub fn insert_new(db: &mut Db, rows: &[CallRow]) -> QueryResult<Vec<CallId>> {
    let mut new = vec![];
    // Thirty-three values each, below SQLite's limit of 32,766 for a statement.
    for rows in rows.chunks(500) {
        new.extend(on!(db, |c| diesel::insert_into(calls::table)
            .values(rows)
            .on_conflict((calls::campaign_id, calls::contact_id))
            .do_nothing()
            .returning(calls::id)
            .get_results::<CallId>(c))?);
    }
    Ok(new)
}

pub fn find(db: &mut Db, scope: &OrgScope, id: CallId) -> QueryResult<Option<CallRow>> {
    on!(db, |c| calls::table
        .filter(calls::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(calls::id.eq(Sql(id)))
        .select(CallRow::as_select())
        .first(c)
        .optional())
}

/// The call, locked until the transaction ends, whosever it is: for background work. Whoever changes a call locks it
/// first, then its campaign, then the platform's pace.
pub fn lock(db: &mut Db, id: CallId) -> QueryResult<Option<CallRow>> {
    let call = calls::table.filter(calls::id.eq(Sql(id)));
    match db {
        Db::Postgres(c) => call.select(CallRow::as_select()).for_update().first(c).optional(),
        Db::Sqlite(c) => call.select(CallRow::as_select()).first(c).optional(),
    }
}

/// A page, newest first.
pub fn page(db: &mut Db, scope: &OrgScope, filter: &Filter, page: &Page<CallId>) -> QueryResult<Vec<CallRow>> {
    on!(db, |c| {
        let mut query = calls::table
            .filter(calls::organisation_id.eq(Sql(scope.organisation_id())))
            .order(calls::id.desc())
            .limit(page.limit())
            .select(CallRow::as_select())
            .into_boxed();
        if let Some(status) = filter.status {
            query = query.filter(calls::status.eq(status));
        }
        if let Some(campaign) = filter.campaign {
            query = query.filter(calls::campaign_id.eq(Sql(campaign)));
        }
        if let Some(contact) = filter.contact {
            query = query.filter(calls::contact_id.eq(Sql(contact)));
        }
        if let Some(number) = &filter.phone_number {
            query = query.filter(calls::phone_number.eq(number));
        }
        if let Some(from) = filter.from {
            query = query.filter(calls::created_at.ge(Sql(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(calls::created_at.lt(Sql(to)));
        }
        if let Some(after) = page.after {
            query = query.filter(calls::id.lt(Sql(after)));
        }
        query.load(c)
    })
}

/// Waits until no other transaction has locked this number of the organisation; held until the transaction ends. After
/// the call, before its campaign. SQLite has one writer.
pub fn lock_number(db: &mut Db, scope: &OrgScope, phone_number: &str) -> QueryResult<()> {
    if let Db::Postgres(c) = db {
        let number = format!("{} {phone_number}", scope.organisation_id());
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<diesel::sql_types::Text, _>(number)
            .execute(c)?;
    }
    Ok(())
}

/// Whether another call of the organisation to this number is going on, or may be. One that people have to decide about
/// is not waited for.
pub fn number_is_busy(db: &mut Db, scope: &OrgScope, phone_number: &str, but: CallId) -> QueryResult<bool> {
    let now = db.now()?;
    let going_on =
        [CallStatus::Dialing, CallStatus::Ringing, CallStatus::InProgress, CallStatus::Unknown].map(CallStatus::as_str);
    let claimed = calls::status.eq(CallStatus::Queued).and(calls::claimed_until.gt(Sql(now)).assume_not_null());
    on!(db, |c| diesel::select(diesel::dsl::exists(
        calls::table
            .filter(calls::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(calls::phone_number.eq(phone_number))
            .filter(calls::id.ne(Sql(but)))
            .filter(calls::status.eq_any(going_on).and(calls::needs_review.eq(false)).or(claimed))
    ))
    .get_result(c))
}

/// When the call may be placed; `None`: when its campaign releases it. Ends a claim.
pub fn set_due(db: &mut Db, id: CallId, due_at: Option<Timestamp>, now: Timestamp) -> QueryResult<()> {
    on!(db, |c| diesel::update(calls::table.find(Sql(id)))
        .set((
            calls::due_at.eq(due_at.map(Sql)),
            calls::claimed_until.eq(None::<Sql<Timestamp>>),
            calls::rung_at.eq(due_at.map(|due| Sql(due.max(now)))),
        ))
        .execute(c))
    .map(|_| ())
}

/// Calls that are due, that nobody claimed, and whose message was sent at least `silence` ago: marked as rung now.
pub fn ring_again(db: &mut Db, silence: Duration, limit: i64) -> QueryResult<Vec<CallId>> {
    let now = db.now()?;
    let quiet = now.minus(silence);
    let query = calls::table
        .filter(calls::status.eq(CallStatus::Queued))
        .filter(calls::due_at.is_not_null())
        .filter(calls::due_at.le(Sql(quiet)))
        .filter(calls::rung_at.is_null().or(calls::rung_at.le(Sql(quiet))))
        .filter(calls::claimed_until.is_null().or(calls::claimed_until.le(Sql(now))))
        .order(calls::due_at)
        .limit(limit)
        .select(calls::id);
    let ids: Vec<CallId> = match db {
        Db::Postgres(c) => query.for_update().skip_locked().load(c)?,
        Db::Sqlite(c) => query.load(c)?,
    };
    mark_rung(db, &ids, now)?;
    Ok(ids)
}

/// Calls of a campaign that it has not released yet.
pub fn held(db: &mut Db, campaign: CampaignId, limit: i64) -> QueryResult<Vec<CallId>> {
    on!(db, |c| calls::table
        .filter(calls::campaign_id.eq(Sql(campaign)))
        .filter(calls::status.eq(CallStatus::Queued))
        .filter(calls::due_at.is_null())
        .order(calls::id)
        .limit(limit)
        .select(calls::id)
        .load(c))
}

/// How many of a campaign's calls are released and not yet dialing.
pub fn released(db: &mut Db, campaign: CampaignId) -> QueryResult<i64> {
    on!(db, |c| calls::table
        .filter(calls::campaign_id.eq(Sql(campaign)))
        .filter(calls::status.eq(CallStatus::Queued))
        .filter(calls::due_at.is_not_null())
        .count()
        .get_result(c))
}

/// From now on these may be placed.
pub fn release(db: &mut Db, ids: &[CallId], now: Timestamp) -> QueryResult<()> {
    on!(db, |c| diesel::update(
        calls::table
            .filter(calls::id.eq_any(ids.iter().copied().map(Sql)))
            .filter(calls::status.eq(CallStatus::Queued))
    )
    .set((calls::due_at.eq(Sql(now)), calls::rung_at.eq(Sql(now))))
    .execute(c))
    .map(|_| ())
}

/// Queued calls of a campaign that nobody has claimed, all locked at once; without those that somebody else has locked.
pub fn lock_unclaimed(db: &mut Db, scope: &OrgScope, campaign: CampaignId, limit: i64) -> QueryResult<Vec<CallRow>> {
    let now = db.now()?;
    let query = calls::table
        .filter(calls::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(calls::campaign_id.eq(Sql(campaign)))
        .filter(calls::status.eq(CallStatus::Queued))
        .filter(calls::claimed_until.is_null().or(calls::claimed_until.le(Sql(now))))
        .order(calls::id)
        .limit(limit);
    match db {
        Db::Postgres(c) => query.select(CallRow::as_select()).for_update().skip_locked().load(c),
        Db::Sqlite(c) => query.select(CallRow::as_select()).load(c),
    }
}

/// How many calls of the campaign are in doubt and not yet handed to people.
pub fn in_doubt(db: &mut Db, scope: &OrgScope, campaign: CampaignId) -> QueryResult<i64> {
    on!(db, |c| calls::table
        .filter(calls::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(calls::campaign_id.eq(Sql(campaign)))
        .filter(calls::status.eq(CallStatus::Unknown))
        .filter(calls::needs_review.eq(false))
        .count()
        .get_result(c))
}

/// Calls whose recording is not copied, and whose message was sent at least `silence` ago: marked as rung now.
pub fn ring_recordings_again(db: &mut Db, silence: Duration, limit: i64) -> QueryResult<Vec<CallId>> {
    let now = db.now()?;
    let query = calls::table
        .filter(calls::recording_source.is_not_null())
        .filter(diesel::dsl::not(calls::recorded))
        .filter(calls::rung_at.le(Sql(now.minus(silence))))
        .order(calls::rung_at)
        .limit(limit)
        .select(calls::id);
    let ids: Vec<CallId> = match db {
        Db::Postgres(c) => query.for_update().skip_locked().load(c)?,
        Db::Sqlite(c) => query.load(c)?,
    };
    mark_rung(db, &ids, now)?;
    Ok(ids)
}

fn mark_rung(db: &mut Db, ids: &[CallId], now: Timestamp) -> QueryResult<()> {
    on!(db, |c| diesel::update(calls::table.filter(calls::id.eq_any(ids.iter().copied().map(Sql))))
        .set(calls::rung_at.eq(Sql(now)))
        .execute(c))
    .map(|_| ())
}
