//! The tenants.

use crate::world::{World, code, nobody};
use access::Meta;
use callfairy_core::{ErrorCode, Problem};
use db::diesel::prelude::*;
use db::diesel::sql_types::BigInt;
use db::on;
use proto::Permission;
use proto::rpc::organisations::{
    CreateOrganisation, GetOrganisation, ListOrganisations, LookUpOrganisations, UpdateOrganisation,
};
use proto::tenancy::*;
use runtime::{Listener, LocalSlots, Shutdown};
use std::time::Duration;

testkit::on_both!(
    creates_with_all_its_fields,
    creates_once_for_one_key,
    forgets_old_keys,
    lists_by_name_in_pages,
    finds_by_a_part_of_the_name,
    lists_what_the_caller_can_access,
    tells_who_the_agent_is,
    changes_only_what_is_given,
    only_superadmins_deactivate,
    looks_up_for_other_services,
);

async fn list(world: &World, request: ListOrganisationsRequest) -> ListOrganisationsResponse {
    world.call::<ListOrganisations>(world.superadmin, request).await.unwrap()
}

fn names(response: &ListOrganisationsResponse) -> Vec<&str> {
    response.organisations.iter().map(|organisation| organisation.name.as_str()).collect()
}

async fn get(world: &World, id: &str) -> Organisation {
    let request = GetOrganisationRequest { organisation_id: id.to_owned() };
    world.call::<GetOrganisation>(world.superadmin, request).await.unwrap()
}

fn named(name: &str) -> CreateOrganisationRequest {
    CreateOrganisationRequest { name: name.to_owned(), ..Default::default() }
}

async fn creates_with_all_its_fields(world: &World) {
    let request = CreateOrganisationRequest {
        name: "  Ærø Café ".to_owned(),
        description: "Coffee".to_owned(),
        address: "1 High Street".to_owned(),
        city: "Pune".to_owned(),
        state: "Maharashtra".to_owned(),
        country: "India".to_owned(),
        pincode: "411001".to_owned(),
    };
    let made = world.call::<CreateOrganisation>(world.superadmin, request).await.unwrap();
    let expected = Organisation {
        id: made.id.clone(),
        name: "Ærø Café".to_owned(),
        description: "Coffee".to_owned(),
        address: "1 High Street".to_owned(),
        city: "Pune".to_owned(),
        state: "Maharashtra".to_owned(),
        country: "India".to_owned(),
        pincode: "411001".to_owned(),
        is_active: true,
        agent: None,
        can_manage: true,
        created_at: Some(callfairy_core::Clock::now(&world.clock).into()),
    };
    assert_eq!(made, expected);
    assert_eq!(get(world, &made.id).await, made);

    // Names are not unique.
    assert_ne!(world.organisation("Ærø Café").await.id, made.id);
    let problem = world.call::<CreateOrganisation>(world.superadmin, named(" ")).await.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "name"));
}

async fn creates_once_for_one_key(world: &World) {
    let with_key = |key: &str| Meta { idempotency_key: Some(key.to_owned()), ..world.signed_in(world.superadmin) };
    let create = async |meta: Meta, name: &str| world.tenancy.unary::<CreateOrganisation>(&meta, named(name)).await;

    let first = create(with_key("one"), "Acme").await.unwrap();
    assert_eq!(create(with_key("one"), "Acme").await.unwrap(), first);
    assert_eq!(code(create(with_key("one"), "Other").await), ErrorCode::IdempotencyKeyReused);
    assert_ne!(create(with_key("two"), "Acme").await.unwrap().id, first.id);

    // At the same time, too.
    let (key, other) = (with_key("three"), with_key("three"));
    let (a, b) = tokio::join!(create(key, "Globex"), create(other, "Globex"));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(names(&list(world, ListOrganisationsRequest::default()).await), ["Acme", "Acme", "Globex"]);

    // A key is its caller's own.
    let other = world.user("Otto").await;
    let fact = AccountFact { version: 2, is_superadmin: true, ..crate::world::account(other, "Otto") };
    world.report_account(fact).await;
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(other) };
    assert_eq!(create(meta, "Initech").await.unwrap().name, "Initech");
}

async fn forgets_old_keys(world: &World) {
    let pool = db::Pool::open(world.database.url(), "tenancy", 1).unwrap();
    let keys = async || {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let count = |db: &mut db::Db| {
            let query = diesel::sql_query("SELECT count(*) AS count FROM idempotency");
            Ok::<_, db::Error>(on!(db, |c| query.get_result::<Count>(c))?)
        };
        pool.read(count).await.unwrap().count
    };
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(world.superadmin) };
    world.tenancy.unary::<CreateOrganisation>(&meta, named("Acme")).await.unwrap();
    assert_eq!(keys().await, 1);

    // Another tenancy, which starts when the key is old, sweeps it away.
    world.clock.advance(Duration::from_hours(24));
    let (shutdown, listener) = (Shutdown::new(), Listener::local(LocalSlots::default().tenancy));
    let another = tokio::spawn(tenancy::serve(world.config(), listener, shutdown.clone()));
    testkit::eventually("the key is gone", crate::world::DEADLINE, async || (keys().await == 0).then_some(())).await;
    shutdown.begin();
    another.await.unwrap().unwrap();
}

async fn lists_by_name_in_pages(world: &World) {
    // Long names whose tokens must stay short, equal names, names that fold alike.
    let long = "😀".repeat(200);
    let control = "\u{1}".repeat(200);
    let given = ["zeta", "Beta", "alpha", "Álpha", "beta", "Ömega", &long, "10", &long, &control];
    for name in given {
        world.organisation(name).await;
    }
    let mut expected: Vec<_> = given.iter().map(|name| db::fold(name)).collect();
    expected.sort();
    for page_size in [1, 3, 10, 0] {
        let (mut seen, mut ids, mut page_token) = (vec![], vec![], String::new());
        loop {
            let request = ListOrganisationsRequest { page_size, page_token, ..Default::default() };
            let page = list(world, request).await;
            assert!(page_size == 0 || page.organisations.len() <= page_size as usize);
            seen.extend(page.organisations.iter().map(|organisation| db::fold(&organisation.name)));
            ids.extend(page.organisations.into_iter().map(|organisation| organisation.id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {page_size}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), given.len());
    }
    for (page_size, page_token, field) in [(201, "", "page_size"), (1, "junk", "page_token"), (1, "WzFd", "page_token")]
    {
        let request = ListOrganisationsRequest { page_size, page_token: page_token.to_owned(), ..Default::default() };
        let problem = world.call::<ListOrganisations>(world.superadmin, request).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, field));
    }
}

async fn finds_by_a_part_of_the_name(world: &World) {
    for name in ["Café Central", "CAFE NORD", "100% Pure", "1000 Islands", "under_score", "underscore"] {
        world.organisation(name).await;
    }
    for (search, expected) in [
        ("cafe", &["Café Central", "CAFE NORD"][..]),
        ("É C", &["Café Central"]),
        ("100%", &["100% Pure"]),
        ("r_s", &["under_score"]),
        ("\\", &[]),
        ("'", &[]),
        ("nothing", &[]),
    ] {
        let request = ListOrganisationsRequest { search: search.to_owned(), ..Default::default() };
        assert_eq!(names(&list(world, request).await), expected, "{search}");
    }
}

async fn lists_what_the_caller_can_access(world: &World) {
    let own = world.organisation("Own").await;
    let (foreign, closed) = (world.organisation("Foreign").await, world.organisation("Closed").await);
    let manager = world.agent("Max", &own.id, &[Permission::ManageOrganisation]).await;
    let reader = world.agent("Rea", &foreign.id, &[Permission::ViewCalls]).await;
    let shut_out = world.agent("Sue", &closed.id, &[Permission::ManageOrganisation]).await;
    world.deactivate(&closed.id).await;

    let seen = async |user, request: ListOrganisationsRequest| {
        let page = world.call::<ListOrganisations>(user, request).await.unwrap();
        page.organisations.into_iter().map(|o| (o.name, o.can_manage)).collect::<Vec<_>>()
    };
    let everything = ListOrganisationsRequest::default();
    assert_eq!(seen(manager, everything.clone()).await, [("Own".to_owned(), true)]);
    assert_eq!(seen(reader, everything.clone()).await, [("Foreign".to_owned(), false)]);
    assert_eq!(seen(shut_out, everything.clone()).await, []);
    assert_eq!(seen(world.user("Una").await, everything.clone()).await, []);
    let all = ["Closed", "Foreign", "Own"].map(|name| (name.to_owned(), true));
    assert_eq!(seen(world.superadmin, everything).await, all);

    // Neither a search nor somebody else's page token shows more.
    let search = ListOrganisationsRequest { search: "o".to_owned(), ..Default::default() };
    assert_eq!(seen(manager, search).await, [("Own".to_owned(), true)]);
    let first = list(world, ListOrganisationsRequest { page_size: 1, ..Default::default() }).await;
    let next = ListOrganisationsRequest { page_token: first.next_page_token, ..Default::default() };
    assert_eq!(seen(reader, next.clone()).await, [("Foreign".to_owned(), false)]);
    assert_eq!(seen(shut_out, next).await, []);
}

async fn tells_who_the_agent_is(world: &World) {
    let organisation = world.organisation("Acme").await;
    assert_eq!(organisation.agent, None);
    let manager = world.agent("Ada", &organisation.id, &[Permission::ManageOrganisation]).await;
    let ada =
        OrganisationAgent { user_id: manager.to_string(), name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
    assert_eq!(get(world, &organisation.id).await.agent, Some(ada.clone()));
    let listed = list(world, ListOrganisationsRequest::default()).await.organisations;
    assert_eq!(listed[0].agent, Some(ada.clone()));

    let request = || GetOrganisationRequest { organisation_id: organisation.id.clone() };
    let seen = world.call::<GetOrganisation>(manager, request()).await.unwrap();
    assert!(seen.can_manage);
    assert_eq!(seen.agent, Some(ada));

    // The next one, of whom auth has not reported yet; its predecessor's end has not been reported either.
    let successor = callfairy_core::UserId::new();
    world.report_assignment(crate::world::assignment(successor, &organisation.id, &[])).await;
    let nameless = OrganisationAgent { user_id: successor.to_string(), ..Default::default() };
    assert_eq!(get(world, &organisation.id).await.agent, Some(nameless));
}

async fn changes_only_what_is_given(world: &World) {
    let made = world.organisation("Acme").await;
    let agent = world.agent("Ada", &made.id, &[Permission::ManageOrganisation]).await;
    let update = async |patch: UpdateOrganisationRequest| {
        let request = UpdateOrganisationRequest { organisation_id: made.id.clone(), ..patch };
        world.call::<UpdateOrganisation>(agent, request).await
    };
    let nothing = update(UpdateOrganisationRequest::default()).await.unwrap();
    assert_eq!(nothing, get(world, &made.id).await);

    let patch = UpdateOrganisationRequest { city: Some("Pune".to_owned()), ..Default::default() };
    let changed = update(patch).await.unwrap();
    assert_eq!(changed, Organisation { city: "Pune".to_owned(), ..nothing });
    let patch = UpdateOrganisationRequest {
        name: Some(" Zenith ".to_owned()),
        description: Some("d".to_owned()),
        address: Some("a".to_owned()),
        city: Some(String::new()),
        state: Some("s".to_owned()),
        country: Some("c".to_owned()),
        pincode: Some("p".to_owned()),
        ..Default::default()
    };
    let changed_again = update(patch).await.unwrap();
    let expected = Organisation {
        name: "Zenith".to_owned(),
        description: "d".to_owned(),
        address: "a".to_owned(),
        city: String::new(),
        state: "s".to_owned(),
        country: "c".to_owned(),
        pincode: "p".to_owned(),
        ..changed
    };
    assert_eq!(changed_again, expected);
    assert_eq!(get(world, &made.id).await, expected);

    // It is found and listed under its new name.
    world.organisation("Middle").await;
    assert_eq!(names(&list(world, ListOrganisationsRequest::default()).await), ["Middle", "Zenith"]);
    let by = |search: &str| ListOrganisationsRequest { search: search.to_owned(), ..Default::default() };
    assert_eq!(names(&list(world, by("acme")).await), [] as [&str; 0]);
    assert_eq!(names(&list(world, by("zen")).await), ["Zenith"]);

    for name in ["", " ", "\t"] {
        let patch = UpdateOrganisationRequest {
            name: Some(name.to_owned()),
            city: Some("Elsewhere".to_owned()),
            ..Default::default()
        };
        assert_eq!(update(patch).await, Err(Problem::field("name", "is required")));
    }
    assert_eq!(get(world, &made.id).await, expected);
}

async fn only_superadmins_deactivate(world: &World) {
    let made = world.organisation("Acme").await;
    let agent = world.agent("Ada", &made.id, &[Permission::ManageOrganisation]).await;
    let request = |is_active| UpdateOrganisationRequest {
        organisation_id: made.id.clone(),
        city: Some("Pune".to_owned()),
        is_active: Some(is_active),
        ..Default::default()
    };
    for is_active in [false, true] {
        assert_eq!(
            code(world.call::<UpdateOrganisation>(agent, request(is_active)).await),
            ErrorCode::PermissionDenied
        );
    }
    assert_eq!(get(world, &made.id).await.city, "");
    for is_active in [false, true] {
        let changed = world.call::<UpdateOrganisation>(world.superadmin, request(is_active)).await.unwrap();
        assert_eq!((changed.is_active, changed.city.as_str()), (is_active, "Pune"));
    }
}

async fn looks_up_for_other_services(world: &World) {
    let (open, closed) = (world.organisation("Open").await, world.organisation("Closed").await);
    world.deactivate(&closed.id).await;
    let ids = vec![closed.id.clone(), nobody(), open.id.clone(), open.id.to_uppercase()];
    let mut found = world.asks::<LookUpOrganisations>(LookUpOrganisationsRequest { ids }).await.unwrap().organisations;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let expected = [
        LookedUpOrganisation { id: closed.id, name: "Closed".to_owned(), is_active: false },
        LookedUpOrganisation { id: open.id, name: "Open".to_owned(), is_active: true },
    ];
    assert_eq!(found, expected);
    let ids = vec!["acme".to_owned()];
    let problem = world.asks::<LookUpOrganisations>(LookUpOrganisationsRequest { ids }).await.unwrap_err();
    assert_eq!(problem.fields[0].field, "ids[0]");
}
