//! Files that are not taken, and that nothing of them stays.

use crate::files::Uploader;
use crate::world::{DEADLINE, World, code, field, nobody, only};
use access::{Client, Meta};
use callfairy_core::ErrorCode;
use futures_util::{StreamExt as _, stream};
use proto::Permission;
use proto::rpc::imports as rpc;
use proto::telephony::{
    CancelImportRequest, CreateImportRequest, DownloadImportErrorsRequest, GetImportRequest, ListImportsRequest,
};
use std::future::pending;
use tokio::sync::oneshot;

testkit::on_both!(
    what_is_no_list_of_contacts_is_refused,
    a_broken_off_upload_leaves_nothing,
    the_same_key_is_the_same_import,
    strangers_see_nothing,
);

async fn what_is_no_list_of_contacts_is_refused(world: &World) {
    let uploader = Uploader::new(world);
    let long = "who,where\nAda,London\n".repeat(10_000);
    for (content, word) in [
        (&b""[..], "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"phone,name\n", "no rows"),
        (b"phone,name\n1,A\0B\n", "NUL"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"who,where\nAda,London\n", r#""who", "where""#),
        (long.as_bytes(), "mapping"),
    ] {
        let problem = uploader.upload(content).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "file"));
        assert!(problem.fields[0].message.contains(word), "{problem:?}");
    }
    let good = b"phone,name\n+442079460018,Ada\n";
    for (form, bad) in [
        (CreateImportRequest { mapping: "phone".to_owned(), ..uploader.form() }, "mapping"),
        (CreateImportRequest { mapping: r#"{"phone": "telephone"}"#.to_owned(), ..uploader.form() }, "mapping"),
        (CreateImportRequest { mapping: r#"{"fax": "phone_number"}"#.to_owned(), ..uploader.form() }, "mapping"),
        (CreateImportRequest { default_country: Some("QX".to_owned()), ..uploader.form() }, "default_country"),
        (CreateImportRequest { default_country: Some("us".to_owned()), ..uploader.form() }, "default_country"),
        (CreateImportRequest { tags: vec!["x".repeat(101)], ..uploader.form() }, "tags[0]"),
        (CreateImportRequest { on_duplicate: 7, ..uploader.form() }, "on_duplicate"),
    ] {
        assert_eq!(field(uploader.upload_with(form, good).await), bad);
    }
    assert_eq!(world.stored(), Vec::<std::path::PathBuf>::new());
    let list = ListImportsRequest { organisation_id: uploader.organisation.to_string(), ..Default::default() };
    assert_eq!(world.call::<rpc::ListImports>(uploader.user, list).await.unwrap().imports, []);
}

async fn a_broken_off_upload_leaves_nothing(world: &World) {
    let uploader = Uploader::new(world);
    let (form, meta) = (uploader.form(), world.signed_in(uploader.user));
    world
        .vanishing_caller(async move |telephony: Client| {
            let (sent, is_sent) = oneshot::channel();
            let first = CreateImportRequest { data: b"phone,name\n".to_vec(), ..form };
            // More than a part of an upload, so that something was written already.
            let rows = CreateImportRequest { data: "+442079460018,Ada\n".repeat(50_000).into(), ..Default::default() };
            let never = stream::once(async move {
                sent.send(()).unwrap();
                pending().await
            });
            let pieces = stream::iter(std::iter::once(first).chain(std::iter::repeat_n(rows, 15))).chain(never);
            tokio::select! {
                answer = telephony.client_streaming::<rpc::CreateImport>(&meta, pieces) => panic!("{answer:?}"),
                done = is_sent => done.unwrap(),
            }
        })
        .await;
    testkit::eventually("the upload is gone", DEADLINE, async || world.stored().is_empty().then_some(())).await;
    let list = ListImportsRequest { organisation_id: uploader.organisation.to_string(), ..Default::default() };
    assert_eq!(world.call::<rpc::ListImports>(uploader.user, list).await.unwrap().imports, []);
}

async fn the_same_key_is_the_same_import(world: &World) {
    let uploader = Uploader::new(world);
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..world.signed_in(uploader.user) };
    let file = b"phone,name\n+442079460018,Ada\n";
    let first = uploader.upload_as(&meta, uploader.form(), file).await.unwrap();
    let second = uploader.upload_as(&meta, uploader.form(), file).await.unwrap();
    // In other pieces it is still the same file.
    let form = CreateImportRequest { data: file.to_vec(), ..uploader.form() };
    let third = uploader.upload_as(&meta, form, b"").await.unwrap();
    assert_eq!((&second, &third), (&first, &first));
    let other_file = uploader.upload_as(&meta, uploader.form(), b"phone,name\n+442079460018,Bob\n").await;
    assert_eq!(code(other_file), ErrorCode::IdempotencyKeyReused);
    let other_form = CreateImportRequest { tags: vec!["new".to_owned()], ..uploader.form() };
    assert_eq!(code(uploader.upload_as(&meta, other_form, file).await), ErrorCode::IdempotencyKeyReused);
    assert_eq!(world.stored().len(), 1);
    // Somebody else's key is another one.
    let other = Uploader::new(world);
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..world.signed_in(other.user) };
    assert_ne!(other.upload_as(&meta, other.form(), file).await.unwrap().id, first.id);
}

async fn strangers_see_nothing(world: &World) {
    let (uploader, stranger) = (Uploader::new(world), Uploader::new(world));
    let import = uploader.upload(b"phone,name\n+442079460018,Ada\n").await.unwrap();
    // Theirs, by its own organisation's id and by the stranger's.
    for (organisation, id) in [
        (uploader.organisation.to_string(), import.id.clone()),
        (stranger.organisation.to_string(), import.id.clone()),
        (stranger.organisation.to_string(), nobody()),
    ] {
        let get = GetImportRequest { organisation_id: organisation.clone(), id: id.clone() };
        let expected = world.call::<rpc::GetImport>(stranger.user, get).await.unwrap_err();
        assert_eq!(expected.code, ErrorCode::NotFound);
        let cancel = CancelImportRequest { organisation_id: organisation.clone(), id: id.clone() };
        assert_eq!(world.call::<rpc::CancelImport>(stranger.user, cancel).await.unwrap_err(), expected);
        let errors = DownloadImportErrorsRequest { organisation_id: organisation, id };
        let meta = world.signed_in(stranger.user);
        let refused = world.telephony.server_streaming::<rpc::DownloadImportErrors>(&meta, errors).await.err();
        assert_eq!(refused, Some(expected));
    }
    let form = CreateImportRequest { organisation_id: uploader.organisation.to_string(), ..stranger.form() };
    assert_eq!(code(stranger.upload_with(form, b"phone\n1\n").await), ErrorCode::NotFound);
    let list = ListImportsRequest { organisation_id: stranger.organisation.to_string(), ..Default::default() };
    assert_eq!(world.call::<rpc::ListImports>(stranger.user, list).await.unwrap().imports, []);
    // A colleague without the permission.
    let user = world.agent(uploader.organisation, only(Permission::ViewContacts));
    let colleague = Uploader { user, ..uploader };
    let refused = colleague.upload(b"phone\n1\n").await.unwrap_err();
    assert_eq!((refused.code, refused.permission.as_deref()), (ErrorCode::PermissionDenied, Some("import_contacts")));
    assert_eq!(world.stored().len(), 1);
}
