//! An import's way from the uploaded file to its end: each function is one transaction of it.
//!
//! claim → batches, each with its checkpoint → end. A worker that dies leaves a checkpoint and a lease that lapses; its
//! successor has a higher epoch, and nothing that comes with a lower one changes anything.

use crate::domain::contact::Details;
use crate::domain::ids::ImportId;
use crate::domain::import::{ImportStatus, RowError};
use crate::error::Result;
use crate::store::contact_batch::{self, Counts};
use crate::store::imports::{self, ErrorRow, ImportRow, SampleError};
use crate::store::stream::{self, Subject};
use access::{OrgScope, SystemScope};
use callfairy_core::{Problem, Timestamp};
use db::{Db, Json, Sql};
use std::time::Duration;

/// A file that was claimed this often without one batch of it arriving is given up.
const MAX_FRUITLESS_CLAIMS: i32 = 20;
/// Errors that are kept with the import itself.
const SAMPLES: usize = 10;
/// The live stream hears of an import's progress at this pace.
const STREAM_GAP: Duration = Duration::from_secs(1);
/// Characters of a reason for people.
const MAX_REASON: usize = 1_000;

/// Rows of a file that were read, and where the file goes on behind them.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub epoch: i64,
    pub contacts: Vec<Details>,
    pub failed: Vec<FailedRow>,
    pub byte_offset: i64,
    pub line: i64,
    /// The file ends here.
    pub last: bool,
    /// The worker stops here, and another one may go on at once.
    pub release: bool,
}

#[derive(Debug, Clone)]
pub struct FailedRow {
    pub line: i64,
    pub error: RowError,
    pub cells: Vec<String>,
}

/// Takes the import for `worker`, who has it for `lease`, and longer with every batch. `None`: it is over, somebody else
/// works on it, or there is no such import.
pub fn claim(db: &mut Db, id: ImportId, worker: &str, lease: Duration, now: Timestamp) -> Result<Option<ImportRow>> {
    let Some(mut row) = imports::lock(db, id)?.filter(|row| !row.status.is_final()) else { return Ok(None) };
    let clock = db.now()?;
    let held = row.claimed_until.is_some_and(|until| until.0 > clock);
    // A worker that comes again has lost track of what it did, and starts at the checkpoint like any other.
    if held && row.claimed_by.as_deref() != Some(worker) {
        return Ok(None);
    }
    if row.fruitless_claims >= MAX_FRUITLESS_CLAIMS {
        let reason = format!("no worker could read the file in {MAX_FRUITLESS_CLAIMS} attempts");
        end(db, &mut row, ImportStatus::Failed, Some(reason), now)?;
        return Ok(None);
    }
    row.status = ImportStatus::Processing;
    row.epoch += 1;
    row.fruitless_claims += 1;
    row.claimed_until = Some(Sql(clock.plus(lease)));
    row.claimed_by = Some(worker.to_owned());
    imports::save(db, &row)?;
    Ok(Some(row))
}

/// Puts in the contacts of a batch, and with them the errors, the counts and the checkpoint. A conflict if the claim
/// is not the sender's any more, or the import is over.
pub fn take(db: &mut Db, id: ImportId, batch: &Batch, lease: Duration, now: Timestamp) -> Result<()> {
    let mut row = held(db, id, batch.epoch)?;
    if batch.byte_offset < row.byte_offset {
        return Err(Problem::field("byte_offset", "lies before the checkpoint").into());
    }
    let scope = SystemScope::for_background_work().organisation(row.organisation_id.0);
    let counts = contact_batch::put(db, &scope, id, row.on_duplicate, &batch.contacts, now)?;
    imports::insert_errors(db, &error_rows(&row, &batch.failed))?;
    count(&mut row, counts, &batch.failed);
    row.byte_offset = batch.byte_offset;
    row.line = batch.line;
    row.fruitless_claims = 0;
    row.claimed_until = (!batch.release).then_some(Sql(db.now()?.plus(lease)));
    if batch.last {
        return end(db, &mut row, ImportStatus::Completed, None, now);
    }
    if row.streamed_at.is_none_or(|last| now.since(last.0) >= STREAM_GAP) {
        row.streamed_at = Some(Sql(now));
        stream::add(db, row.organisation_id.0, Subject::Import(id), now)?;
    }
    Ok(imports::save(db, &row)?)
}

/// The file cannot be read any further. What was imported stays.
pub fn fail(db: &mut Db, id: ImportId, epoch: i64, reason: &str, now: Timestamp) -> Result<()> {
    let mut row = held(db, id, epoch)?;
    let reason = reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect();
    end(db, &mut row, ImportStatus::Failed, Some(reason), now)
}

/// Stops the import: the worker's next batch is refused.
pub fn cancel(db: &mut Db, scope: &OrgScope, id: ImportId, now: Timestamp) -> Result<ImportRow> {
    let row = imports::lock(db, id)?.filter(|row| row.organisation_id.0 == scope.organisation_id());
    let Some(mut row) = row else { return Err(Problem::not_found().into()) };
    if row.status.is_final() {
        return Err(Problem::conflict(format!("the import is {} already", row.status)).into());
    }
    end(db, &mut row, ImportStatus::Cancelled, None, now)?;
    Ok(row)
}

/// The import, if whoever claimed it as `epoch` still has it.
fn held(db: &mut Db, id: ImportId, epoch: i64) -> Result<ImportRow> {
    let row = imports::lock(db, id)?;
    let held = row.filter(|row| row.epoch == epoch && row.status == ImportStatus::Processing);
    held.ok_or_else(|| Problem::conflict("the import is over, or another worker has it").into())
}

fn end(db: &mut Db, row: &mut ImportRow, status: ImportStatus, failure: Option<String>, now: Timestamp) -> Result<()> {
    row.status = status;
    row.failure = failure;
    row.claimed_until = None;
    row.streamed_at = Some(Sql(now));
    row.finished_at = Some(Sql(now));
    stream::add(db, row.organisation_id.0, Subject::Import(row.id.0), now)?;
    Ok(imports::save(db, row)?)
}

fn error_rows(row: &ImportRow, failed: &[FailedRow]) -> Vec<ErrorRow> {
    let error = |failed: &FailedRow| ErrorRow {
        organisation_id: row.organisation_id,
        import_id: row.id,
        line: failed.line,
        column: failed.error.column.clone(),
        code: failed.error.code.clone(),
        message: failed.error.message.clone(),
        cells: Json(failed.cells.clone()),
    };
    failed.iter().map(error).collect()
}

fn count(row: &mut ImportRow, counts: Counts, failed: &[FailedRow]) {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    row.imported_rows += number(counts.imported);
    row.updated_rows += number(counts.updated);
    row.duplicate_rows += number(counts.duplicate);
    row.failed_rows += number(failed.len());
    row.total_rows = row.imported_rows + row.updated_rows + row.duplicate_rows + row.failed_rows;
    let samples = &mut row.sample_errors.0;
    let more = failed.iter().take(SAMPLES.saturating_sub(samples.len()));
    samples.extend(more.map(|failed| SampleError { line: failed.line, error: failed.error.clone() }));
}
