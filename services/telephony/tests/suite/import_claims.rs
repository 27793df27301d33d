//! What workers may do, and when: claims, epochs, checkpoints, the end.

use crate::files::Uploader;
use crate::world::{DEADLINE, World, code, nobody};
use callfairy_core::{ErrorCode, Problem};
use futures_util::stream;
use proto::jobs::{ClaimImportRequest, FailImportRequest, ImportBatch, ImportOrder, ImportRow};
use proto::rpc::import_jobs as jobs;
use proto::rpc::imports::CancelImport;
use proto::telephony::{CancelImportRequest, Import, ImportStatus};
use queue::{Outcome, QueueName};
use tokio_util::sync::CancellationToken;

testkit::on_both!(
    one_worker_at_a_time,
    a_late_batch_changes_nothing,
    a_batch_is_all_or_nothing,
    what_is_cancelled_stays_so,
    a_file_that_cannot_be_read_fails,
    a_file_that_nobody_gets_on_with_is_given_up,
    what_fell_silent_is_rung_again,
);

const FILE: &[u8] = b"phone,name\n+442079460018,Ada\n+442079460019,Bob\n";

pub async fn claim(world: &World, import: &str, worker: &str) -> Option<ImportOrder> {
    let request = ClaimImportRequest { import_id: import.to_owned(), worker: worker.to_owned() };
    world.asks::<jobs::ClaimImport>(request).await.unwrap().order
}

/// As if the worker's lease had run out, and its message had been sent long ago.
pub async fn lapse(world: &World) {
    let past = if world.pool.is_postgres() { "now() - interval '1 hour'" } else { "0" };
    let sql = format!("UPDATE imports SET claimed_until = {past}, rung_at = {past} WHERE status = 'processing'");
    world.sql(&sql).await;
}

async fn send(world: &World, batches: Vec<ImportBatch>) -> Result<(), Problem> {
    let meta = world.service().meta().unwrap();
    world.telephony.client_streaming::<jobs::ImportRows>(&meta, stream::iter(batches)).await.map(|_| ())
}

/// Rows with these numbers, from line 2 on, ending where a file of them would.
fn batch(order: &ImportOrder, numbers: &[&str]) -> ImportBatch {
    let row =
        |(n, number): (usize, &&str)| ImportRow { line: order.line + n as u64, cells: vec![(*number).to_owned()] };
    ImportBatch {
        import_id: order.import_id.clone(),
        epoch: order.epoch,
        rows: numbers.iter().enumerate().map(row).collect(),
        byte_offset: order.byte_offset + 20 * numbers.len() as u64,
        line: order.line + numbers.len() as u64,
        ..ImportBatch::default()
    }
}

async fn one_worker_at_a_time(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    let first = claim(world, &import.id, "first").await.unwrap();
    assert_eq!((first.encoding.as_str(), first.delimiter.as_str()), ("utf-8", ","));
    // Behind the header.
    assert_eq!((first.byte_offset, first.line, first.epoch), (11, 2, 1));
    assert!(world.storage.exists(&first.key).await.unwrap());
    assert_eq!(uploader.get(&import.id).await.status(), ImportStatus::Processing);
    assert_eq!(claim(world, &import.id, "second").await, None);
    // The same worker has lost track, and begins anew.
    assert_eq!(claim(world, &import.id, "first").await.unwrap().epoch, 2);
    // One that stops in order lets the next go on at once.
    let order = ImportOrder { epoch: 2, ..first };
    let release = ImportBatch { release: true, ..batch(&order, &["+442079460018"]) };
    send(world, vec![release]).await.unwrap();
    let next = claim(world, &import.id, "second").await.unwrap();
    assert_eq!((next.byte_offset, next.line, next.epoch), (31, 3, 3));
    // One that dies is waited for until its lease has run out.
    assert_eq!(claim(world, &import.id, "third").await, None);
    lapse(world).await;
    assert_eq!(claim(world, &import.id, "third").await.unwrap().epoch, 4);
    assert_eq!(claim(world, &nobody(), "third").await, None);
}

async fn a_late_batch_changes_nothing(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    let late = claim(world, &import.id, "late").await.unwrap();
    lapse(world).await;
    let order = claim(world, &import.id, "next").await.unwrap();
    assert_eq!(code(send(world, vec![batch(&late, &["+442079460018"])]).await), ErrorCode::Conflict);
    let fail = FailImportRequest { import_id: import.id.clone(), epoch: late.epoch, reason: "no".to_owned() };
    assert_eq!(code(world.asks::<jobs::FailImport>(fail).await), ErrorCode::Conflict);
    let untouched = uploader.get(&import.id).await;
    assert_eq!((untouched.status(), untouched.total_rows), (ImportStatus::Processing, 0));
    assert_eq!(uploader.contacts().await, []);

    let all = ImportBatch { last: true, ..batch(&order, &["+442079460018", "+442079460019"]) };
    send(world, vec![all]).await.unwrap();
    let done = uploader.get(&import.id).await;
    assert_eq!((done.status(), done.imported_rows), (ImportStatus::Completed, 2));
    // Nothing comes after the end, from nobody.
    assert_eq!(code(send(world, vec![batch(&order, &["+442079460020"])]).await), ErrorCode::Conflict);
    assert_eq!(claim(world, &import.id, "next").await, None);
    assert_eq!(uploader.get(&import.id).await, done);
}

async fn a_batch_is_all_or_nothing(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    let order = claim(world, &import.id, "worker").await.unwrap();
    let good = batch(&order, &["+442079460018", "soon"]);
    let next = ImportOrder { byte_offset: good.byte_offset, line: good.line, ..order.clone() };
    // The second batch has the lines of the first: its errors cannot be kept, so nothing of it is.
    let bad = batch(&ImportOrder { line: order.line, ..next.clone() }, &["+442079460019", "soon"]);
    assert_eq!(code(send(world, vec![good.clone(), bad]).await), ErrorCode::Internal);
    let half = uploader.get(&import.id).await;
    assert_eq!((half.total_rows, half.imported_rows, half.failed_rows), (2, 1, 1));
    assert_eq!(uploader.contacts().await.len(), 1);
    // A checkpoint does not go back.
    assert_eq!(
        code(send(world, vec![batch(&ImportOrder { byte_offset: 0, ..order.clone() }, &[])]).await),
        ErrorCode::InvalidArgument
    );
    // Too many rows, or those of another import, are refused before anything is done.
    let numbers = vec!["+442079460020"; 5_001];
    let foreign = ImportBatch { import_id: nobody(), ..batch(&next, &[]) };
    assert_eq!(code(send(world, vec![batch(&next, &[]), batch(&next, &numbers)]).await), ErrorCode::InvalidArgument);
    assert_eq!(code(send(world, vec![batch(&next, &[]), foreign]).await), ErrorCode::InvalidArgument);
    assert_eq!(uploader.get(&import.id).await, half);
    assert_eq!(claim(world, &import.id, "worker").await.unwrap().byte_offset, good.byte_offset);
    // Workers alone send rows.
    let meta = world.signed_in(uploader.user);
    let refused = world.telephony.client_streaming::<jobs::ImportRows>(&meta, stream::iter([batch(&next, &[])])).await;
    assert_eq!(code(refused), ErrorCode::PermissionDenied);
}

async fn cancel(uploader: &Uploader<'_>, import: &str) -> Result<Import, Problem> {
    let request = CancelImportRequest { organisation_id: uploader.organisation.to_string(), id: import.to_owned() };
    uploader.world.call::<CancelImport>(uploader.user, request).await
}

async fn what_is_cancelled_stays_so(world: &World) {
    let uploader = Uploader::new(world);
    let pending = uploader.upload(FILE).await.unwrap();
    let cancelled = cancel(&uploader, &pending.id).await.unwrap();
    assert_eq!(cancelled.status(), ImportStatus::Cancelled);
    assert!(cancelled.finished_at.is_some());
    assert_eq!(claim(world, &pending.id, "worker").await, None);
    assert_eq!(code(cancel(&uploader, &pending.id).await), ErrorCode::Conflict);

    let running = uploader.upload(FILE).await.unwrap();
    let order = claim(world, &running.id, "worker").await.unwrap();
    send(world, vec![batch(&order, &["+442079460018"])]).await.unwrap();
    assert_eq!(cancel(&uploader, &running.id).await.unwrap().imported_rows, 1);
    let next = ImportOrder { byte_offset: order.byte_offset + 20, line: 3, ..order };
    assert_eq!(code(send(world, vec![batch(&next, &["+442079460019"])]).await), ErrorCode::Conflict);
    let end = uploader.get(&running.id).await;
    assert_eq!((end.status(), end.total_rows), (ImportStatus::Cancelled, 1));
    // What is imported by then stays.
    assert_eq!(uploader.contacts().await.len(), 1);
}

async fn a_file_that_cannot_be_read_fails(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    let order = claim(world, &import.id, "worker").await.unwrap();
    let reason = "the row is too long\0".to_owned();
    let fail = FailImportRequest { import_id: import.id.clone(), epoch: order.epoch, reason };
    // The guard refuses the character that PostgreSQL cannot keep.
    assert_eq!(code(world.asks::<jobs::FailImport>(fail.clone()).await), ErrorCode::InvalidArgument);
    let fail = FailImportRequest { reason: "the row is too long".to_owned(), ..fail };
    world.asks::<jobs::FailImport>(fail).await.unwrap();
    let failed = uploader.get(&import.id).await;
    assert_eq!((failed.status(), failed.failure.as_deref()), (ImportStatus::Failed, Some("the row is too long")));
    assert_eq!(code(cancel(&uploader, &import.id).await), ErrorCode::Conflict);
}

async fn a_file_that_nobody_gets_on_with_is_given_up(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    for _ in 0..15 {
        assert!(claim(world, &import.id, "worker").await.is_some());
    }
    // A batch is progress, so the count begins anew.
    let order = claim(world, &import.id, "worker").await.unwrap();
    send(world, vec![batch(&order, &["+442079460018"])]).await.unwrap();
    for _ in 0..20 {
        assert!(claim(world, &import.id, "worker").await.is_some());
    }
    assert_eq!(claim(world, &import.id, "worker").await, None);
    let failed = uploader.get(&import.id).await;
    assert_eq!((failed.status(), failed.imported_rows), (ImportStatus::Failed, 1));
    assert!(failed.failure.unwrap().contains("20 attempts"));
}

/// The next message of the queue of imports.
async fn rung(world: &World) -> String {
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let consume = world.queue.consume(QueueName::Import, 1, stop.clone(), move |message| {
        let heard = heard.clone();
        async move {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            let _ = heard.send(body["import_id"].as_str().unwrap().to_owned());
            Outcome::Done
        }
    });
    let hear = async {
        let import = tokio::time::timeout(DEADLINE, hear.recv()).await.expect("somebody rings").unwrap();
        stop.cancel();
        import
    };
    tokio::join!(consume, hear).1
}

async fn what_fell_silent_is_rung_again(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(FILE).await.unwrap();
    assert_eq!(rung(world).await, import.id);
    // The message was lost, and time has passed.
    let past = if world.pool.is_postgres() { "now() - interval '1 hour'" } else { "0" };
    world.sql(&format!("UPDATE imports SET rung_at = {past}")).await;
    assert_eq!(rung(world).await, import.id);
    // A worker has it, and dies.
    claim(world, &import.id, "worker").await.unwrap();
    lapse(world).await;
    assert_eq!(rung(world).await, import.id);
}
