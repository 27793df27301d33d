//! What superadmins do with the accounts of others.

use crate::world::{World, code, registration};
use callfairy_core::{ErrorCode, UserId};
use proto::auth::{DeactivateUserRequest, Role, Tokens, UpdateUserRequest, User};
use proto::rpc::users::{DeactivateUser, GetUser, UpdateUser};

testkit::on_both!(
    a_profile_is_changed_field_by_field,
    the_deactivated_are_out_everywhere_until_they_are_back,
    superadmins_make_and_unmake_superadmins,
    the_last_superadmin_stays,
    of_two_who_remove_each_other_one_stays,
    only_superadmins_may,
);

fn change(id: &str) -> UpdateUserRequest {
    UpdateUserRequest { id: id.to_owned(), ..UpdateUserRequest::default() }
}

async fn get(world: &World, tokens: &Tokens, id: &str) -> User {
    let request = proto::auth::GetUserRequest { id: id.to_owned() };
    world.call_as::<GetUser>(tokens, request).await.unwrap()
}

fn id(tokens: &Tokens) -> String {
    tokens.user.clone().unwrap().id
}

async fn a_profile_is_changed_field_by_field(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    let before = get(world, &root, &id(&ada)).await;
    let request =
        UpdateUserRequest { name: Some("Ada L.".to_owned()), phone: Some("42".to_owned()), ..change(&id(&ada)) };
    let changed = world.call_as::<UpdateUser>(&root, request).await.unwrap();
    let expected = User { name: "Ada L.".to_owned(), phone: Some("42".to_owned()), ..before };
    assert_eq!(changed, expected);
    assert_eq!(get(world, &root, &id(&ada)).await, expected);
    assert_eq!(world.tenancy.fact("ada@example.com").unwrap().name, "Ada L.");
    let empty = UpdateUserRequest { name: Some(" ".to_owned()), ..change(&id(&ada)) };
    assert_eq!(world.call_as::<UpdateUser>(&root, empty).await.unwrap_err().fields[0].field, "name");
    let nobody = change(&UserId::new().to_string());
    assert_eq!(code(world.call_as::<UpdateUser>(&root, nobody).await), ErrorCode::NotFound);
}

async fn the_deactivated_are_out_everywhere_until_they_are_back(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    let deactivate = DeactivateUserRequest { id: id(&ada) };
    for _ in 0..2 {
        world.call_as::<DeactivateUser>(&root, deactivate.clone()).await.unwrap();
    }
    assert!(!get(world, &root, &id(&ada)).await.is_active);
    assert!(!world.tenancy.fact("ada@example.com").unwrap().is_active);
    world.is_refused(&ada).await;
    assert_eq!(code(world.refresh(&ada.refresh_token).await), ErrorCode::Unauthenticated);
    let password = registration("ada@example.com").password;
    assert_eq!(code(world.login("ada@example.com", &password).await), ErrorCode::InvalidCredentials);

    let back = UpdateUserRequest { is_active: Some(true), ..change(&id(&ada)) };
    assert!(world.call_as::<UpdateUser>(&root, back).await.unwrap().is_active);
    world.login("ada@example.com", &password).await.unwrap();
    // The old session is not back with them.
    assert_eq!(code(world.refresh(&ada.refresh_token).await), ErrorCode::Unauthenticated);
}

async fn superadmins_make_and_unmake_superadmins(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    let make = |is_superadmin| UpdateUserRequest { is_superadmin: Some(is_superadmin), ..change(&id(&ada)) };
    assert_eq!(world.call_as::<UpdateUser>(&root, make(true)).await.unwrap().role(), Role::Superadmin);
    assert!(world.tenancy.fact("ada@example.com").unwrap().is_superadmin);
    assert_eq!(world.call_as::<UpdateUser>(&root, make(false)).await.unwrap().role(), Role::User);
    assert!(!world.tenancy.fact("ada@example.com").unwrap().is_superadmin);
}

async fn the_last_superadmin_stays(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    let alone = id(&root);
    let demote = UpdateUserRequest { is_superadmin: Some(false), ..change(&alone) };
    assert_eq!(code(world.call_as::<UpdateUser>(&root, demote).await), ErrorCode::Conflict);
    let deactivate = DeactivateUserRequest { id: alone.clone() };
    assert_eq!(code(world.call_as::<DeactivateUser>(&root, deactivate.clone()).await), ErrorCode::Conflict);
    assert_eq!(get(world, &root, &alone).await.role(), Role::Superadmin);
    // One who is not active counts for nothing.
    let idle = UpdateUserRequest { is_superadmin: Some(true), is_active: Some(false), ..change(&id(&ada)) };
    world.call_as::<UpdateUser>(&root, idle).await.unwrap();
    assert_eq!(code(world.call_as::<DeactivateUser>(&root, deactivate.clone()).await), ErrorCode::Conflict);
    let active = UpdateUserRequest { is_active: Some(true), ..change(&id(&ada)) };
    world.call_as::<UpdateUser>(&root, active).await.unwrap();
    world.call_as::<DeactivateUser>(&root, deactivate).await.unwrap();
    world.is_refused(&root).await;
}

async fn of_two_who_remove_each_other_one_stays(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    let make = UpdateUserRequest { is_superadmin: Some(true), ..change(&id(&ada)) };
    world.call_as::<UpdateUser>(&root, make).await.unwrap();
    let remove = |who: &Tokens| DeactivateUserRequest { id: id(who) };
    // Both are let in before either has changed anything.
    let held = world.hold("UPDATE users SET name = name").await;
    let meanwhile = async {
        world.waiting(2).await;
        held.commit().await;
    };
    let (one, other, ()) = tokio::join!(
        world.call_as::<DeactivateUser>(&root, remove(&ada)),
        world.call_as::<DeactivateUser>(&ada, remove(&root)),
        meanwhile,
    );
    assert_eq!([one.is_ok(), other.is_ok()].into_iter().filter(|done| *done).count(), 1, "{one:?} {other:?}");
    assert_eq!(world.count("users WHERE is_superadmin AND is_active").await, 1);
}

async fn only_superadmins_may(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up("ada@example.com").await);
    for target in [id(&ada), id(&root)] {
        let raise = UpdateUserRequest { is_superadmin: Some(true), ..change(&target) };
        assert_eq!(code(world.call_as::<UpdateUser>(&ada, raise).await), ErrorCode::PermissionDenied);
        let deactivate = DeactivateUserRequest { id: target };
        assert_eq!(code(world.call_as::<DeactivateUser>(&ada, deactivate).await), ErrorCode::PermissionDenied);
    }
    assert_eq!(world.count("users WHERE is_superadmin").await, 1);
}
