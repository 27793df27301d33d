//! A file on its way in: into the object store as it comes, looked at in passing, held whole nowhere.

use crate::api::contacts::country;
use crate::api::imports::to_api;
use crate::domain::columns::Mapping;
use crate::domain::contact;
use crate::domain::csv_file::{CsvFile, Sniffer};
use crate::domain::ids::ImportId;
use crate::domain::import::{ImportStatus, OnDuplicate};
use crate::error::Error;
use crate::pipeline::jobs;
use crate::state::State;
use crate::store::imports::{self, ImportRow};
use crate::store::stream::{self, Subject};
use access::{Replies, StreamCall};
use audit::{Action, Entry};
use bytes::Bytes;
use callfairy_core::{ErrorCode, OnceKey, Problem};
use db::{Json, Sql, idempotency, outbox};
use futures_util::{Stream, StreamExt};
use prost::Message;
use proto::rpc::imports as rpc;
use proto::telephony as api;
use sha2::{Digest, Sha256};
use std::time::Duration;
use storage::{Storage, StorageError, Stored};

/// The largest file.
const MAX_FILE: u64 = 1024 * 1024 * 1024;
/// An upload that brings nothing for this long is given up.
const MAX_SILENCE: Duration = Duration::from_mins(1);
const DEFAULT_NAME: &str = "contacts.csv";

/// Takes the file in and orders its import. Whatever goes wrong, nothing of the file stays.
pub async fn create(state: &State, call: StreamCall<rpc::CreateImport>) -> Result<api::Import, Problem> {
    let StreamCall { mut call, rest } = call;
    let first = std::mem::take(&mut call.request.data);
    let mapping = Mapping::parse(&call.request.mapping)?;
    country(call.request.default_country.as_deref())?;
    let default_country = state.default_country(call.scope(), call.request.default_country.clone()).await?;

    let id = ImportId::new();
    let organisation = call.scope().organisation_id();
    let storage_key = format!("imports/{organisation}/{id}");
    let (stored, file) = store(&state.storage, &storage_key, Sniffer::new(mapping), first, rest).await?;

    // The same request: the same wishes, the same content, in whatever pieces it came.
    let hash = Sha256::new().chain_update(call.request.encode_to_vec()).chain_update(stored.sha256).finalize();
    let once = call.once_key_of(hash.into());
    let entry = Entry::of(&call, Action::ImportStarted).about(audit::Subject::Import, id).within(organisation);
    let (request, now) = (call.request, Sql(state.now()));
    let row = ImportRow {
        id: Sql(id),
        organisation_id: Sql(organisation),
        status: ImportStatus::Pending,
        on_duplicate: OnDuplicate::from(request.on_duplicate()),
        tags: Json(contact::tags(request.tags.iter().map(String::as_str))),
        filename: file_name(&request.filename),
        storage_key,
        bytes: i64::try_from(stored.bytes).unwrap_or(i64::MAX),
        sha256: hex::encode(stored.sha256),
        encoding: file.encoding,
        delimiter: file.delimiter.to_string(),
        layout: Json(file.columns),
        default_country,
        total_rows: 0,
        imported_rows: 0,
        updated_rows: 0,
        duplicate_rows: 0,
        failed_rows: 0,
        sample_errors: Json(vec![]),
        failure: None,
        byte_offset: i64::try_from(file.byte_offset).unwrap_or(i64::MAX),
        line: i64::try_from(file.line).unwrap_or(i64::MAX),
        epoch: 0,
        claimed_until: None,
        claimed_by: None,
        fruitless_claims: 0,
        rung_at: now,
        streamed_at: Some(now),
        created_at: now,
        finished_at: None,
    };
    // In a task of its own: if the caller goes away now, the file is still either ordered or deleted.
    tokio::spawn(order(state.clone(), once, row, entry)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "ordering an import panicked");
        Err(Problem::internal())
    })
}

async fn order(state: State, once: OnceKey, row: ImportRow, entry: Entry) -> Result<api::Import, Problem> {
    let (id, organisation, key, now) = (row.id.0, row.organisation_id.0, row.storage_key.clone(), row.created_at.0);
    let write = move |db: &mut db::Db| {
        idempotency::answer(db, &once, now, |db| -> crate::error::Result<_> {
            let row = ImportRow { rung_at: Sql(db.now()?), ..row.clone() };
            imports::insert(db, &row)?;
            outbox::add(db, jobs::import(id))?;
            stream::add(db, row.organisation_id.0, Subject::Import(id), now)?;
            audit::record(db, &entry, now)?;
            Ok(to_api(row))
        })
    };
    let ordered: Result<api::Import, Error> = state.pool.of(organisation).write(write).await;
    // A repeated request is answered with the import of the first, and its file is the one that is read.
    if !matches!(&ordered, Ok(import) if import.id == id.to_string())
        && let Err(error) = state.storage.delete(&key).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, key, "an upload that is not used stays behind");
    }
    Ok(ordered?)
}

async fn store(
    storage: &Storage,
    key: &str,
    sniffer: Sniffer,
    first: Vec<u8>,
    rest: Replies<api::CreateImportRequest>,
) -> Result<(Stored, CsvFile), Problem> {
    let mut file = None;
    let stored = storage.put_stream(key, pieces(sniffer, first, rest, &mut file), MAX_FILE).await;
    let stored = stored.map_err(|error| match error {
        StorageError::TooLarge { .. } => {
            Problem::new(ErrorCode::PayloadTooLarge, format!("the file is larger than {} GiB", MAX_FILE >> 30))
        }
        StorageError::Content(source) => match source.downcast::<Problem>() {
            Ok(problem) => *problem,
            Err(error) => {
                tracing::error!(%error, "an upload failed in an unknown way");
                Problem::internal()
            }
        },
        other => Error::from(other).into(),
    })?;
    // The stream has ended well, so it has found out.
    file.map(|file| (stored, file)).ok_or_else(Problem::internal)
}

/// The content as it comes. It breaks off as soon as something is wrong with it, and ends with `found`.
fn pieces(
    mut sniffer: Sniffer,
    first: Vec<u8>,
    mut rest: Replies<api::CreateImportRequest>,
    found: &mut Option<CsvFile>,
) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    async_stream::try_stream! {
        sniffer.feed(&first)?;
        yield Bytes::from(first);
        loop {
            let next = tokio::time::timeout(MAX_SILENCE, rest.next()).await.map_err(|_| {
                Problem::new(ErrorCode::DeadlineExceeded, format!("the upload stood still for {} s", MAX_SILENCE.as_secs()))
            })?;
            let Some(message) = next.transpose()? else { break };
            sniffer.feed(&message.data)?;
            yield Bytes::from(message.data);
        }
        *found = Some(sniffer.finish()?);
    }
}

/// Without the directories that some browsers send along.
fn file_name(given: &str) -> String {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    if name.trim().is_empty() { DEFAULT_NAME.to_owned() } else { name }
}
