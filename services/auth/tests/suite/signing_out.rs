//! After a session has ended, its access tokens are refused as well.

use crate::tenancy::Mood;
use crate::world::{PASSWORD, World, code};
use callfairy_core::ErrorCode;
use std::time::Duration;

testkit::on_both!(
    the_access_token_is_refused,
    a_reused_refresh_token_ends_the_access_token_too,
    what_tenancy_missed_is_made_up_for,
    only_sessions_whose_tokens_may_live_are_told_of,
    many_sessions_are_told_of_in_parts,
    a_deactivated_account_s_token_is_refused,
);

const ADA: &str = "ada@example.com";

async fn the_access_token_is_refused(world: &World) {
    let (tokens, other) = (world.signed_up(ADA).await, world.login(ADA, PASSWORD).await.unwrap());
    // Remembered as good.
    world.me(&tokens).await.unwrap();
    world.logout(&tokens).await.unwrap();
    // The answer came after tenancy knew.
    assert_eq!(world.tenancy.with(|known| known.ended.len()), 1);
    world.is_refused(&tokens).await;
    world.me(&other).await.unwrap();
}

async fn a_reused_refresh_token_ends_the_access_token_too(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let stolen = world.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(code(world.refresh(&tokens.refresh_token).await), ErrorCode::Unauthenticated);
    world.is_refused(&stolen).await;
}

async fn what_tenancy_missed_is_made_up_for(world: &World) {
    let tokens = world.signed_up(ADA).await;
    world.tenancy.is(Mood::Down);
    world.logout(&tokens).await.unwrap();
    assert_eq!(world.tenancy.with(|known| known.ended.len()), 0);
    world.tenancy.is(Mood::Well);
    world.is_refused(&tokens).await;
}

async fn only_sessions_whose_tokens_may_live_are_told_of(world: &World) {
    let (old, idle) = (world.signed_up(ADA).await, world.login(ADA, PASSWORD).await.unwrap());
    world.clock.advance(Duration::from_mins(11));
    let tokens = world.refresh(&old.refresh_token).await.unwrap();
    for ended in [&idle.refresh_token, &tokens.refresh_token] {
        let request = proto::auth::LogoutRequest { refresh_token: Some(ended.clone()) };
        world.call_as::<proto::rpc::sessions::Logout>(&tokens, request).await.unwrap();
    }
    assert_eq!(world.count("sessions WHERE revoked_at IS NOT NULL").await, 2);
    assert_eq!(world.tenancy.with(|known| known.ended.len()), 1, "the other one's tokens have expired");
    world.is_refused(&tokens).await;
}

async fn many_sessions_are_told_of_in_parts(world: &World) {
    let tokens = world.signed_up(ADA).await;
    // As after so many sign-ins, which would take long here.
    let id = if world.database.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
    let many = format!(
        "INSERT INTO sessions (id, user_id, created_at, expires_at, ends_at, revoked_at, device, address, last_used_at) \
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200) \
         SELECT {id}, user_id, created_at, expires_at, ends_at, created_at, device, address, last_used_at \
         FROM sessions CROSS JOIN n"
    );
    world.execute(&many).await;
    world.logout(&tokens).await.unwrap();
    assert_eq!(world.tenancy.with(|known| known.ended.len()), 1_201);
    world.is_refused(&tokens).await;
}

async fn a_deactivated_account_s_token_is_refused(world: &World) {
    let tokens = world.signed_up(ADA).await;
    world.tenancy.with(|known| known.facts.values_mut().for_each(|fact| fact.is_active = fact.email != ADA));
    world.is_refused(&tokens).await;
}
