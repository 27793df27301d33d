//! Imports: rows, claims, checkpoints. The queries of workers' orders name no organisation: the row has it.

use crate::domain::columns::Columns;
use crate::domain::csv_file::Encoding;
use crate::domain::ids::ImportId;
use crate::domain::import::{ImportStatus, OnDuplicate, RowError};
use crate::store::schema::{import_errors, imports};
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Json, Sql, diesel, on};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Errors in one statement: seven values each must stay under SQLite's 32,766.
const ERRORS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = imports, treat_none_as_default_value = false)]
pub struct ImportRow {
    pub id: Sql<ImportId>,
    pub organisation_id: Sql<OrganisationId>,
    pub status: ImportStatus,
    pub filename: String,
    pub storage_key: String,
    pub bytes: i64,
    pub sha256: String,
    pub encoding: Encoding,
    pub delimiter: String,
    pub layout: Json<Columns>,
    pub default_country: Option<String>,
    pub on_duplicate: OnDuplicate,
    pub tags: Json<Vec<String>>,
    pub total_rows: i64,
    pub imported_rows: i64,
    pub updated_rows: i64,
    pub duplicate_rows: i64,
    pub failed_rows: i64,
    pub sample_errors: Json<Vec<SampleError>>,
    pub failure: Option<String>,
    pub byte_offset: i64,
    pub line: i64,
    pub epoch: i64,
    pub claimed_until: Option<Sql<Timestamp>>,
    pub claimed_by: Option<String>,
    pub fruitless_claims: i32,
    pub rung_at: Sql<Timestamp>,
    pub streamed_at: Option<Sql<Timestamp>>,
    pub created_at: Sql<Timestamp>,
    pub finished_at: Option<Sql<Timestamp>>,
}

/// One of the first errors, kept with the import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleError {
    pub line: i64,
    #[serde(flatten)]
    pub error: RowError,
}

/// A row that was not imported, as it was.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = import_errors, treat_none_as_default_value = false)]
pub struct ErrorRow {
    pub organisation_id: Sql<OrganisationId>,
    pub import_id: Sql<ImportId>,
    pub line: i64,
    pub column: String,
    pub code: String,
    pub message: String,
    pub cells: Json<Vec<String>>,
}

pub fn insert(db: &mut Db, row: &ImportRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(imports::table).values(row).execute(c)).map(|_| ())
}

pub fn find(db: &mut Db, scope: &OrgScope, id: ImportId) -> QueryResult<Option<ImportRow>> {
    on!(db, |c| imports::table
        .filter(imports::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(imports::id.eq(Sql(id)))
        .select(ImportRow::as_select())
        .first(c)
        .optional())
}

/// A page, newest first.
pub fn page(db: &mut Db, scope: &OrgScope, page: &Page<ImportId>) -> QueryResult<Vec<ImportRow>> {
    on!(db, |c| {
        let mut query = imports::table
            .filter(imports::organisation_id.eq(Sql(scope.organisation_id())))
            .order(imports::id.desc())
            .limit(page.limit())
            .select(ImportRow::as_select())
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(imports::id.lt(Sql(after)));
        }
        query.load(c)
    })
}

/// For a worker's order, whichever organisation's it is.
pub fn find_for_work(db: &mut Db, id: ImportId) -> QueryResult<Option<ImportRow>> {
    on!(db, |c| imports::table.find(Sql(id)).select(ImportRow::as_select()).first(c).optional())
}

/// The same, locked until the transaction ends.
pub fn lock(db: &mut Db, id: ImportId) -> QueryResult<Option<ImportRow>> {
    let query = imports::table.find(Sql(id));
    match db {
        Db::Postgres(c) => query.select(ImportRow::as_select()).for_update().first(c).optional(),
        Db::Sqlite(c) => query.select(ImportRow::as_select()).first(c).optional(),
    }
}

/// Writes what changes in the course of an import. The row is locked.
pub fn save(db: &mut Db, row: &ImportRow) -> QueryResult<()> {
    on!(db, |c| diesel::update(imports::table.find(row.id))
        .set((
            imports::status.eq(row.status),
            imports::total_rows.eq(row.total_rows),
            imports::imported_rows.eq(row.imported_rows),
            imports::updated_rows.eq(row.updated_rows),
            imports::duplicate_rows.eq(row.duplicate_rows),
            imports::failed_rows.eq(row.failed_rows),
            imports::sample_errors.eq(&row.sample_errors),
            imports::failure.eq(&row.failure),
            imports::byte_offset.eq(row.byte_offset),
            imports::line.eq(row.line),
            imports::epoch.eq(row.epoch),
            imports::claimed_until.eq(row.claimed_until),
            imports::claimed_by.eq(&row.claimed_by),
            imports::fruitless_claims.eq(row.fruitless_claims),
            imports::streamed_at.eq(row.streamed_at),
            imports::finished_at.eq(row.finished_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// Open imports that nobody works on and whose message was sent longer ago than `silence`. Their messages count as
/// sent again now.
pub fn ring_again(db: &mut Db, silence: Duration, limit: i64) -> QueryResult<Vec<ImportId>> {
    let silent = imports::table
        .filter(imports::status.eq_any([ImportStatus::Pending, ImportStatus::Processing]))
        .filter(imports::claimed_until.is_null().or(imports::claimed_until.le(db::now().nullable())))
        .filter(imports::rung_at.le(db::now_minus(silence)))
        .order(imports::rung_at)
        .limit(limit)
        .select(imports::id);
    let ids: Vec<ImportId> = match db {
        Db::Postgres(c) => silent.for_update().skip_locked().load(c)?,
        Db::Sqlite(c) => silent.load(c)?,
    };
    if !ids.is_empty() {
        on!(db, |c| diesel::update(imports::table.filter(imports::id.eq_any(ids.iter().copied().map(Sql))))
            .set(imports::rung_at.eq(db::now()))
            .execute(c))?;
    }
    Ok(ids)
}

pub fn insert_errors(db: &mut Db, errors: &[ErrorRow]) -> QueryResult<()> {
    for errors in errors.chunks(ERRORS) {
        on!(db, |c| diesel::insert_into(import_errors::table).values(errors).execute(c))?;
    }
    Ok(())
}

/// Up to `limit` errors behind the line `after`, in the file's order.
pub fn errors_after(db: &mut Db, scope: &OrgScope, id: ImportId, after: i64, limit: i64) -> QueryResult<Vec<ErrorRow>> {
    on!(db, |c| import_errors::table
        .filter(import_errors::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(import_errors::import_id.eq(Sql(id)))
        .filter(import_errors::line.gt(after))
        .order(import_errors::line)
        .limit(limit)
        .select(ErrorRow::as_select())
        .load(c))
}
