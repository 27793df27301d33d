//! What becomes of the rows of a file.

use crate::files::{THOUSAND, Uploader, Worker};
use crate::world::World;
use encoding_rs::WINDOWS_1252;
use proto::rpc::imports::ListImports;
use proto::telephony::{Contact, CreateImportRequest, Import, ImportStatus, ListImportsRequest, OnDuplicate};

testkit::on_both!(
    a_thousand_people,
    every_delimiter_and_encoding_gives_the_same,
    later_rows_and_files_update,
    tags_and_mapping,
    imports_are_listed_newest_first,
);

fn counts(import: &Import) -> [u64; 5] {
    [import.total_rows, import.imported_rows, import.updated_rows, import.duplicate_rows, import.failed_rows]
}

async fn a_thousand_people(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let made = uploader.upload(THOUSAND).await.unwrap();
    assert_eq!((made.status(), made.bytes_total), (ImportStatus::Pending, THOUSAND.len() as u64));
    let import = uploader.end_of(&made.id).await;
    assert_eq!(import.status(), ImportStatus::Completed, "{import:?}");
    assert_eq!(counts(&import), [1_000, 950, 0, 20, 30]);
    assert_eq!((import.bytes_read, import.filename.as_str()), (import.bytes_total, "people.csv"));
    assert_eq!(import.mapping["Phone No."], "phone_number");
    assert_eq!(import.mapping["Full Name"], "name");
    assert_eq!(import.mapping["E-Mail"], "email");
    assert_eq!((import.mapping.len(), import.sample_errors.len()), (3, 10));
    assert!(import.sample_errors.iter().all(|error| error.column == "Phone No." && error.line > 1));
    assert!(import.sample_errors.is_sorted_by_key(|error| error.line));

    let contacts = uploader.contacts().await;
    assert_eq!(contacts.len(), 950);
    let first = &contacts[0];
    assert_eq!((first.name.as_str(), first.phone_number.as_str()), ("Ömer Muñoz", "+33465710037"));
    assert_eq!(first.email.as_deref(), Some("mermuoz1@mail.example.net"));
    assert_eq!((first.metadata["City"].as_str(), first.metadata.len()), ("Lyon", 2));
    assert_eq!(first.import_id, Some(import.id.clone()));
    let notes = |start: &str| contacts.iter().any(|c| c.metadata.get("Notes").is_some_and(|n| n.starts_with(start)));
    assert!(notes("=SUM(A1:A2)") && notes("Line one\n") && notes("tab\there"));

    let again = uploader.import(THOUSAND).await;
    assert_eq!(counts(&again), [1_000, 0, 0, 970, 30]);
    assert_eq!(again.sha256, import.sha256);
    assert_eq!(uploader.contacts().await, contacts);
    worker.stop().await;
}

async fn every_delimiter_and_encoding_gives_the_same(world: &World) {
    let worker = Worker::with_max_rows(world, 2);
    let file = "Name,Phone,Stadt\r\n\"Ünal, Zoë\",+442079460018,\"Köln\"\"s\r\nSüden\"\r\n\r\nÅsa,212 555 0123,\r\n\
                Ärger,,Bonn\r\nÓscar,+34 912 345 678,Málaga\r\n";
    let with = |delimiter: &str| file.replace("\"Ünal, Zoë\"", "Ünal Zoë").replace(',', delimiter);
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = format!("\u{feff}{}", with(";"));
        text.encode_utf16().flat_map(bytes).collect()
    };
    let mut results: Vec<(Vec<Contact>, Import)> = vec![];
    for content in [
        with(",").into_bytes(),
        with(";").into_bytes(),
        with("\t").into_bytes(),
        with("|").into_bytes(),
        format!("\u{feff}{}", with(",")).into_bytes(),
        format!("sep=;\r\n{}", with(";")).into_bytes(),
        with(";").replace("\r\n", "\n").replace("s\nS", "s\r\nS").into_bytes(),
        WINDOWS_1252.encode(&with(";")).0.into_owned(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ] {
        let uploader = Uploader::new(world);
        let import = uploader.import(&content).await;
        assert_eq!(counts(&import), [4, 3, 0, 0, 1], "{import:?}");
        assert_eq!(import.bytes_read, content.len() as u64);
        let contacts = uploader.contents().await;
        assert_eq!(contacts[0].metadata["Stadt"], "Köln\"s\r\nSüden");
        assert_eq!(contacts[1].phone_number, "+12125550123");
        results.push((contacts, import));
    }
    assert!(results.iter().all(|(contacts, _)| *contacts == results[0].0), "{results:?}");
    // One line more before the header.
    let lines: Vec<u64> = results.iter().map(|(_, import)| import.sample_errors[0].line).collect();
    assert_eq!(lines, [6, 6, 6, 6, 6, 7, 6, 6, 6, 6]);
    worker.stop().await;
}

async fn later_rows_and_files_update(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::with_max_rows(world, 2));
    let update = || CreateImportRequest { on_duplicate: OnDuplicate::Update.into(), ..uploader.form() };
    let first = "name,phone,email,tags,city\n\
                 Ada,+442079460018,ada@example.org,vip,London\n\
                 Bob,+442079460019,,,\n\
                 Ada King,020 7946 0018,,,\n";
    let form = CreateImportRequest { default_country: Some("GB".to_owned()), ..update() };
    let import = uploader.import_with(form, first.as_bytes()).await;
    assert_eq!(counts(&import), [3, 2, 1, 0, 0]);
    let second = "phone,email,town\n+442079460018,,\n+442079460019,bob@example.org,Leeds\n+442079460020,,York\n";
    let import = uploader.import_with(update(), second.as_bytes()).await;
    assert_eq!(counts(&import), [3, 1, 2, 0, 0]);

    let contacts = uploader.contents().await;
    let seen: Vec<_> = contacts.iter().map(|c| (c.name.as_str(), c.email.as_deref(), c.metadata.clone())).collect();
    let metadata = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    assert_eq!(
        seen,
        [
            ("Ada King", Some("ada@example.org"), metadata("city", "London")),
            ("Bob", Some("bob@example.org"), metadata("town", "Leeds")),
            ("+442079460020", None, metadata("town", "York")),
        ]
    );
    assert_eq!(contacts[0].tags, ["vip"]);
    // Left as they were, if that is wished.
    let import = uploader.import(b"phone,name\n+442079460018,Eve\n+442079460021,Eve\n+442079460021,Mallory\n").await;
    assert_eq!(counts(&import), [3, 1, 0, 2, 0]);
    let names: Vec<String> = uploader.contents().await.into_iter().map(|contact| contact.name).collect();
    assert_eq!(names, ["Ada King", "Bob", "+442079460020", "Eve"]);
    worker.stop().await;
}

async fn tags_and_mapping(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let form = || CreateImportRequest {
        mapping: r#"{"Cell": "phone_number", "Kind": "tags", "Tel": "metadata"}"#.to_owned(),
        tags: vec!["spring".to_owned(), " spring ".to_owned()],
        ..uploader.form()
    };
    let file = "First Name,Last Name,Tel,Cell,Kind\nAda,King,1,+442079460018,\"a, b\"\n,King,,+442079460019,\n";
    let import = uploader.import_with(form(), file.as_bytes()).await;
    assert_eq!((counts(&import), &import.tags[..]), ([2, 2, 0, 0, 0], &["spring".to_owned()][..]));
    let fields: Vec<_> = import.mapping.iter().map(|(header, field)| (header.as_str(), field.as_str())).collect();
    let expected = [("Cell", "phone_number"), ("First Name", "name"), ("Kind", "tags"), ("Last Name", "name")];
    assert_eq!(fields, expected);
    let contacts = uploader.contents().await;
    assert_eq!((contacts[0].name.as_str(), contacts[1].name.as_str()), ("Ada King", "King"));
    assert_eq!(
        (&contacts[0].tags[..], &contacts[1].tags[..]),
        (&["spring", "a", "b"].map(str::to_owned)[..], &["spring".to_owned()][..])
    );
    assert_eq!(contacts[0].metadata["Tel"], "1");

    // By tag they are found, also after an update gave them others.
    let tagged = async |tag: &str| crate::contacts::list(&uploader, |list| tag.clone_into(&mut list.tag)).await.len();
    assert_eq!((tagged("spring").await, tagged("a").await, tagged("c").await), (2, 1, 0));
    let form = CreateImportRequest { on_duplicate: OnDuplicate::Update.into(), ..uploader.form() };
    uploader.import_with(form, b"Cell,Tags\n+442079460018,c\n").await;
    assert_eq!((tagged("spring").await, tagged("a").await, tagged("c").await), (1, 0, 1));
    worker.stop().await;
}

async fn imports_are_listed_newest_first(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    let mut made = vec![];
    for _ in 0..5 {
        made.push(uploader.upload(b"phone\n+442079460018\n").await.unwrap());
    }
    other.upload(b"phone\n+442079460018\n").await.unwrap();
    made.reverse();
    let (mut listed, mut page_token) = (vec![], String::new());
    loop {
        let organisation_id = uploader.organisation.to_string();
        let request = ListImportsRequest { organisation_id, page_size: 2, page_token };
        let page = world.call::<ListImports>(uploader.user, request).await.unwrap();
        listed.extend(page.imports);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
}
