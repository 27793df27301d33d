//! Accounts that come from another system, with their passwords.

use crate::world::{DEADLINE, SUPERADMIN, World, code};
use auth::{DjangoUser, UsersImported, import_users};
use callfairy_core::{Clock as _, ErrorCode};
use futures_util::future::join_all;
use proto::auth::Role;
use serde_json::{Value, json};

testkit::on_both!(
    who_was_imported_signs_in_and_is_upgraded,
    who_signs_in_twice_at_one_time_is_upgraded_once,
    what_is_wrong_is_said_and_the_rest_is_made,
    nothing_is_made_when_only_checked,
);

/// Made with Python's hashlib, in the form that Django writes: of the one, and of the other.
const PASSWORD: &str = "plain blue teapots sing";
const HASH: &str = "pbkdf2_sha256$1000$salt1234salt$YdQaeYckK+2YJ/w56k0546sGBqij8KvCy5rHpJymDis=";

fn user(email: &str) -> Value {
    json!({
        "email": email, "name": "Ada", "password": HASH, "role": "agent", "is_active": true,
        "date_joined": "2024-05-01T08:00:00Z",
    })
}

fn with(email: &str, field: &str, value: impl Into<Value>) -> Value {
    let mut user = user(email);
    user[field] = value.into();
    user
}

async fn import(world: &World, users: &[Value], only_check: bool) -> UsersImported {
    let users: Vec<DjangoUser> = serde_json::from_value(users.into()).unwrap();
    assert!(!format!("{users:?}").contains("salt1234salt"), "hashes are not for logs");
    import_users(&world.pool, users, only_check, world.clock.now()).await.unwrap()
}

async fn who_was_imported_signs_in_and_is_upgraded(world: &World) {
    let users = [
        user("Ada@example.com"),
        with("root2@example.com", "role", "superadmin"),
        with("gone@example.com", "is_active", false),
        with("never@example.com", "password", "!kFbW8uEJ2dCnLrM"),
        with("nameless@example.com", "name", " "),
    ];
    assert_eq!(import(world, &users, false).await, UsersImported { made: 5, ..UsersImported::default() });
    assert_eq!(world.count("users WHERE password_hash LIKE 'pbkdf2%'").await, 4);

    assert_eq!(code(world.login("ada@example.com", "plain blue teapots sinG").await), ErrorCode::InvalidCredentials);
    let tokens = world.login("ada@example.com", PASSWORD).await.unwrap();
    let me = world.me(&tokens).await.unwrap();
    assert_eq!((me.email.as_str(), me.name.as_str(), me.role()), ("Ada@example.com", "Ada", Role::User));
    assert!(me.email_verified && me.created_at.is_some_and(|at| at.seconds == 1_714_550_400));
    // The hash is ours from now on, and the password the same.
    assert_eq!(world.count("users WHERE password_hash LIKE 'pbkdf2%'").await, 3);
    assert_eq!(
        world.count("users WHERE email_folded = 'ada@example.com' AND password_hash LIKE '$argon2id$%'").await,
        1
    );
    world.login("ada@example.com", PASSWORD).await.unwrap();

    assert_eq!(world.me(&world.login("nameless@example.com", PASSWORD).await.unwrap()).await.unwrap().name, "nameless");
    for refused in ["gone@example.com", "never@example.com"] {
        assert_eq!(code(world.login(refused, PASSWORD).await), ErrorCode::InvalidCredentials, "{refused}");
    }
    assert_eq!(code(world.login("never@example.com", "!").await), ErrorCode::InvalidCredentials);
    // tenancy hears of all of them.
    testkit::eventually("tenancy knows the superadmin", DEADLINE, async || {
        world.tenancy.fact("root2@example.com").filter(|fact| fact.is_superadmin).map(|_| ())
    })
    .await;
    let tokens = world.login("root2@example.com", PASSWORD).await.unwrap();
    assert_eq!(world.me(&tokens).await.unwrap().role(), Role::Superadmin);
}

async fn who_signs_in_twice_at_one_time_is_upgraded_once(world: &World) {
    import(world, &[user("ada@example.com")], false).await;
    for answer in join_all((0..6).map(|_| world.login("ada@example.com", PASSWORD))).await {
        answer.unwrap();
    }
    assert_eq!(world.count("sessions").await, 6);
}

async fn what_is_wrong_is_said_and_the_rest_is_made(world: &World) {
    let users = [
        user("not an address"),
        user("ada@example.com"),
        with("md5@example.com", "password", "md5$salt$0123"),
        with("future@example.com", "date_joined", "2126-01-01T00:00:00Z"),
        with("long@example.com", "name", "x".repeat(201)),
        user(SUPERADMIN),
        user("ADA@example.com"),
    ];
    let done = import(world, &users, false).await;
    assert_eq!((done.made, done.known), (1, vec![SUPERADMIN.to_owned(), "ADA@example.com".to_owned()]));
    let refused: Vec<_> =
        done.refused.iter().map(|(at, why)| (*at, why.split(':').next().unwrap_or_default())).collect();
    assert_eq!(refused, [(1, "email"), (3, "password"), (4, "date_joined"), (5, "name")]);
    // Again, and nothing is made twice.
    assert_eq!(import(world, &users[1..2], false).await.made, 0);
    assert_eq!(world.count("users").await, 2);
    for bad in [
        json!({"email": "x@example.com"}),
        with("x@example.com", "role", "owner"),
        with("x@example.com", "is_superuser", true),
    ] {
        assert!(serde_json::from_value::<DjangoUser>(bad.clone()).is_err(), "{bad}");
    }
}

async fn nothing_is_made_when_only_checked(world: &World) {
    let users = [user("ada@example.com"), user("not an address")];
    let done = import(world, &users, true).await;
    assert_eq!((done.made, done.refused.len(), world.count("users").await), (1, 1, 1));
}
