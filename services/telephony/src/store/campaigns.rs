//! Campaigns: rows, counters and queries.

use crate::domain::call_status::Bucket;
use crate::domain::campaign::{CampaignStatus, Selection};
use crate::domain::ids::{AssistantId, CampaignId, ContactId};
use crate::domain::script::Script;
use crate::store::schema::campaigns;
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = campaigns, treat_none_as_default_value = false)]
pub struct CampaignRow {
    pub id: Sql<CampaignId>,
    pub organisation_id: Sql<OrganisationId>,
    pub name: String,
    pub status: CampaignStatus,
    pub assistant_id: Option<Sql<AssistantId>>,
    pub script: Json<Script>,
    pub selection: Json<Selection>,
    pub max_concurrent: i32,
    pub calls_per_second: i32,
    pub filled: bool,
    pub filled_to: Option<Sql<ContactId>>,
    pub next_release_at: Option<Sql<Timestamp>>,
    pub queued: i64,
    pub active: i64,
    pub completed: i64,
    pub no_answer: i64,
    pub busy: i64,
    pub voicemail: i64,
    pub failed: i64,
    pub canceled: i64,
    pub blocked: i64,
    pub unknown: i64,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
    pub started_at: Option<Sql<Timestamp>>,
    pub finished_at: Option<Sql<Timestamp>>,
}

impl CampaignRow {
    /// Calls that are over.
    pub fn over(&self) -> i64 {
        self.completed + self.no_answer + self.busy + self.voicemail + self.failed + self.canceled + self.blocked
    }

    /// All calls that were made so far.
    pub fn total(&self) -> i64 {
        self.over() + self.queued + self.active + self.unknown
    }
}

pub fn insert(db: &mut Db, row: &CampaignRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(campaigns::table).values(row).execute(c)).map(|_| ())
}

pub fn find(db: &mut Db, scope: &OrgScope, id: CampaignId) -> QueryResult<Option<CampaignRow>> {
    on!(db, |c| campaigns::table
        .filter(campaigns::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(campaigns::id.eq(Sql(id)))
        .select(CampaignRow::as_select())
        .first(c)
        .optional())
}

/// The campaign, locked until the transaction ends.
pub fn lock(db: &mut Db, scope: &OrgScope, id: CampaignId) -> QueryResult<Option<CampaignRow>> {
    let campaign = campaigns::table
        .filter(campaigns::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(campaigns::id.eq(Sql(id)));
    match db {
        Db::Postgres(c) => campaign.select(CampaignRow::as_select()).for_update().first(c).optional(),
        Db::Sqlite(c) => campaign.select(CampaignRow::as_select()).first(c).optional(),
    }
}

/// The status, of a campaign that is locked until the transaction ends.
pub fn lock_status(db: &mut Db, id: CampaignId) -> QueryResult<Option<CampaignStatus>> {
    let status = campaigns::table.filter(campaigns::id.eq(Sql(id))).select(campaigns::status);
    match db {
        Db::Postgres(c) => status.for_update().first(c).optional(),
        Db::Sqlite(c) => status.first(c).optional(),
    }
}

pub fn status(db: &mut Db, scope: &OrgScope, id: CampaignId) -> QueryResult<Option<CampaignStatus>> {
    on!(db, |c| campaigns::table
        .filter(campaigns::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(campaigns::id.eq(Sql(id)))
        .select(campaigns::status)
        .first(c)
        .optional())
}

/// A page, newest first.
pub fn page(
    db: &mut Db,
    scope: &OrgScope,
    status: Option<CampaignStatus>,
    page: &Page<CampaignId>,
) -> QueryResult<Vec<CampaignRow>> {
    on!(db, |c| {
        let mut query = campaigns::table
            .filter(campaigns::organisation_id.eq(Sql(scope.organisation_id())))
            .order(campaigns::id.desc())
            .limit(page.limit())
            .select(CampaignRow::as_select())
            .into_boxed();
        if let Some(status) = status {
            query = query.filter(campaigns::status.eq(status));
        }
        if let Some(after) = page.after {
            query = query.filter(campaigns::id.lt(Sql(after)));
        }
        query.load(c)
    })
}

/// Whether a campaign that is not over uses the assistant.
pub fn uses_assistant(db: &mut Db, scope: &OrgScope, assistant: AssistantId) -> QueryResult<bool> {
    let over = [CampaignStatus::Completed, CampaignStatus::Cancelled];
    on!(db, |c| diesel::select(diesel::dsl::exists(
        campaigns::table
            .filter(campaigns::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(campaigns::assistant_id.eq(Sql(assistant)))
            .filter(campaigns::status.ne_all(over))
    ))
    .get_result(c))
}

/// Campaigns that the dispatcher has work with, of all organisations.
pub fn open(db: &mut Db, limit: i64) -> QueryResult<Vec<(OrganisationId, CampaignId)>> {
    on!(db, |c| campaigns::table
        .filter(campaigns::status.eq_any([CampaignStatus::Running, CampaignStatus::Cancelled]))
        .filter(campaigns::finished_at.is_null())
        .order(campaigns::id)
        .limit(limit)
        .select((campaigns::organisation_id, campaigns::id))
        .load(c))
}

/// Writes the parts of a campaign that people and the dispatcher change; counters are not among them.
pub fn save(db: &mut Db, row: &CampaignRow) -> QueryResult<()> {
    on!(db, |c| diesel::update(campaigns::table.find(row.id))
        .set((
            campaigns::status.eq(row.status),
            campaigns::filled.eq(row.filled),
            campaigns::filled_to.eq(row.filled_to),
            campaigns::next_release_at.eq(row.next_release_at),
            campaigns::updated_at.eq(row.updated_at),
            campaigns::started_at.eq(row.started_at),
            campaigns::finished_at.eq(row.finished_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// Counts new calls.
pub fn count_queued(db: &mut Db, id: CampaignId, new: i64) -> QueryResult<()> {
    on!(db, |c| diesel::update(campaigns::table.find(Sql(id)))
        .set(campaigns::queued.eq(campaigns::queued + new))
        .execute(c))
    .map(|_| ())
}

/// Counts `count` calls from one bucket into another.
pub fn shift(db: &mut Db, id: CampaignId, from: Bucket, to: Bucket, count: i64) -> QueryResult<()> {
    if from == to {
        return Ok(());
    }
    let change = |bucket| {
        if bucket == to {
            count
        } else if bucket == from {
            -count
        } else {
            0
        }
    };
    on!(db, |c| diesel::update(campaigns::table.find(Sql(id)))
        .set((
            campaigns::queued.eq(campaigns::queued + change(Bucket::Queued)),
            campaigns::active.eq(campaigns::active + change(Bucket::Active)),
            campaigns::completed.eq(campaigns::completed + change(Bucket::Completed)),
            campaigns::no_answer.eq(campaigns::no_answer + change(Bucket::NoAnswer)),
            campaigns::busy.eq(campaigns::busy + change(Bucket::Busy)),
            campaigns::voicemail.eq(campaigns::voicemail + change(Bucket::Voicemail)),
            campaigns::failed.eq(campaigns::failed + change(Bucket::Failed)),
            campaigns::canceled.eq(campaigns::canceled + change(Bucket::Canceled)),
            campaigns::blocked.eq(campaigns::blocked + change(Bucket::Blocked)),
            campaigns::unknown.eq(campaigns::unknown + change(Bucket::Unknown)),
        ))
        .execute(c))
    .map(|_| ())
}
