//! Contacts from files. How a file comes in is in `upload`, how its errors go out in `import_errors`.

use crate::api::{Parsed as _, import_errors, upload};
use crate::domain::csv_file::Encoding;
use crate::domain::import::ImportStatus;
use crate::error::Result;
use crate::pipeline::import;
use crate::state::State;
use crate::store::imports::{self, ImportRow, SampleError};
use access::{Call, Replies, StreamCall};
use audit::{Action, Entry};
use callfairy_core::{Page, Problem};
use proto::rpc::imports as rpc;
use proto::telephony as api;
use proto::types::Download;

#[derive(Debug)]
pub struct Imports(pub State);

impl access::Imports for Imports {
    async fn create_import(&self, call: StreamCall<rpc::CreateImport>) -> std::result::Result<api::Import, Problem> {
        upload::create(&self.0, call).await
    }

    async fn list_imports(
        &self,
        call: Call<rpc::ListImports>,
    ) -> std::result::Result<api::ListImportsResponse, Problem> {
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let scope = *call.scope();
        let mut rows = {
            let page = page.clone();
            self.0.of(&scope).read(move |db| -> Result<_> { Ok(imports::page(db, &scope, &page)?) }).await?
        };
        let next_page_token = page.cut(&mut rows, |row| row.id.0);
        Ok(api::ListImportsResponse { imports: rows.into_iter().map(to_api).collect(), next_page_token })
    }

    async fn get_import(&self, call: Call<rpc::GetImport>) -> std::result::Result<api::Import, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(imports::find(db, &scope, id)?) }).await?;
        row.map(to_api).ok_or_else(Problem::not_found)
    }

    async fn download_import_errors(
        &self,
        call: Call<rpc::DownloadImportErrors>,
    ) -> std::result::Result<Replies<Download>, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(imports::find(db, &scope, id)?) }).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        let entry = Entry::of(&call, Action::ImportErrorsExported).about(audit::Subject::Import, id);
        self.0.record(&scope, entry).await?;
        Ok(import_errors::download(self.0.of(&scope), scope, row))
    }

    async fn cancel_import(&self, call: Call<rpc::CancelImport>) -> std::result::Result<api::Import, Problem> {
        let (scope, id, now) = (*call.scope(), call.request.id.id("id")?, self.0.now());
        Ok(self.0.of(&scope).write(move |db| import::cancel(db, &scope, id, now)).await.map(to_api)?)
    }
}

pub fn to_api(row: ImportRow) -> api::Import {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let error = |sample: SampleError| api::ImportError {
        line: count(sample.line),
        column: sample.error.column,
        code: sample.error.code,
        message: sample.error.message,
    };
    api::Import {
        id: row.id.to_string(),
        status: match row.status {
            ImportStatus::Pending => api::ImportStatus::Pending,
            ImportStatus::Processing => api::ImportStatus::Processing,
            ImportStatus::Completed => api::ImportStatus::Completed,
            ImportStatus::Failed => api::ImportStatus::Failed,
            ImportStatus::Cancelled => api::ImportStatus::Cancelled,
        }
        .into(),
        total_rows: count(row.total_rows),
        imported_rows: count(row.imported_rows),
        updated_rows: count(row.updated_rows),
        duplicate_rows: count(row.duplicate_rows),
        failed_rows: count(row.failed_rows),
        bytes_read: count(bytes_read(&row)),
        bytes_total: count(row.bytes),
        mapping: row.layout.0.mapping(),
        filename: row.filename,
        sample_errors: row.sample_errors.0.into_iter().map(error).collect(),
        failure: row.failure,
        tags: row.tags.0,
        sha256: row.sha256,
        created_at: Some(row.created_at.0.into()),
        finished_at: row.finished_at.map(|at| at.0.into()),
    }
}

/// How far the file is read. Places are counted as UTF-8, so that in another encoding this is an estimate.
fn bytes_read(row: &ImportRow) -> i64 {
    if row.status == ImportStatus::Completed {
        return row.bytes;
    }
    if row.total_rows == 0 {
        return 0;
    }
    let estimate = match row.encoding {
        Encoding::Utf8 | Encoding::Windows1252 => row.byte_offset,
        Encoding::Utf16Le | Encoding::Utf16Be => row.byte_offset.saturating_mul(2),
    };
    estimate.min(row.bytes)
}
