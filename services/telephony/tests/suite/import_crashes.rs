//! Workers that are killed, stop, or work against each other: the result is that of one undisturbed worker.

use crate::files::{THOUSAND, Uploader, Worker};
use crate::import_claims::{claim, lapse};
use crate::world::{DEADLINE, World};
use proto::rpc::imports::CancelImport;
use proto::telephony::{CancelImportRequest, Contact, Import, ImportStatus, OnDuplicate};
use queue::{Message, QueueName};

testkit::on_both!(
    killed_again_and_again,
    a_worker_that_stops_is_followed_at_once,
    two_workers_and_many_messages,
    a_cancelled_import_stops,
    broken_files_fail_with_a_reason,
    a_file_that_is_gone_fails,
);

/// Rows enough to be killed among, and more bytes than a connection holds. Some numbers come again.
fn file() -> Vec<u8> {
    let note = "n".repeat(900);
    let row = |n: usize| {
        let number = format!("+1212{}{:04}", 300 + n % 7, n % 900);
        format!("Person {n},{number},p{n}@example.com,\"{n}\n{note}\",{note},{note}\n")
    };
    let rows: String = (0..1_500).map(row).collect();
    format!("Name,Phone,Email,Note,Note,Note\n{rows}").into_bytes()
}

/// All that an import leaves.
async fn outcome(uploader: &Uploader<'_>, import: &Import) -> (Vec<Contact>, Vec<u8>, Import) {
    let anonymous = Import { id: String::new(), ..import.clone() };
    (uploader.contents().await, uploader.errors(&import.id).await, anonymous)
}

/// The same file in an organisation of its own, read by one worker from its beginning to its end.
async fn undisturbed(world: &World, file: &[u8], on_duplicate: OnDuplicate) -> (Vec<Contact>, Vec<u8>, Import) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let mut form = uploader.form();
    form.set_on_duplicate(on_duplicate);
    let import = uploader.import_with(form, file).await;
    assert_eq!(import.status(), ImportStatus::Completed);
    worker.stop().await;
    outcome(&uploader, &import).await
}

async fn killed_again_and_again(world: &World) {
    for (file, on_duplicate) in [(THOUSAND, OnDuplicate::Skip), (&file(), OnDuplicate::Update)] {
        let expected = undisturbed(world, file, on_duplicate).await;
        let uploader = Uploader::new(world);
        let mut form = uploader.form();
        form.set_on_duplicate(on_duplicate);
        let import = uploader.upload_with(form, file).await.unwrap();
        let (mut kills, mut seen) = (0, 0);
        loop {
            // Another size of batches each time, so that they are cut elsewhere.
            let worker = Worker::with_max_rows(world, 20 + 7 * kills);
            let now = testkit::eventually("the import goes on", DEADLINE, async || {
                let now = uploader.get(&import.id).await;
                (now.total_rows > seen || now.status() == ImportStatus::Completed).then_some(now)
            })
            .await;
            worker.kill().await;
            if now.status() == ImportStatus::Completed {
                break;
            }
            (kills, seen) = (kills + 1, now.total_rows);
            lapse(world).await;
        }
        assert!(kills >= 5, "killed only {kills} times");
        let import = uploader.end_of(&import.id).await;
        assert_eq!(outcome(&uploader, &import).await, expected);
    }
}

async fn a_worker_that_stops_is_followed_at_once(world: &World) {
    let file = file();
    let expected = undisturbed(world, &file, OnDuplicate::Skip).await;
    let uploader = Uploader::new(world);
    let import = uploader.upload(&file).await.unwrap();
    let mut stops = 0;
    loop {
        let before = uploader.get(&import.id).await.total_rows;
        let worker = Worker::with_max_rows(world, 10);
        testkit::eventually("the import goes on", DEADLINE, async || {
            let now = uploader.get(&import.id).await;
            (now.total_rows > before || now.status() == ImportStatus::Completed).then_some(())
        })
        .await;
        worker.stop().await;
        if uploader.get(&import.id).await.status() == ImportStatus::Completed {
            break;
        }
        stops += 1;
        assert!(claim(world, &import.id, "successor").await.is_some(), "nobody has to wait for a lease to run out");
        lapse(world).await;
    }
    assert!(stops > 1);
    let import = uploader.end_of(&import.id).await;
    assert_eq!(outcome(&uploader, &import).await, expected);
}

async fn two_workers_and_many_messages(world: &World) {
    let expected = undisturbed(world, THOUSAND, OnDuplicate::Skip).await;
    let uploader = Uploader::new(world);
    let workers = [Worker::with_max_rows(world, 30), Worker::with_max_rows(world, 50)];
    let import = uploader.upload(THOUSAND).await.unwrap();
    testkit::eventually("the import came to its end", DEADLINE, async || {
        // Each worker gets a message and claims again what it has.
        let message = Message::new(format!(r#"{{"import_id": "{}"}}"#, import.id).into_bytes());
        world.queue.publish(QueueName::Import, vec![message.clone(), message]).await;
        (uploader.get(&import.id).await.status() == ImportStatus::Completed).then_some(())
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }
    let import = uploader.get(&import.id).await;
    assert_eq!(outcome(&uploader, &import).await, expected);
    assert_eq!(world.queue.dead_letters(10).await.unwrap(), []);
}

async fn a_cancelled_import_stops(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(&file()).await.unwrap();
    let worker = Worker::with_max_rows(world, 5);
    let begun = testkit::eventually("the import has begun", DEADLINE, async || {
        Some(uploader.get(&import.id).await).filter(|now| now.total_rows > 0)
    });
    begun.await;
    let request = CancelImportRequest { organisation_id: uploader.organisation.to_string(), id: import.id.clone() };
    let cancelled = world.call::<CancelImport>(uploader.user, request).await.unwrap();
    // The worker is done with it, and nothing came after.
    worker.stop().await;
    assert_eq!(uploader.get(&import.id).await, cancelled);
    assert_eq!(cancelled.status(), ImportStatus::Cancelled);
    assert!(cancelled.total_rows < 1_500 && cancelled.bytes_read < cancelled.bytes_total, "{cancelled:?}");
    assert_eq!(uploader.contacts().await.len() as u64, cancelled.imported_rows);
    assert_eq!(world.queue.dead_letters(10).await.unwrap(), []);
}

async fn broken_files_fail_with_a_reason(world: &World) {
    let worker = Worker::start(world);
    let wide = ",".repeat(1_000);
    let long = "x".repeat(1024 * 1024 + 1);
    for (row, reason) in [
        ("\"+442079460019,Bob\n+442079460020,Eve\n", "line 3 has a quotation mark that is not closed"),
        (wide.as_str(), "line 3 has more than 1000 cells"),
        (long.as_str(), "line 3 is longer than a megabyte"),
    ] {
        let uploader = Uploader::new(world);
        let import = uploader.import(format!("phone,name\n+442079460018,Ada\n{row}").as_bytes()).await;
        assert_eq!(import.status(), ImportStatus::Failed);
        assert!(import.failure.as_ref().unwrap().contains(reason), "{import:?}");
        assert!(import.finished_at.is_some());
    }
    // Whole batches before the broken row are in.
    worker.stop().await;
    let (uploader, worker) = (Uploader::new(world), Worker::with_max_rows(world, 1));
    let import = uploader.import(b"phone,name\n+442079460018,Ada\n+442079460019,Bob\n\"").await;
    assert_eq!((import.status(), import.imported_rows), (ImportStatus::Failed, 1));
    worker.stop().await;
}

async fn a_file_that_is_gone_fails(world: &World) {
    let uploader = Uploader::new(world);
    let import = uploader.upload(THOUSAND).await.unwrap();
    for file in world.stored() {
        std::fs::remove_file(file).unwrap();
    }
    let worker = Worker::start(world);
    let import = uploader.end_of(&import.id).await;
    assert_eq!(import.failure.as_deref(), Some("the uploaded file is not there any more"));
    worker.stop().await;
}
