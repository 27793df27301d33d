//! Signing in and out.

use crate::tenancy::Mood;
use crate::world::{PASSWORD, SUPERADMIN, SUPERADMIN_PASSWORD, World, code};
use callfairy_core::{ErrorCode, Problem};
use proto::auth::Role;
use std::time::{Duration, Instant};

testkit::on_both!(
    whatever_is_wrong_the_answer_is_the_same,
    an_unknown_address_costs_what_a_wrong_password_costs,
    tells_the_role_that_tenancy_knows,
    never_guesses_a_role,
    signing_out_ends_the_session,
    a_deactivated_account_is_out,
);

async fn whatever_is_wrong_the_answer_is_the_same(world: &World) {
    world.signed_up("ada@example.com").await;
    world.signed_up("gone@example.com").await;
    world.execute("UPDATE users SET is_active = false WHERE email = 'gone@example.com'").await;
    world.register("unverified@example.com").await.unwrap();

    let wrong = world.login("ada@example.com", "not her password").await.unwrap_err();
    assert_eq!(wrong.code, ErrorCode::InvalidCredentials);
    let deactivated = world.login("gone@example.com", PASSWORD).await.unwrap_err();
    let unverified = world.login("unverified@example.com", PASSWORD).await.unwrap_err();
    let unknown = world.login("nobody@example.com", PASSWORD).await.unwrap_err();
    let nonsense = world.login("no address at all", PASSWORD).await.unwrap_err();
    for other in [deactivated, unverified, unknown, nonsense] {
        assert_eq!(other, wrong);
    }
    assert_eq!(world.count("sessions").await, 2, "those of the two who signed up");
}

async fn an_unknown_address_costs_what_a_wrong_password_costs(world: &World) {
    let time = async |email: &str| {
        let began = Instant::now();
        world.login(email, "not the password").await.unwrap_err();
        began.elapsed()
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        known = known.min(time(SUPERADMIN).await);
        unknown = unknown.min(time("nobody@example.com").await);
    }
    // The machine is busy, so only roughly: a hash is some twenty times as dear as all the rest.
    assert!(unknown > known / 4, "{unknown:?} for an unknown address, {known:?} for a known one");
}

async fn tells_the_role_that_tenancy_knows(world: &World) {
    assert_eq!(world.superadmin().await.user.unwrap().role(), Role::Superadmin);
    let tokens = world.signed_up("ada@example.com").await;
    let user = tokens.user.clone().unwrap();
    assert_eq!(user.role(), Role::User);
    world.tenancy.with(|known| known.agents.insert(user.id));
    assert_eq!(world.login("ada@example.com", PASSWORD).await.unwrap().user.unwrap().role(), Role::Agent);
    assert_eq!(world.refresh(&tokens.refresh_token).await.unwrap().user.unwrap().role(), Role::Agent);
    assert_eq!(world.me(&tokens).await.unwrap().role(), Role::Agent);
}

async fn never_guesses_a_role(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let out_of_reach = |problem: Problem| {
        assert_eq!(problem.code, ErrorCode::Unavailable);
        assert!(problem.retry_after.is_some());
    };
    for mood in [Mood::Down, Mood::Hanging] {
        world.tenancy.is(mood);
        out_of_reach(world.login("ada@example.com", PASSWORD).await.unwrap_err());
        out_of_reach(world.me(&tokens).await.unwrap_err());
        // Who is a superadmin is known here.
        let superadmin = world.login(SUPERADMIN, SUPERADMIN_PASSWORD).await.unwrap();
        assert_eq!(world.me(&superadmin).await.unwrap().role(), Role::Superadmin);
        // With a wrong password nobody learns how tenancy does.
        assert_eq!(code(world.login("ada@example.com", "not her password").await), ErrorCode::InvalidCredentials);
    }
}

async fn signing_out_ends_the_session(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let other = world.login("ada@example.com", PASSWORD).await.unwrap();
    world.logout(&tokens).await.unwrap();
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
    world.refresh(&other.refresh_token).await.unwrap();
    // A second time changes nothing.
    let again = proto::auth::LogoutRequest { refresh_token: Some(tokens.refresh_token) };
    world.call_as::<proto::rpc::sessions::Logout>(&other, again).await.unwrap();
    assert_eq!(world.count("mails WHERE kind = 'session_ended'").await, 0);
    let nobody = world.call::<proto::rpc::sessions::Logout>(proto::auth::LogoutRequest::default()).await;
    assert_eq!(code(nobody), ErrorCode::Unauthenticated);
}

async fn a_deactivated_account_is_out(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    world.execute("UPDATE users SET is_active = false WHERE email = 'ada@example.com'").await;
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
}
