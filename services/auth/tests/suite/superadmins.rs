//! Superadmins that are made from outside.

use crate::world::{DEADLINE, SUPERADMIN, World, code};
use auth::{Error, create_superadmin};
use callfairy_core::{Clock as _, ErrorCode, Problem, Secret};
use proto::auth::Role;
use proto::rpc::sessions::Login;

testkit::on_both!(
    the_configured_one_is_made_and_its_password_not_shown,
    of_two_starts_at_one_time_one_makes_it,
    a_weak_configured_password_stops_the_start,
    an_address_that_is_taken_stops_the_start,
    the_command_line_makes_more,
);

async fn the_configured_one_is_made_and_its_password_not_shown(world: &World) {
    let announced = world.auth.announced.lock().unwrap().take().unwrap();
    assert_eq!(announced.email, SUPERADMIN);
    assert!(announced.password.is_none());
    assert_eq!(announced.notice(), "The first superadmin: root@platform.example, with the configured password");
    let me = world.me(&world.superadmin().await).await.unwrap();
    assert_eq!((me.role(), me.email_verified), (Role::Superadmin, true));
    // The next start finds it.
    let again = world.launch(world.config()).await;
    assert!(again.announced.lock().unwrap().is_none());
    assert_eq!(world.count("users").await, 1);
    again.end().await;
}

async fn of_two_starts_at_one_time_one_makes_it(world: &World) {
    world.execute("DELETE FROM users").await;
    let config = || {
        let mut config = world.config();
        config.superadmin.password = None;
        config
    };
    let (one, other) = tokio::join!(world.launch(config()), world.launch(config()));
    assert_eq!(world.count("users WHERE is_superadmin").await, 1);
    let announced: Vec<_> =
        [&one, &other].into_iter().filter_map(|auth| auth.announced.lock().unwrap().take()).collect();
    let [first] = announced.as_slice() else { panic!("{announced:?}") };
    let password = first.password.clone().unwrap();
    assert!(password.expose().chars().count() >= 20);
    assert!(first.notice().contains(password.expose()) && !format!("{first:?}").contains(password.expose()));
    let request = crate::world::login(SUPERADMIN, password.expose());
    let tokens = other.client.unary::<Login>(&access::Meta::default(), request).await.unwrap();
    assert_eq!(tokens.user.unwrap().role(), Role::Superadmin);
    one.end().await;
    other.end().await;
}

async fn start_fails(world: &World, more: &[(&str, &str)]) -> String {
    let listener = runtime::Listener::local(access::LocalSlot::default());
    auth::serve(world.config_with(more), listener, runtime::Shutdown::new()).await.unwrap_err().to_string()
}

async fn a_weak_configured_password_stops_the_start(world: &World) {
    // With a superadmin there the setting is not looked at.
    let weak = [("CALLFAIRY_SUPERADMIN_PASSWORD", "password123")];
    world.launch(world.config_with(&weak)).await.end().await;
    world.execute("DELETE FROM users").await;
    let error = start_fails(world, &weak).await;
    assert!(error.starts_with("CALLFAIRY_SUPERADMIN_PASSWORD: ") && !error.contains("password123"), "{error}");
    let error = start_fails(world, &[("CALLFAIRY_SUPERADMIN_PASSWORD", "short")]).await;
    assert!(error.contains("has fewer than 8 characters"), "{error}");
    assert_eq!(world.count("users").await, 0);
}

async fn an_address_that_is_taken_stops_the_start(world: &World) {
    world.signed_up("ada@example.com").await;
    world.execute("DELETE FROM users WHERE is_superadmin").await;
    let error = start_fails(world, &[("CALLFAIRY_SUPERADMIN_EMAIL", "Ada@example.com")]).await;
    assert!(error.starts_with("CALLFAIRY_SUPERADMIN_EMAIL: "), "{error}");
    assert_eq!(world.count("users WHERE is_superadmin").await, 0);
}

async fn the_command_line_makes_more(world: &World) {
    let create = async |email: &str, name: &str, password: &str| {
        create_superadmin(&world.pool, email, name, Secret::new(password), world.clock.now()).await.map_err(|error| {
            assert!(matches!(error, Error::Problem(_)), "{error}");
            Problem::from(error)
        })
    };
    let id = create("Grace@navy.example", "Grace Hopper", "nanoseconds of wire").await.unwrap();
    let told = async || world.tenancy.fact("Grace@navy.example");
    let fact = testkit::eventually("tenancy was told", DEADLINE, told).await;
    assert!(fact.is_superadmin && fact.is_active && fact.user_id == id.to_string());
    let tokens = world.login("grace@navy.example", "nanoseconds of wire").await.unwrap();
    assert_eq!(world.me(&tokens).await.unwrap().role(), Role::Superadmin);

    assert_eq!(code(create("GRACE@navy.example", "Other", "nanoseconds of wire").await), ErrorCode::Conflict);
    let field = |problem: Problem| problem.fields[0].field.clone();
    assert_eq!(field(create("x@y.example", "X", "password1").await.unwrap_err()), "password");
    assert_eq!(field(create("nonsense", "X", "nanoseconds of wire").await.unwrap_err()), "email");
    assert_eq!(field(create("x@y.example", " ", "nanoseconds of wire").await.unwrap_err()), "name");
}
