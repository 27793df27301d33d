//! What telephony records of its work.

use crate::files::{Uploader, Worker};
use crate::pipeline::{Desk, number};
use crate::world::{DEADLINE, World, code, only};
use access::{Meta, Origin, PermissionSet, REFUSALS_WINDOW};
use callfairy_core::ErrorCode;
use futures_util::StreamExt;
use proto::Permission::ViewCalls;
use proto::Rpc;
use proto::rpc::calls::{DownloadRecording, GetCall, GetTranscript, ListCalls};
use proto::rpc::campaigns as campaign_rpc;
use proto::rpc::contacts::ListContacts;
use proto::telephony::*;
use proto::tenancy::NewAuditEntry;

testkit::on_both!(
    imports_and_their_errors_are_recorded,
    campaigns_are_recorded,
    who_reads_a_recording_is_recorded,
    who_reads_what_was_said_is_recorded,
    refusals_are_recorded,
    entries_hold_nothing_personal,
);

/// The only one of an action, by this user in this organisation.
async fn only_one(desk: &Desk<'_>, action: &str) -> NewAuditEntry {
    all_is_recorded(desk.world).await;
    let [entry] = desk.world.audit_log.eventually(action, 1, DEADLINE).await.try_into().unwrap();
    check(desk, &entry);
    entry
}

/// Nothing more is on its way.
async fn all_is_recorded(world: &World) {
    testkit::eventually("all was recorded", DEADLINE, async || {
        (number(world, "SELECT count(*) FROM outbox WHERE topic = 'audit'").await == 0).then_some(())
    })
    .await;
}

fn check(desk: &Desk<'_>, entry: &NewAuditEntry) {
    assert_eq!((entry.actor_kind.as_str(), &entry.actor_id), ("user", &desk.user.to_string()), "{entry:?}");
    assert_eq!((&entry.organisation_id, entry.outcome.as_str()), (&desk.organisation.to_string(), "done"), "{entry:?}");
}

fn subject(entry: &NewAuditEntry) -> (&str, &str) {
    (&entry.subject_kind, &entry.subject_id)
}

async fn imports_and_their_errors_are_recorded(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let desk = Desk { world, organisation: uploader.organisation, user: uploader.user };
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..world.signed_in(desk.user) };
    let content = b"name,phone\nAda,+442079460018\nEve,12\n";
    let mut imports = vec![];
    for _ in 0..2 {
        imports.push(uploader.upload_as(&meta, uploader.form(), content).await.unwrap());
    }
    let import = uploader.end_of(&imports[0].id).await;
    assert_eq!(subject(&only_one(&desk, "import_started").await), ("import", import.id.as_str()));
    uploader.errors(&import.id).await;
    assert_eq!(subject(&only_one(&desk, "import_errors_exported").await), ("import", import.id.as_str()));
    worker.stop().await;
}

async fn campaigns_are_recorded(world: &World) {
    let desk = Desk::new(world);
    let organisation_id = desk.organisation.to_string();
    let request = CreateCampaignRequest {
        organisation_id: organisation_id.clone(),
        name: "Spring".to_owned(),
        task: "Say hello".to_owned(),
        contacts: Some(ContactSelection { tag: "nobody".to_owned(), ..ContactSelection::default() }),
        ..CreateCampaignRequest::default()
    };
    let id = world.call::<campaign_rpc::CreateCampaign>(desk.user, request).await.unwrap().id;
    let start = StartCampaignRequest { organisation_id: organisation_id.clone(), id: id.clone() };
    world.call::<campaign_rpc::StartCampaign>(desk.user, start.clone()).await.unwrap();
    let again = world.call::<campaign_rpc::StartCampaign>(desk.user, start).await;
    assert_eq!(code(again), ErrorCode::Conflict);
    assert_eq!(subject(&only_one(&desk, "campaign_started").await), ("campaign", id.as_str()));

    let draft = CreateCampaignRequest {
        organisation_id: organisation_id.clone(),
        name: "Summer".to_owned(),
        task: "Say hello".to_owned(),
        contacts: Some(ContactSelection { tag: "nobody".to_owned(), ..ContactSelection::default() }),
        ..CreateCampaignRequest::default()
    };
    let id = world.call::<campaign_rpc::CreateCampaign>(desk.user, draft).await.unwrap().id;
    for _ in 0..2 {
        let cancel = CancelCampaignRequest { organisation_id: organisation_id.clone(), id: id.clone() };
        world.call::<campaign_rpc::CancelCampaign>(desk.user, cancel).await.unwrap();
    }
    assert_eq!(subject(&only_one(&desk, "campaign_cancelled").await), ("campaign", id.as_str()));
}

/// A call that is over, with all that was heard.
async fn heard(desk: &Desk<'_>) -> String {
    let id = desk.create("+442079460018").await.id;
    let key = format!("recordings/{}/{id}", desk.organisation);
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"RIFF"))]);
    desk.world.storage.put_stream(&key, pieces, 100).await.unwrap();
    let turns = r#"[{"speaker": "user", "text": "my number is 555-0100", "at": null}]"#;
    let heard = format!("recorded = true, transcript = 'user: my number is 555-0100', turns = '{turns}'");
    desk.world.sql(&format!("UPDATE calls SET {heard}")).await;
    id
}

async fn who_reads_a_recording_is_recorded(world: &World) {
    let desk = Desk::new(world);
    let id = heard(&desk).await;
    let request = DownloadRecordingRequest { organisation_id: desk.organisation.to_string(), id: id.clone() };
    let meta = Meta { origin: Origin::new(None, Some([192, 0, 2, 7].into())), ..world.signed_in(desk.user) };
    let pieces = world.telephony.server_streaming::<DownloadRecording>(&meta, request.clone()).await.unwrap();
    let bytes: Vec<u8> =
        pieces.map(Result::unwrap).collect::<Vec<_>>().await.into_iter().flat_map(|p| p.data).collect();
    assert_eq!(bytes, b"RIFF");
    let entry = only_one(&desk, "recording_read").await;
    assert_eq!((subject(&entry), entry.network.as_str()), (("call", id.as_str()), "192.0.2.0/24"));
    // What is not there is not read.
    let unknown = DownloadRecordingRequest { id: crate::world::nobody(), ..request };
    assert!(world.telephony.server_streaming::<DownloadRecording>(&meta, unknown).await.is_err());
    only_one(&desk, "recording_read").await;
}

async fn who_reads_what_was_said_is_recorded(world: &World) {
    let desk = Desk::new(world);
    let id = heard(&desk).await;
    let organisation_id = desk.organisation.to_string();
    // Somebody who sees calls, but not what was said.
    let blind = world.agent(desk.organisation, only(ViewCalls));
    let get = GetCallRequest { organisation_id: organisation_id.clone(), id: id.clone() };
    assert_eq!(world.call::<GetCall>(blind, get.clone()).await.unwrap().transcript, None);
    let list = ListCallsRequest { organisation_id: organisation_id.clone(), ..ListCallsRequest::default() };
    assert_eq!(world.call::<ListCalls>(blind, list.clone()).await.unwrap().calls[0].transcript, None);

    let request = GetTranscriptRequest { organisation_id, id: id.clone() };
    assert_eq!(world.call::<GetTranscript>(desk.user, request).await.unwrap().turns.len(), 1);
    assert!(world.call::<GetCall>(desk.user, get).await.unwrap().transcript.is_some());
    assert!(world.call::<ListCalls>(desk.user, list).await.unwrap().calls[0].transcript.is_some());
    all_is_recorded(world).await;
    let entries = world.audit_log.eventually("transcript_read", 3, DEADLINE).await;
    for entry in &entries {
        check(&desk, entry);
    }
    let (of_one, of_list): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| !entry.subject_id.is_empty());
    assert_eq!(of_one.iter().map(|entry| subject(entry)).collect::<Vec<_>>(), [("call", id.as_str()); 2]);
    let [of_list] = of_list.as_slice() else { panic!("{of_list:?}") };
    assert_eq!((of_list.details["count"].as_str(), &of_list.details["calls"]), ("1", &id));
}

async fn refusals_are_recorded(world: &World) {
    let (organisation, _) = world.organisation();
    let eve = world.agent(organisation, PermissionSet::EMPTY);
    let request = ListContactsRequest { organisation_id: organisation.to_string(), ..ListContactsRequest::default() };
    for _ in 0..3 {
        assert_eq!(code(world.call::<ListContacts>(eve, request.clone()).await), ErrorCode::PermissionDenied);
    }
    world.clock.advance(REFUSALS_WINDOW);
    let [entry] = world.audit_log.eventually("access_refused", 1, DEADLINE).await.try_into().unwrap();
    all_is_recorded(world).await;
    assert_eq!(world.audit_log.entries().len(), 1);
    assert_eq!((entry.actor_id, entry.organisation_id), (eve.to_string(), organisation.to_string()));
    assert_eq!((entry.details["rpc"].as_str(), entry.details["count"].as_str()), (ListContacts::GRPC_PATH, "3"));
    assert_eq!(entry.details["permission"], "view_contacts");
}

async fn entries_hold_nothing_personal(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let desk = Desk { world, organisation: uploader.organisation, user: uploader.user };
    let form =
        CreateImportRequest { filename: "canary.csv".to_owned(), tags: vec!["canary".to_owned()], ..uploader.form() };
    let import = uploader.import_with(form, b"name,phone,email\nCanary,+442079460018,canary@example.com\n").await;
    assert_eq!(import.imported_rows, 1);
    let id = heard(&desk).await;
    let request = GetTranscriptRequest { organisation_id: desk.organisation.to_string(), id };
    world.call::<GetTranscript>(desk.user, request).await.unwrap();
    world.audit_log.eventually("import_started", 1, DEADLINE).await;
    world.audit_log.eventually("transcript_read", 1, DEADLINE).await;
    let written = serde_json::to_string(&world.audit_log.entries()).unwrap().to_lowercase();
    for planted in ["canary", "442079460018", "555-0100", "@"] {
        assert!(!written.contains(planted), "{planted}: {written}");
    }
    worker.stop().await;
}
