//! Reading accounts.

use crate::tenancy::Mood;
use crate::world::{World, code, registration};
use callfairy_core::{ErrorCode, UserId};
use proto::auth::{GetUserRequest, ListUsersRequest, LookUpUsersRequest, RegisterRequest, Role, Tokens};
use proto::rpc::accounts::Register;
use proto::rpc::users::{GetUser, ListUsers, LookUpUsers};
use std::time::Duration;

testkit::on_both!(
    are_listed_newest_first_page_by_page,
    are_searched_by_name_and_address,
    are_listed_with_their_roles_or_not_at_all,
    are_shown_to_superadmins_alone,
    are_looked_up_by_other_services,
);

async fn list(world: &World, tokens: &Tokens, request: ListUsersRequest) -> Vec<String> {
    let answer = world.call_as::<ListUsers>(tokens, request).await.unwrap();
    answer.users.into_iter().map(|user| user.email).collect()
}

async fn people(world: &World) {
    for (name, email) in
        [("Zoë Łukasz", "zoe@example.com"), ("100% Real", "real_one@example.com"), ("Max", "max@other.example")]
    {
        world.clock.advance(Duration::from_secs(1));
        let request = RegisterRequest { name: name.to_owned(), ..registration(email) };
        world.call::<Register>(request).await.unwrap();
    }
}

async fn are_listed_newest_first_page_by_page(world: &World) {
    let tokens = world.superadmin().await;
    for n in 0..3 {
        // Two of the same instant.
        world.register(&format!("a{n}@example.com")).await.unwrap();
        world.register(&format!("b{n}@example.com")).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    let all = list(world, &tokens, ListUsersRequest::default()).await;
    assert_eq!(all.len(), 7);
    let stems: Vec<&str> = all.iter().map(|email| &email[1..2]).collect();
    assert_eq!(stems, ["2", "2", "1", "1", "0", "0", "o"]);
    for page_size in [1, 2, 3, 7] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListUsersRequest { page_size, page_token, ..Default::default() };
            let answer = world.call_as::<ListUsers>(&tokens, request).await.unwrap();
            assert!(answer.users.len() <= usize::try_from(page_size).unwrap());
            seen.extend(answer.users.into_iter().map(|user| user.email));
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all, "by {page_size}");
    }
    let bad = ListUsersRequest { page_token: "nonsense".to_owned(), ..Default::default() };
    assert_eq!(code(world.call_as::<ListUsers>(&tokens, bad).await), ErrorCode::InvalidArgument);
}

async fn are_searched_by_name_and_address(world: &World) {
    let tokens = world.superadmin().await;
    people(world).await;
    let search = async |search: &str| {
        list(world, &tokens, ListUsersRequest { search: search.to_owned(), ..Default::default() }).await
    };
    assert_eq!(search("ZOE").await, ["zoe@example.com"]);
    assert_eq!(search("zoë").await, ["zoe@example.com"]);
    assert_eq!(search("@EXAMPLE.com").await, ["real_one@example.com", "zoe@example.com"]);
    assert_eq!(search("0%").await, ["real_one@example.com"]);
    assert_eq!(search("_").await, ["real_one@example.com"]);
    assert_eq!(search("nobody").await, Vec::<String>::new());

    world.execute("UPDATE users SET is_active = false WHERE email = 'max@other.example'").await;
    let active = async |is_active| {
        list(world, &tokens, ListUsersRequest { is_active: Some(is_active), ..Default::default() }).await
    };
    assert_eq!(active(false).await, ["max@other.example"]);
    assert_eq!(active(true).await.len(), 3);
}

async fn are_listed_with_their_roles_or_not_at_all(world: &World) {
    let tokens = world.superadmin().await;
    let agent = world.signed_up("agent@example.com").await.user.unwrap();
    world.register("new@example.com").await.unwrap();
    world.tenancy.with(|known| known.agents.insert(agent.id.clone()));
    let answer = world.call_as::<ListUsers>(&tokens, ListUsersRequest::default()).await.unwrap();
    let role = |email: &str| answer.users.iter().find(|user| user.email == email).unwrap().role();
    assert_eq!(role("agent@example.com"), Role::Agent);
    assert_eq!(role("new@example.com"), Role::User);
    assert_eq!(role(crate::world::SUPERADMIN), Role::Superadmin);
    let get = async || world.call_as::<GetUser>(&tokens, GetUserRequest { id: agent.id.clone() }).await;
    assert_eq!(get().await.unwrap().role(), Role::Agent);
    world.tenancy.is(Mood::Down);
    assert_eq!(code(get().await), ErrorCode::Unavailable);
    assert_eq!(code(world.call_as::<ListUsers>(&tokens, ListUsersRequest::default()).await), ErrorCode::Unavailable);
}

async fn are_shown_to_superadmins_alone(world: &World) {
    let ada = world.signed_up("ada@example.com").await;
    let id = ada.user.clone().unwrap().id;
    let list = ListUsersRequest::default;
    assert_eq!(code(world.call::<ListUsers>(list()).await), ErrorCode::Unauthenticated);
    assert_eq!(code(world.call_as::<ListUsers>(&ada, list()).await), ErrorCode::PermissionDenied);
    assert_eq!(code(world.asks::<ListUsers>(list()).await), ErrorCode::PermissionDenied);
    let get = |id: String| GetUserRequest { id };
    assert_eq!(code(world.call_as::<GetUser>(&ada, get(id.clone())).await), ErrorCode::PermissionDenied);
    let superadmin = world.superadmin().await;
    assert_eq!(world.call_as::<GetUser>(&superadmin, get(id)).await.unwrap().email, "ada@example.com");
    let unknown = get(UserId::new().to_string());
    assert_eq!(code(world.call_as::<GetUser>(&superadmin, unknown).await), ErrorCode::NotFound);
}

async fn are_looked_up_by_other_services(world: &World) {
    let ada = world.signed_up("ada@example.com").await;
    let id = ada.user.clone().unwrap().id;
    let request = || LookUpUsersRequest { ids: vec![id.clone(), UserId::new().to_string()] };
    let found = world.asks::<LookUpUsers>(request()).await.unwrap().users;
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((found.email.as_str(), found.name.as_str()), ("ada@example.com", "Ada Lovelace"));
    // tenancy asks this too, so it must not be asked for it.
    world.tenancy.is(Mood::Hanging);
    world.asks::<LookUpUsers>(request()).await.unwrap();
    assert_eq!(code(world.call_as::<LookUpUsers>(&ada, request()).await), ErrorCode::PermissionDenied);
    assert_eq!(code(world.call::<LookUpUsers>(request()).await), ErrorCode::Unauthenticated);
}
