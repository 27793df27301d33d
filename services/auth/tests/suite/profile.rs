//! Changing one's own profile.

use crate::world::{World, code};
use callfairy_core::{ErrorCode, Problem};
use proto::auth::{ListUsersRequest, Tokens, UpdateMeRequest, User};
use proto::rpc::users::{ListUsers, UpdateMe};

testkit::on_both!(
    only_the_given_fields_change,
    an_empty_field_is_removed_but_not_the_name,
    the_new_name_is_known_everywhere,
    what_is_not_one_line_is_refused,
);

async fn update(world: &World, tokens: &Tokens, request: UpdateMeRequest) -> Result<User, Problem> {
    world.call_as::<UpdateMe>(tokens, request).await
}

async fn only_the_given_fields_change(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let before = world.me(&tokens).await.unwrap();
    assert_eq!(update(world, &tokens, UpdateMeRequest::default()).await.unwrap(), before);
    let request = UpdateMeRequest { company: Some(" Analytical Engines ".to_owned()), ..Default::default() };
    let company = Some("Analytical Engines".to_owned());
    assert_eq!(update(world, &tokens, request).await.unwrap(), User { company: company.clone(), ..before.clone() });
    let request = UpdateMeRequest {
        name: Some("Ada King".to_owned()),
        job_title: Some("Countess".to_owned()),
        phone: Some("+44 20 7946 0018".to_owned()),
        ..Default::default()
    };
    let after = User {
        name: "Ada King".to_owned(),
        company,
        job_title: Some("Countess".to_owned()),
        phone: Some("+44 20 7946 0018".to_owned()),
        ..before
    };
    assert_eq!(update(world, &tokens, request).await.unwrap(), after);
    assert_eq!(world.me(&tokens).await.unwrap(), after);
    // Nobody else's has changed.
    assert_eq!(world.count("users WHERE name = 'Ada King'").await, 1);
    assert_eq!(code(world.call::<UpdateMe>(UpdateMeRequest::default()).await), ErrorCode::Unauthenticated);
}

async fn an_empty_field_is_removed_but_not_the_name(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let request =
        UpdateMeRequest { company: Some("Engines".to_owned()), phone: Some("1".to_owned()), ..Default::default() };
    update(world, &tokens, request).await.unwrap();
    let request = UpdateMeRequest { company: Some(String::new()), phone: Some(" ".to_owned()), ..Default::default() };
    let me = update(world, &tokens, request).await.unwrap();
    assert_eq!((me.company, me.phone), (None, None));
    for name in ["", "  "] {
        let problem =
            update(world, &tokens, UpdateMeRequest { name: Some(name.to_owned()), ..Default::default() }).await;
        let problem = problem.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "name"));
    }
}

async fn the_new_name_is_known_everywhere(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let before = world.tenancy.fact("ada@example.com").unwrap();
    update(world, &tokens, UpdateMeRequest { name: Some("Ada King".to_owned()), ..Default::default() }).await.unwrap();
    let after = world.tenancy.fact("ada@example.com").unwrap();
    assert_eq!((after.name.as_str(), after.version), ("Ada King", before.version + 1));
    let search = async |search: &str| {
        let request = ListUsersRequest { search: search.to_owned(), ..Default::default() };
        world.call_as::<ListUsers>(&world.superadmin().await, request).await.unwrap().users.len()
    };
    assert_eq!((search("ada king").await, search("lovelace").await), (1, 0));
}

async fn what_is_not_one_line_is_refused(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let bad = || Some("a\r\nb".to_owned());
    for (field, request) in [
        ("name", UpdateMeRequest { name: bad(), ..Default::default() }),
        ("company", UpdateMeRequest { company: bad(), ..Default::default() }),
        ("job_title", UpdateMeRequest { job_title: bad(), ..Default::default() }),
        ("phone", UpdateMeRequest { phone: Some("1".repeat(41)), ..Default::default() }),
    ] {
        let problem = update(world, &tokens, request).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, field));
    }
    assert_eq!(world.me(&tokens).await.unwrap().name, "Ada Lovelace");
}
