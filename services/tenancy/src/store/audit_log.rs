//! The audit log, which only grows.

use super::schema::{audit_head, audit_log};
use crate::domain::chain::{Content, EntryId, Hash, Head, Link};
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::collections::HashSet;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub struct AuditLogRow {
    pub sequence: i64,
    pub id: Sql<EntryId>,
    pub at: Sql<Timestamp>,
    pub actor_kind: String,
    pub actor_id: String,
    pub action: String,
    pub organisation_id: Option<Sql<OrganisationId>>,
    pub subject_kind: String,
    pub subject_id: String,
    pub outcome: String,
    pub network: String,
    pub details: String,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Which entries a list holds.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub organisation: Option<OrganisationId>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// The key of a list's row.
pub type PageKey = (Timestamp, i64);

impl AuditLogRow {
    pub fn page_key(&self) -> PageKey {
        (self.at.0, self.sequence)
    }
}

impl From<Link> for AuditLogRow {
    fn from(Link { sequence, content, previous_hash, hash }: Link) -> Self {
        Self {
            sequence,
            id: Sql(content.id),
            at: Sql(content.at),
            actor_kind: content.actor_kind,
            actor_id: content.actor_id,
            action: content.action,
            organisation_id: content.organisation_id.map(Sql),
            subject_kind: content.subject_kind,
            subject_id: content.subject_id,
            outcome: content.outcome,
            network: content.network,
            details: content.details,
            previous_hash,
            hash,
        }
    }
}

impl From<AuditLogRow> for Link {
    fn from(row: AuditLogRow) -> Self {
        let content = Content {
            id: row.id.0,
            at: row.at.0,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            action: row.action,
            organisation_id: row.organisation_id.map(|id| id.0),
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            outcome: row.outcome,
            network: row.network,
            details: row.details,
        };
        Self { sequence: row.sequence, content, previous_hash: row.previous_hash, hash: row.hash }
    }
}

/// Appends what is not in the chain yet. Who appends waits for whoever else does, from here to the end of the transaction.
pub fn append(db: &mut Db, entries: &[Content]) -> QueryResult<()> {
    let mut head = match db {
        Db::Postgres(c) => audit_head::table.select(HeadRow::as_select()).for_update().first(c)?,
        // A transaction that writes is alone.
        Db::Sqlite(c) => audit_head::table.select(HeadRow::as_select()).first(c)?,
    }
    .head()?;
    let ids: Vec<Sql<EntryId>> = entries.iter().map(|entry| Sql(entry.id)).collect();
    let known: Vec<EntryId> =
        on!(db, |c| audit_log::table.filter(audit_log::id.eq_any(ids)).select(audit_log::id).load(c))?;
    let mut known: HashSet<EntryId> = known.into_iter().collect();
    // A message may hold the same entry twice.
    let new = entries.iter().filter(|entry| known.insert(entry.id));
    let rows: Vec<AuditLogRow> = new.map(|entry| head.append(entry.clone()).into()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    on!(db, |c| diesel::insert_into(audit_log::table).values(&rows).execute(c))?;
    let moved = (audit_head::sequence.eq(head.sequence), audit_head::hash.eq(head.hash.as_slice()));
    on!(db, |c| diesel::update(audit_head::table).set(moved).execute(c))?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_head)]
struct HeadRow {
    sequence: i64,
    hash: Vec<u8>,
}

impl HeadRow {
    fn head(self) -> QueryResult<Head> {
        let hash = Hash::try_from(self.hash.as_slice()).map_err(|error| {
            diesel::result::Error::DeserializationError(format!("the audit log's head: {error}").into())
        })?;
        Ok(Head { sequence: self.sequence, hash })
    }
}

/// Where the chain must end.
pub fn head(db: &mut Db) -> QueryResult<Option<Head>> {
    let row = on!(db, |c| audit_head::table.select(HeadRow::as_select()).first(c).optional())?;
    row.map(HeadRow::head).transpose()
}

/// The next entries of the chain.
pub fn after(db: &mut Db, sequence: i64, limit: i64) -> QueryResult<Vec<AuditLogRow>> {
    on!(db, |c| audit_log::table
        .filter(audit_log::sequence.gt(sequence))
        .order(audit_log::sequence)
        .limit(limit)
        .select(AuditLogRow::as_select())
        .load(c))
}

/// A page, the newest first.
pub fn page(db: &mut Db, filter: &Filter, page: &Page<PageKey>) -> QueryResult<Vec<AuditLogRow>> {
    on!(db, |c| {
        let mut query = audit_log::table.select(AuditLogRow::as_select()).into_boxed();
        if let Some(actor) = &filter.actor {
            query = query.filter(audit_log::actor_id.eq(actor));
        }
        if let Some(action) = &filter.action {
            query = query.filter(audit_log::action.eq(action));
        }
        if let Some(organisation) = filter.organisation {
            query = query.filter(audit_log::organisation_id.eq(Sql(organisation)));
        }
        if let Some(from) = filter.from {
            query = query.filter(audit_log::at.ge(Sql(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(audit_log::at.lt(Sql(to)));
        }
        if let Some((at, sequence)) = page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(audit_log::at.le(Sql(at)));
            query = query.filter(audit_log::at.lt(Sql(at)).or(audit_log::sequence.lt(sequence)));
        }
        query.order((audit_log::at.desc(), audit_log::sequence.desc())).limit(page.limit()).load(c)
    })
}
