//! Access tokens, and the keys that verify them.

use crate::world::{Auth, World, bearer, code};
use access::{ACCESS_TOKEN_TYPE, AUDIENCE, AccessClaims, AuthKeys, Caller, ISSUER, KeySource as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Clock as _, ErrorCode, UserId};
use futures_util::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proto::auth::{GetMeRequest, ListSigningKeysRequest, SigningKey};
use proto::rpc::keys::ListSigningKeys;
use proto::rpc::sessions::Login;
use proto::rpc::users::GetMe;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

testkit::on_both!(
    say_who_and_nothing_else,
    are_verified_with_the_published_keys,
    forged_ones_are_refused,
    signed_ones_that_say_something_else_are_refused,
    expire_after_ten_minutes,
    replicas_that_start_together_agree_on_one_key,
    a_retired_key_verifies_until_its_tokens_have_expired,
    the_key_needs_the_master_key,
);

async fn keys(world: &World) -> Vec<SigningKey> {
    world.call::<ListSigningKeys>(ListSigningKeysRequest {}).await.unwrap().keys
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn say_who_and_nothing_else(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let user = tokens.user.clone().unwrap();
    let (header, claims) = (part(&tokens.access_token, 0), part(&tokens.access_token, 1));
    let key = keys(world).await.pop().unwrap();
    assert_eq!(header, json!({"typ": "at+jwt", "alg": "EdDSA", "kid": key.kid}));
    let names: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["iss", "aud", "sub", "sid", "jti", "iat", "exp"]));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(AUDIENCE)));
    assert_eq!(claims["sub"], json!(user.id));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    let next = part(&next.access_token, 1);
    assert_eq!(next["sid"], claims["sid"], "it is the same session");
    assert_ne!(next["jti"], claims["jti"]);
}

async fn are_verified_with_the_published_keys(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let keys = keys(world).await;
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let shape = (key.kty.as_str(), key.crv.as_str(), key.r#use.as_str(), key.alg.as_str());
    assert_eq!(shape, ("OKP", "Ed25519", "sig", "EdDSA"));

    // As another service does.
    let verifier = world.context.verifier(Arc::new(AuthKeys(world.auth.client.clone())));
    let Caller::User(user) = verifier.verify(&tokens.access_token).await.unwrap() else { panic!("no user") };
    assert_eq!(user.id.to_string(), tokens.user.unwrap().id);
    assert_eq!(AuthKeys(world.auth.client.clone()).keys().await.unwrap().len(), 1);
}

async fn forged_ones_are_refused(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let (good, key) = (tokens.access_token.clone(), keys(world).await.pop().unwrap());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let claims_json = part(&good, 1);
    let with = |name: &str, value: Value| {
        let mut claims = claims_json.clone();
        claims[name] = value;
        claims
    };
    let none = encode(&json!({"typ": ACCESS_TOKEN_TYPE, "alg": "none", "kid": key.kid}));
    let symmetric = |secret: &[u8]| {
        let header =
            Header { typ: Some(ACCESS_TOKEN_TYPE.into()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
        let claims: AccessClaims = serde_json::from_value(claims_json.clone()).unwrap();
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let own = |header: &Header, claims: &Value| {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&own_key())).unwrap()
    };
    let eddsa =
        |typ: &str, kid: &str| Header { typ: Some(typ.into()), kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
    let other_user = with("sub", json!(UserId::new()));
    let (with_id, by_hand) = (eddsa(ACCESS_TOKEN_TYPE, &key.kid), eddsa(ACCESS_TOKEN_TYPE, "mine"));
    let elsewhere = "https://evil.example/keys.json".to_owned();
    let own_jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(&own_key()), Algorithm::EdDSA).unwrap();
    let forged = [
        ("another user", format!("{header}.{}.{signature}", encode(&other_user))),
        ("a later end", format!("{header}.{}.{signature}", encode(&with("exp", json!(4_000_000_000_i64))))),
        ("alg none", format!("{none}.{claims}.")),
        ("alg none, signed", format!("{none}.{claims}.{signature}")),
        ("HS256 with the public key", symmetric(&BASE64_URL_SAFE_NO_PAD.decode(&key.x).unwrap())),
        ("HS256 with the public key's text", symmetric(key.x.as_bytes())),
        ("another key with this id", own(&eddsa(ACCESS_TOKEN_TYPE, &key.kid), &claims_json)),
        ("another key with its own id", own(&eddsa(ACCESS_TOKEN_TYPE, "mine"), &claims_json)),
        ("another key where it says", own(&Header { jku: Some(elsewhere.clone()), ..with_id.clone() }, &claims_json)),
        ("another key, and a certificate", own(&Header { x5u: Some(elsewhere), ..with_id.clone() }, &claims_json)),
        ("another key that it brings", own(&Header { jwk: Some(own_jwk.clone()), ..with_id }, &claims_json)),
        ("its own key without an id", own(&Header { jwk: Some(own_jwk), kid: None, ..by_hand }, &claims_json)),
        ("truncated", good[..good.len() - 1].to_owned()),
        ("extended", format!("{good}A")),
        ("without a signature", format!("{header}.{claims}.")),
        ("a refresh token", tokens.refresh_token.clone()),
        ("nothing", String::new()),
    ];
    let verifier = world.context.verifier(Arc::new(AuthKeys(world.auth.client.clone())));
    for (what, token) in forged {
        let answer = world.auth.client.unary::<GetMe>(&bearer(&token), GetMeRequest {}).await;
        assert_eq!(code(answer), ErrorCode::Unauthenticated, "{what}");
        assert!(verifier.verify(&token).await.is_err(), "{what}");
    }
    world.me(&tokens).await.unwrap();
}

/// With a key that auth publishes: nothing but what they say is wrong.
async fn signed_ones_that_say_something_else_are_refused(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    let public = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
    let (postgres, now) = (world.database.is_postgres(), world.clock.now());
    let bytes = |bytes: &[u8]| {
        let digits = hex::encode(bytes);
        if postgres { format!("'\\x{digits}'") } else { format!("x'{digits}'") }
    };
    let time = if postgres { format!("'{now}'") } else { now.micros().to_string() };
    let row = format!("'ours', {}, {}, {time}, {time}, {time}", bytes(&public), bytes(b"not needed"));
    let columns = "kid, public_key, private_key, created_at, signs_from, retired_at";
    world.execute(&format!("INSERT INTO signing_keys ({columns}) VALUES ({row})")).await;

    let seconds = now.get().as_second();
    let claims = part(&tokens.access_token, 1);
    let header =
        Header { typ: Some(ACCESS_TOKEN_TYPE.into()), kid: Some("ours".into()), ..Header::new(Algorithm::EdDSA) };
    let sign = |typ: Option<&str>, changes: Value| {
        let mut claims = claims.clone();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = Header { typ: typ.map(str::to_owned), ..header.clone() };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&own_key())).unwrap()
    };
    // The replica has no memory of keys yet.
    let replica = world.launch(world.config()).await;
    let get_me = async |token: String| replica.client.unary::<GetMe>(&bearer(&token), GetMeRequest {}).await;
    let typ = Some(ACCESS_TOKEN_TYPE);
    get_me(sign(typ, json!({}))).await.unwrap();
    // Clocks may differ by some seconds, but not more.
    get_me(sign(typ, json!({"iat": seconds + 5}))).await.unwrap();
    let bad = [
        ("another issuer", sign(typ, json!({"iss": "https://accounts.google.com"}))),
        ("no issuer", sign(typ, json!({"iss": null}))),
        ("another audience", sign(typ, json!({"aud": "another-api"}))),
        ("one more audience's prefix", sign(typ, json!({"aud": "callfairy-api-2"}))),
        ("no audience", sign(typ, json!({"aud": null}))),
        ("another type", sign(Some("JWT"), json!({}))),
        ("an ID token's lack of a type", sign(None, json!({}))),
        ("a service's type", sign(Some("service+jwt"), json!({}))),
        ("expired", sign(typ, json!({"exp": seconds}))),
        ("expired long ago", sign(typ, json!({"exp": 1}))),
        ("without an end", sign(typ, json!({"exp": null}))),
        ("not valid yet", sign(typ, json!({"iat": seconds + 6}))),
        ("of nobody", sign(typ, json!({"sub": null}))),
        ("of no session", sign(typ, json!({"sid": null}))),
    ];
    for (what, token) in bad {
        let problem = get_me(token).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::Unauthenticated, "{what}");
        assert!(problem.detail.starts_with("the token "), "{what}: {problem}");
    }
    replica.end().await;
}

async fn expire_after_ten_minutes(world: &World) {
    let tokens = world.signed_up("ada@example.com").await;
    world.clock.advance(Duration::from_secs(599));
    world.me(&tokens).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(code(world.me(&tokens).await), ErrorCode::Unauthenticated);
}

async fn replicas_that_start_together_agree_on_one_key(world: &World) {
    // As before the first start.
    world.execute("DELETE FROM signing_keys").await;
    let replicas = join_all((0..6).map(|_| world.launch(world.config()))).await;
    assert_eq!(world.count("signing_keys").await, 1);
    for (signs, verifies) in replicas.iter().zip(replicas.iter().rev()) {
        let request = crate::world::login(crate::world::SUPERADMIN, crate::world::SUPERADMIN_PASSWORD);
        let nobody = access::Meta::default();
        let tokens = signs.client.unary::<Login>(&nobody, request).await.unwrap();
        verifies.client.unary::<GetMe>(&bearer(&tokens.access_token), GetMeRequest {}).await.unwrap();
    }
    join_all(replicas.into_iter().map(Auth::end)).await;
}

async fn a_retired_key_verifies_until_its_tokens_have_expired(world: &World) {
    let old = keys(world).await.pop().unwrap();
    let tokens = world.signed_up("ada@example.com").await;
    let now = "2026-01-01T12:00:00Z";
    let now = if world.database.is_postgres() { format!("'{now}'") } else { "1767268800000000".to_owned() };
    world.execute(&format!("UPDATE signing_keys SET retired_at = {now}")).await;
    let replica = world.launch(world.config()).await;
    let published = keys(world).await;
    assert_eq!(published.len(), 2);
    assert!(published.contains(&old));
    replica.client.unary::<GetMe>(&bearer(&tokens.access_token), GetMeRequest {}).await.unwrap();
    world.clock.advance(Duration::from_mins(16));
    let published = keys(world).await;
    assert!(published.len() == 1 && published[0] != old);
    replica.end().await;
}

async fn the_key_needs_the_master_key(world: &World) {
    let another = "YW5vdGhlciBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzISE=";
    let config = world.config_with(&[("CALLFAIRY_MASTER_KEY", another)]);
    let listener = runtime::Listener::local(access::LocalSlot::default());
    let error = auth::serve(config, listener, runtime::Shutdown::new()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be decrypted: is the master key"), "{error}");
    let private = world.count("signing_keys WHERE length(private_key) > 32 + 24").await;
    assert_eq!(private, 1, "the private key is encrypted");
}

fn own_key() -> Vec<u8> {
    const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    [PREFIX.as_slice(), [7; 32].as_slice()].concat()
}
