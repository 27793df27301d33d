//! What workers ask and report of imports: they read the files, the rows are judged here.

use crate::api::Parsed as _;
use crate::domain::ids::ImportId;
use crate::domain::import::{Reading, Row};
use crate::domain::phone::Country;
use crate::error::Result;
use crate::pipeline::import::{self, Batch, FailedRow};
use crate::state::State;
use crate::store::imports::{self, ImportRow};
use access::{Call, StreamCall, SystemScope};
use callfairy_core::Problem;
use futures_util::StreamExt;
use proto::jobs as api;
use proto::rpc::import_jobs as rpc;
use proto::types::Empty;
use std::sync::Arc;

#[derive(Debug)]
pub struct ImportJobs(pub State);

impl access::ImportJobs for ImportJobs {
    async fn claim_import(
        &self,
        call: Call<rpc::ClaimImport>,
    ) -> std::result::Result<api::ClaimImportResponse, Problem> {
        let (id, now) = (call.request.import_id.id("import_id")?, self.0.now());
        let (worker, lease) = (call.request.worker, self.0.calls.lease);
        let claimed = self
            .0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| import::claim(db, id, &worker, lease, now))
            .await?;
        Ok(api::ClaimImportResponse { order: claimed.map(order) })
    }

    async fn import_rows(&self, call: StreamCall<rpc::ImportRows>) -> std::result::Result<Empty, Problem> {
        let StreamCall { call, mut rest } = call;
        let first = call.request;
        let id = first.import_id.id("import_id")?;
        let row = self
            .0
            .of_everyone(SystemScope::for_background_work())
            .read(move |db| -> Result<_> { Ok(imports::find_for_work(db, id)?) })
            .await?;
        let reading = Arc::new(row.map(reading).ok_or_else(Problem::not_found)?);
        self.take(id, &reading, first).await?;
        while let Some(batch) = rest.next().await.transpose()? {
            proto::validate(&batch)?;
            if batch.import_id.id("import_id")? != id {
                return Err(Problem::field("import_id", "differs from the first batch's"));
            }
            self.take(id, &reading, batch).await?;
        }
        Ok(Empty {})
    }

    async fn fail_import(&self, call: Call<rpc::FailImport>) -> std::result::Result<Empty, Problem> {
        let (id, now, request) = (call.request.import_id.id("import_id")?, self.0.now(), call.request);
        let fail = move |db: &mut db::Db| import::fail(db, id, request.epoch, &request.reason, now);
        Ok(self.0.of_everyone(SystemScope::for_background_work()).write(fail).await.map(|()| Empty {})?)
    }
}

impl ImportJobs {
    async fn take(
        &self,
        id: ImportId,
        reading: &Arc<Reading>,
        batch: api::ImportBatch,
    ) -> std::result::Result<(), Problem> {
        // Thousands of phone numbers: not on a thread that others wait for, and not while the database is locked.
        let reading = reading.clone();
        let read = tokio::task::spawn_blocking(move || read(&reading, batch)).await.map_err(|error| {
            tracing::error!(%error, "reading a batch panicked");
            Problem::internal()
        })??;
        let (lease, now) = (self.0.calls.lease, self.0.now());
        Ok(self
            .0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| import::take(db, id, &read, lease, now))
            .await?)
    }
}

fn read(reading: &Reading, batch: api::ImportBatch) -> std::result::Result<Batch, Problem> {
    let number = |field: &str, value: u64| i64::try_from(value).map_err(|_| Problem::field(field, "is out of range"));
    let mut read = Batch {
        epoch: batch.epoch,
        byte_offset: number("byte_offset", batch.byte_offset)?,
        line: number("line", batch.line)?,
        last: batch.last,
        release: batch.release,
        ..Batch::default()
    };
    for row in batch.rows {
        match reading.read(&row.cells) {
            Row::Contact(details) => read.contacts.push(details),
            Row::Failed(error) => {
                read.failed.push(FailedRow { line: number("rows.line", row.line)?, error, cells: row.cells });
            }
            Row::Blank => {}
        }
    }
    Ok(read)
}

fn reading(row: ImportRow) -> Reading {
    // It was checked when the file came in.
    let country = row.default_country.and_then(|code| Country::parse(&code).ok());
    Reading { columns: row.layout.0, country, tags: row.tags.0 }
}

fn order(row: ImportRow) -> api::ImportOrder {
    api::ImportOrder {
        import_id: row.id.to_string(),
        epoch: row.epoch,
        key: row.storage_key,
        encoding: row.encoding.to_string(),
        delimiter: row.delimiter,
        byte_offset: u64::try_from(row.byte_offset).unwrap_or_default(),
        line: u64::try_from(row.line).unwrap_or_default(),
    }
}
