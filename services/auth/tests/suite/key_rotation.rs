//! A new key for access tokens, while everybody stays signed in.

use crate::world::{Auth, SUPERADMIN, SUPERADMIN_PASSWORD, World, bearer, code, login};
use access::{AuthKeys, Meta, TokenVerifier};
use auth::NextKey;
use callfairy_core::{Clock as _, ErrorCode};
use futures_util::future::join_all;
use proto::auth::{GetMeRequest, ListSigningKeysRequest, RefreshRequest, SigningKey, Tokens};
use proto::rpc::keys::ListSigningKeys;
use proto::rpc::sessions::{Login, Refresh};
use proto::rpc::users::GetMe;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

testkit::on_both!(
    nobody_is_signed_out,
    the_old_key_goes_when_its_last_token_has_expired,
    verifiers_know_the_new_key_before_it_signs,
    of_several_rotations_at_one_time_one_makes_a_key,
    rotations_and_starts_at_one_time_agree,
    it_needs_the_master_key,
);

/// Longer than a new key waits.
const WAIT: Duration = Duration::from_secs(31);

async fn rotate(world: &World) -> NextKey {
    let keys = world.config().master_keys;
    auth::rotate_signing_key(&world.pool, keys, world.clock.now()).await.unwrap()
}

async fn published(world: &World) -> BTreeSet<String> {
    let keys = world.call::<ListSigningKeys>(ListSigningKeysRequest {}).await.unwrap().keys;
    keys.into_iter().map(|key: SigningKey| key.kid).collect()
}

fn kid(tokens: &Tokens) -> String {
    jsonwebtoken::decode_header(&tokens.access_token).unwrap().kid.unwrap()
}

/// As another service, which has its own memory of keys.
fn verifier(world: &World) -> TokenVerifier {
    world.context.verifier(Arc::new(AuthKeys(world.auth.client.clone())))
}

async fn sign_in(auth: &Auth) -> Tokens {
    auth.client.unary::<Login>(&Meta::default(), login(SUPERADMIN, SUPERADMIN_PASSWORD)).await.unwrap()
}

async fn nobody_is_signed_out(world: &World) {
    let replica = world.launch(world.config()).await;
    let (ada, service) = (world.signed_up("ada@example.com").await, verifier(world));
    service.verify(&ada.access_token).await.unwrap();
    let old = kid(&ada);
    let next = rotate(world).await;
    assert!(next.is_new && next.kid != old);
    assert_eq!(kid(&world.refresh(&ada.refresh_token).await.unwrap()), old, "the new key does not sign at once");
    world.clock.advance(WAIT);
    // Every running process follows by itself.
    for auth in [&world.auth, &replica] {
        let tokens = sign_in(auth).await;
        assert_eq!(kid(&tokens), next.kid);
        for verifies in [&world.auth, &replica] {
            verifies.client.unary::<GetMe>(&bearer(&tokens.access_token), GetMeRequest {}).await.unwrap();
        }
    }
    // The old tokens are good to their end, and are exchanged for new ones.
    world.me(&ada).await.unwrap();
    service.verify(&ada.access_token).await.unwrap();
    let request = RefreshRequest { refresh_token: ada.refresh_token.clone() };
    let reused = replica.client.unary::<Refresh>(&Meta::default(), request).await;
    assert_eq!(code(reused), ErrorCode::Unauthenticated, "that was exchanged before");
    let bo = world.signed_up("bo@example.com").await;
    assert_eq!(kid(&world.refresh(&bo.refresh_token).await.unwrap()), next.kid);
    replica.end().await;
}

async fn the_old_key_goes_when_its_last_token_has_expired(world: &World) {
    let (old, next) = (kid(&world.superadmin().await), rotate(world).await);
    let both = BTreeSet::from([old.clone(), next.kid.clone()]);
    assert_eq!(published(world).await, both);
    // The last moment of the old key.
    world.clock.set(next.signs_from.minus(Duration::from_millis(1)));
    let last = world.superadmin().await;
    assert_eq!(kid(&last), old);
    world.clock.advance(Duration::from_secs(599));
    world.me(&last).await.unwrap();
    assert_eq!(published(world).await, both);
    world.clock.advance(Duration::from_mins(5) + Duration::from_secs(2));
    assert_eq!(published(world).await, BTreeSet::from([next.kid.clone()]));
    assert_eq!(code(world.me(&last).await), ErrorCode::Unauthenticated);
    world.me(&world.superadmin().await).await.unwrap();
    // What verifies nothing is not kept either. Each start begins with a look.
    let replica = world.launch(world.config()).await;
    testkit::eventually("the old key is deleted", crate::world::DEADLINE, async || {
        (world.count("signing_keys").await == 1).then_some(())
    })
    .await;
    replica.end().await;
}

async fn verifiers_know_the_new_key_before_it_signs(world: &World) {
    let (service, before) = (verifier(world), world.superadmin().await);
    let next = rotate(world).await;
    // It has asked a moment before the key signs, and does not ask again for some seconds.
    service.verify(&before.access_token).await.unwrap();
    world.clock.set(next.signs_from);
    let after = world.superadmin().await;
    assert_eq!(kid(&after), next.kid);
    service.verify(&after.access_token).await.unwrap();
}

async fn of_several_rotations_at_one_time_one_makes_a_key(world: &World) {
    let next = join_all((0..6).map(|_| rotate(world))).await;
    assert!(next.iter().all(|key| key.kid == next[0].kid));
    assert_eq!(next.iter().filter(|key| key.is_new).count(), 1);
    assert_eq!(world.count("signing_keys").await, 2);
    // One that comes later makes another.
    world.clock.advance(WAIT);
    let later = rotate(world).await;
    assert!(later.is_new && later.kid != next[0].kid);
    assert_eq!(published(world).await.len(), 3);
}

async fn rotations_and_starts_at_one_time_agree(world: &World) {
    // As before the first start.
    world.execute("DELETE FROM signing_keys").await;
    let starts = join_all((0..3).map(|_| world.launch(world.config())));
    let rotations = join_all((0..3).map(|_| rotate(world)));
    let (replicas, next) = futures_util::future::join(starts, rotations).await;
    assert_eq!(next.iter().map(|key| &key.kid).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(world.count("signing_keys").await, 2);
    for wait in [Duration::ZERO, WAIT] {
        world.clock.advance(wait);
        let mut kids = BTreeSet::new();
        for auth in &replicas {
            kids.insert(kid(&sign_in(auth).await));
        }
        assert_eq!(kids.len(), 1);
        assert_eq!(kids.contains(&next[0].kid), wait > Duration::ZERO);
    }
    join_all(replicas.into_iter().map(Auth::end)).await;
}

async fn it_needs_the_master_key(world: &World) {
    let another = "YW5vdGhlciBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzISE=";
    let keys = world.config_with(&[("CALLFAIRY_MASTER_KEY", another)]).master_keys;
    let error = auth::rotate_signing_key(&world.pool, keys, world.clock.now()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be decrypted"), "{error}");
    assert_eq!(world.count("signing_keys").await, 1);
}
