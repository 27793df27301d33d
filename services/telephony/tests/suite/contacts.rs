//! Contacts, one at a time and in lists.

use crate::files::Uploader;
use crate::world::{World, code, field, nobody, only};
use callfairy_core::ErrorCode;
use proto::Permission;
use proto::rpc::contacts as rpc;
use proto::telephony::{Contact, ContactOrder, CreateContactRequest, GetContactRequest, ListContactsRequest};

testkit::on_both!(
    a_contact_is_kept_as_it_was_made,
    a_number_is_there_once,
    what_is_wrong_is_named,
    lists_lead_through_all,
    people_are_found,
    strangers_see_nothing,
);

fn request(uploader: &Uploader<'_>, name: &str, phone_number: &str) -> CreateContactRequest {
    CreateContactRequest {
        organisation_id: uploader.organisation.to_string(),
        name: name.to_owned(),
        phone_number: phone_number.to_owned(),
        ..CreateContactRequest::default()
    }
}

async fn create(uploader: &Uploader<'_>, name: &str, phone_number: &str) -> Contact {
    uploader.world.call::<rpc::CreateContact>(uploader.user, request(uploader, name, phone_number)).await.unwrap()
}

/// All pages of a list, each of three.
pub async fn list(uploader: &Uploader<'_>, which: impl Fn(&mut ListContactsRequest)) -> Vec<Contact> {
    let (mut contacts, mut page_token) = (vec![], String::new());
    loop {
        let organisation_id = uploader.organisation.to_string();
        let mut request = ListContactsRequest { organisation_id, page_size: 3, page_token, ..Default::default() };
        which(&mut request);
        let page = uploader.world.call::<rpc::ListContacts>(uploader.user, request).await.unwrap();
        assert!(page.contacts.len() <= 3);
        contacts.extend(page.contacts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return contacts;
        }
    }
}

async fn a_contact_is_kept_as_it_was_made(world: &World) {
    let uploader = Uploader::new(world);
    let request = CreateContactRequest {
        email: Some("Ada@Example.org".to_owned()),
        tags: vec!["vip".to_owned(), " vip ".to_owned(), "new".to_owned()],
        metadata: [("city".to_owned(), "London".to_owned())].into(),
        default_country: Some("GB".to_owned()),
        ..request(&uploader, " Ada Löve ", "(020) 7946 0018")
    };
    let made = world.call::<rpc::CreateContact>(uploader.user, request).await.unwrap();
    assert_eq!((made.name.as_str(), made.phone_number.as_str()), ("Ada Löve", "+442079460018"));
    assert_eq!(made.email.as_deref(), Some("Ada@Example.org"));
    assert_eq!((&made.tags[..], made.metadata["city"].as_str()), (&["vip", "new"].map(str::to_owned)[..], "London"));
    assert_eq!((made.import_id.clone(), made.created_at), (None, made.updated_at));
    let get = GetContactRequest { organisation_id: uploader.organisation.to_string(), id: made.id.clone() };
    assert_eq!(world.call::<rpc::GetContact>(uploader.user, get).await.unwrap(), made);
    assert_eq!(list(&uploader, |_| {}).await, [made]);
}

async fn a_number_is_there_once(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    let first = create(&uploader, "Ada", "+44 20 7946 0018").await;
    let again = world.call::<rpc::CreateContact>(uploader.user, request(&uploader, "Bob", "+442079460018")).await;
    let problem = again.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::Conflict, "phone_number"));
    // Another organisation knows whom it likes.
    create(&other, "Ada", "+442079460018").await;
    assert_eq!(list(&uploader, |_| {}).await, [first]);

    let bob = request(&uploader, "Bob", "+442079460019");
    let once = async |request| world.call_once::<rpc::CreateContact>(uploader.user, "key", request).await;
    let made = once(bob.clone()).await.unwrap();
    assert_eq!(once(bob).await.unwrap(), made);
    assert_eq!(code(once(request(&uploader, "Eve", "+442079460020")).await), ErrorCode::IdempotencyKeyReused);
    assert_eq!(list(&uploader, |_| {}).await.len(), 2);
    // Whoever comes at the same time: one wins.
    let race = || world.call::<rpc::CreateContact>(uploader.user, request(&uploader, "Eve", "+442079460021"));
    let (a, b) = tokio::join!(race(), race());
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
}

async fn what_is_wrong_is_named(world: &World) {
    let uploader = Uploader::new(world);
    let create = async |request| field(world.call::<rpc::CreateContact>(uploader.user, request).await);
    for number in ["", "soon", "123", "020 7946 0018", "+442079460018 ext. 7", "+44"] {
        assert_eq!(create(request(&uploader, "Ada", number)).await, "phone_number", "{number}");
    }
    let good = || request(&uploader, "Ada", "+442079460018");
    assert_eq!(create(CreateContactRequest { name: " ".to_owned(), ..good() }).await, "name");
    assert_eq!(create(CreateContactRequest { name: "x".repeat(201), ..good() }).await, "name");
    assert_eq!(create(CreateContactRequest { email: Some("ada".to_owned()), ..good() }).await, "email");
    assert_eq!(create(CreateContactRequest { tags: vec!["t".to_owned(); 51], ..good() }).await, "tags");
    assert_eq!(
        create(CreateContactRequest { default_country: Some("QX".to_owned()), ..good() }).await,
        "default_country"
    );
    let metadata = [("key".to_owned(), "x".repeat(1_001))].into();
    assert_eq!(create(CreateContactRequest { metadata, ..good() }).await, "metadata");
    for page_token in ["x", "WzFd", "eyJhIjoxfQ"] {
        let organisation_id = uploader.organisation.to_string();
        let request = ListContactsRequest { organisation_id, page_token: page_token.to_owned(), ..Default::default() };
        assert_eq!(field(world.call::<rpc::ListContacts>(uploader.user, request).await), "page_token");
    }
    assert_eq!(list(&uploader, |_| {}).await, []);
}

async fn lists_lead_through_all(world: &World) {
    let (uploader, other) = (Uploader::new(world), Uploader::new(world));
    create(&other, "Canary", "+442079460099").await;
    let names = ["bob", "Ada", "Zoë", "ada", "Émile", "Bob", "ÅSA", "eve", "ada", "李 娜"];
    let mut made = vec![];
    for (n, name) in names.iter().enumerate() {
        made.push(create(&uploader, name, &format!("+4420794600{:02}", 10 + n)).await);
    }
    let by_name = list(&uploader, |list| list.order_by = ContactOrder::Name.into()).await;
    let ordered: Vec<&str> = by_name.iter().map(|contact| contact.name.as_str()).collect();
    assert_eq!(ordered, ["Ada", "ada", "ada", "ÅSA", "bob", "Bob", "Émile", "eve", "Zoë", "李 娜"]);
    made.reverse();
    assert_eq!(list(&uploader, |_| {}).await, made);
    assert_eq!(list(&uploader, |list| list.order_by = ContactOrder::CreatedAt.into()).await, made);
    let organisation_id = uploader.organisation.to_string();
    let too_large = ListContactsRequest { organisation_id, page_size: 201, ..Default::default() };
    assert_eq!(field(world.call::<rpc::ListContacts>(uploader.user, too_large).await), "page_size");
}

async fn people_are_found(world: &World) {
    let uploader = Uploader::new(world);
    create(&uploader, "Ada Löve", "+442079460018").await;
    create(&uploader, "Bob_100%", "+442079460019").await;
    let eve = CreateContactRequest {
        email: Some("eve@example.org".to_owned()),
        tags: vec!["vip".to_owned(), "new".to_owned()],
        ..request(&uploader, "Eve", "+12125550123")
    };
    world.call::<rpc::CreateContact>(uploader.user, eve).await.unwrap();
    let found = async |search: &str, tag: &str| -> Vec<String> {
        let list = list(&uploader, |list| (list.search, list.tag) = (search.to_owned(), tag.to_owned())).await;
        list.into_iter().map(|contact| contact.name).collect()
    };
    assert_eq!(found("ADA LOVE", "").await, ["Ada Löve"]);
    assert_eq!(found("020 7946-0018", "").await, ["Ada Löve"]);
    assert_eq!(found("7946", "").await, ["Bob_100%", "Ada Löve"]);
    assert_eq!(found("eve@EXAMPLE", "").await, ["Eve"]);
    assert_eq!(found("%", "").await, ["Bob_100%"]);
    assert_eq!(found("_", "").await, ["Bob_100%"]);
    assert_eq!(found("nobody", "").await, [""; 0]);
    assert_eq!(found("", "vip").await, ["Eve"]);
    assert_eq!(found("ada", "vip").await, [""; 0]);
    assert_eq!(found("", "VIP").await, [""; 0]);
}

async fn strangers_see_nothing(world: &World) {
    let (uploader, stranger) = (Uploader::new(world), Uploader::new(world));
    let ada = create(&uploader, "Ada", "+442079460018").await;
    let get = |organisation: &Uploader<'_>, id: &str| GetContactRequest {
        organisation_id: organisation.organisation.to_string(),
        id: id.to_owned(),
    };
    let mut answers = vec![];
    for request in [get(&uploader, &ada.id), get(&stranger, &ada.id), get(&stranger, &nobody())] {
        answers.push(world.call::<rpc::GetContact>(stranger.user, request).await.unwrap_err());
    }
    assert_eq!(answers[0].code, ErrorCode::NotFound);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(list(&stranger, |_| {}).await, []);
    let foreign = request(&uploader, "Eve", "+442079460019");
    assert_eq!(code(world.call::<rpc::CreateContact>(stranger.user, foreign.clone()).await), ErrorCode::NotFound);
    let viewer = world.agent(uploader.organisation, only(Permission::ViewContacts));
    let refused = world.call::<rpc::CreateContact>(viewer, foreign).await.unwrap_err();
    assert_eq!(refused.permission.as_deref(), Some("create_contacts"));
    assert_eq!(world.call::<rpc::GetContact>(viewer, get(&uploader, &ada.id)).await.unwrap(), ada);
}
