//! What the live stream shows: which things changed, in the order in which the changes were committed.

use crate::domain::ids::{CallId, CampaignId, ImportId};
use crate::store::schema::stream_events;
use access::OrgScope;
use callfairy_core::{Id, OrganisationId, Timestamp};
use db::diesel::prelude::*;
use db::diesel::sql_types::{BigInt, Bool};
use db::purge::BATCH;
use db::{Db, Sql, diesel, on};
use std::time::Duration;

/// Events older than this are gone.
pub const KEPT: Duration = Duration::from_hours(24);

db::text_enum!(
    pub enum Kind {
        Call = "call",
        Campaign = "campaign",
        Import = "import",
    }
);

/// A changed thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Call(CallId),
    Campaign(CampaignId),
    Import(ImportId),
}

impl Subject {
    fn parts(self) -> (Kind, Id<()>) {
        match self {
            Self::Call(id) => (Kind::Call, Id::from_uuid(id.uuid())),
            Self::Campaign(id) => (Kind::Campaign, Id::from_uuid(id.uuid())),
            Self::Import(id) => (Kind::Import, Id::from_uuid(id.uuid())),
        }
    }

    fn from_parts(kind: Kind, id: Id<()>) -> Self {
        match kind {
            Kind::Call => Self::Call(Id::from_uuid(id.uuid())),
            Kind::Campaign => Self::Campaign(Id::from_uuid(id.uuid())),
            Kind::Import => Self::Import(Id::from_uuid(id.uuid())),
        }
    }
}

/// A place in the stream: everything before it has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    transaction: i64,
    seq: i64,
}

impl Position {
    /// From an event's id.
    pub fn parse(text: &str) -> Option<Self> {
        let (transaction, seq) = text.split_once('-')?;
        Some(Self { transaction: transaction.parse().ok()?, seq: seq.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.transaction, self.seq)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    pub position: Position,
    pub subject: Subject,
    pub at: Timestamp,
}

/// Says that the subject has changed; seen when the transaction commits.
pub fn add(db: &mut Db, organisation: OrganisationId, subject: Subject, now: Timestamp) -> QueryResult<()> {
    let (kind, id) = subject.parts();
    let row = (
        stream_events::organisation_id.eq(Sql(organisation)),
        stream_events::kind.eq(kind),
        stream_events::subject_id.eq(Sql(id)),
        stream_events::at.eq(Sql(now)),
    );
    on!(db, |c| diesel::insert_into(stream_events::table).values(row).execute(c)).map(|_| ())
}

/// Rows of transactions that are all decided: on PostgreSQL one that began earlier may still commit, and its rows must
/// not be passed over. SQLite has one writer.
fn decided(db: &Db) -> diesel::expression::SqlLiteral<Bool> {
    diesel::dsl::sql::<Bool>(match db {
        Db::Postgres(_) => "transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
        Db::Sqlite(_) => "1",
    })
}

/// The end of the stream: only what happens from now on lies behind it.
pub fn end(db: &mut Db) -> QueryResult<Position> {
    match db {
        Db::Postgres(c) => {
            let xmin = diesel::dsl::sql::<BigInt>("pg_snapshot_xmin(pg_current_snapshot())::text::bigint");
            let transaction: i64 = diesel::select(xmin).get_result(c)?;
            Ok(Position { transaction: transaction - 1, seq: i64::MAX })
        }
        Db::Sqlite(c) => {
            let seq: Option<i64> = stream_events::table.select(diesel::dsl::max(stream_events::seq)).first(c)?;
            Ok(Position { transaction: 0, seq: seq.unwrap_or(0) })
        }
    }
}

/// Up to `limit` events after `after`, oldest first.
pub fn after(db: &mut Db, scope: &OrgScope, after: Position, limit: i64) -> QueryResult<Vec<StreamEvent>> {
    let decided = decided(db);
    let rows: Vec<(i64, i64, Kind, Id<()>, Timestamp)> = on!(db, |c| stream_events::table
        .filter(stream_events::organisation_id.eq(Sql(scope.organisation_id())))
        // The first condition tells the database where in the index to begin; an OR alone does not.
        .filter(stream_events::transaction.ge(after.transaction))
        .filter(stream_events::transaction.gt(after.transaction).or(stream_events::seq.gt(after.seq)))
        .filter(decided)
        .order((stream_events::transaction, stream_events::seq))
        .limit(limit)
        .select((
            stream_events::transaction,
            stream_events::seq,
            stream_events::kind,
            stream_events::subject_id,
            stream_events::at
        ))
        .load(c))?;
    let event = |(transaction, seq, kind, id, at)| StreamEvent {
        position: Position { transaction, seq },
        subject: Subject::from_parts(kind, id),
        at,
    };
    Ok(rows.into_iter().map(event).collect())
}

/// For [`db::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = stream_events::table
        .filter(stream_events::at.lt(Sql(now.minus(KEPT))))
        .order(stream_events::at)
        .limit(BATCH)
        .select(stream_events::seq);
    on!(db, |c| {
        let seqs: Vec<i64> = old.load(c)?;
        diesel::delete(stream_events::table.filter(stream_events::seq.eq_any(seqs))).execute(c)
    })
}
