//! Guessing passwords.

use crate::world::{PASSWORD, SUPERADMIN, SUPERADMIN_PASSWORD, World, code, login};
use access::{Meta, Origin};
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::join_all;
use proto::auth::{ChangePasswordRequest, LoginRequest, Tokens};
use proto::rpc::passwords::ChangePassword;
use proto::rpc::sessions::Login;
use std::time::Duration;

testkit::on_both!(
    ten_wrong_passwords_are_looked_at,
    many_at_one_time_are_counted_as_many_in_turn,
    a_known_address_is_not_locked_out_by_strangers,
    a_right_password_begins_the_count_anew,
    a_network_has_a_count_of_its_own,
    whoever_has_signed_in_is_counted_as_well,
    attempts_are_forgotten,
    a_password_that_was_not_looked_at_does_not_count,
);

const ADA: &str = "ada@example.com";
const WRONG: &str = "not her password";
const QUARTER: Duration = Duration::from_mins(15);

async fn from(world: &World, address: [u8; 4], request: LoginRequest) -> Result<Tokens, Problem> {
    let meta = Meta { origin: Origin::new(None, Some(address.into())), ..Meta::default() };
    world.auth.client.unary::<Login>(&meta, request).await
}

fn throttled(answer: Result<Tokens, Problem>) -> Option<Duration> {
    let problem = answer.unwrap_err();
    assert_eq!(problem.code, ErrorCode::TooManyRequests, "{problem}");
    problem.retry_after
}

async fn ten_wrong_passwords_are_looked_at(world: &World) {
    world.signed_up(ADA).await;
    // An unknown address is treated alike.
    for email in [ADA, "nobody@example.com"] {
        for _ in 0..9 {
            assert_eq!(code(world.login(email, WRONG).await), ErrorCode::InvalidCredentials);
        }
        world.clock.advance(Duration::from_mins(5));
        assert_eq!(code(world.login(email, WRONG).await), ErrorCode::InvalidCredentials);
        let late = Some(Duration::from_mins(10));
        assert_eq!(throttled(world.login(email, WRONG).await), late);
        // The right one is not looked at either.
        assert_eq!(throttled(world.login(&email.to_uppercase(), PASSWORD).await), late);
        world.clock.advance(Duration::from_mins(10) - Duration::from_micros(1));
        assert!(throttled(world.login(email, PASSWORD).await).is_some());
        world.clock.advance(Duration::from_micros(1));
        assert_ne!(world.login(email, PASSWORD).await.err().map(|p| p.code), Some(ErrorCode::TooManyRequests));
    }
    world.login(SUPERADMIN, SUPERADMIN_PASSWORD).await.unwrap();
}

async fn many_at_one_time_are_counted_as_many_in_turn(world: &World) {
    let answers = join_all((0..25).map(|_| world.login(SUPERADMIN, WRONG))).await;
    let count = |code| answers.iter().filter(|answer| answer.as_ref().is_err_and(|p| p.code == code)).count();
    assert_eq!((count(ErrorCode::InvalidCredentials), count(ErrorCode::TooManyRequests)), (10, 15));
}

async fn a_known_address_is_not_locked_out_by_strangers(world: &World) {
    let (home, elsewhere) = ([192, 0, 2, 7], [198, 51, 100, 1]);
    from(world, home, login(SUPERADMIN, SUPERADMIN_PASSWORD)).await.unwrap();
    for n in 0..10 {
        from(world, [198, 51, 100 + n, 1], login(SUPERADMIN, WRONG)).await.unwrap_err();
    }
    throttled(from(world, elsewhere, login(SUPERADMIN, SUPERADMIN_PASSWORD)).await);
    from(world, home, login(SUPERADMIN, SUPERADMIN_PASSWORD)).await.unwrap();
    // Nor is its own count without an end.
    for _ in 0..10 {
        assert_eq!(code(from(world, home, login(SUPERADMIN, WRONG)).await), ErrorCode::InvalidCredentials);
    }
    throttled(from(world, home, login(SUPERADMIN, SUPERADMIN_PASSWORD)).await);
}

async fn a_right_password_begins_the_count_anew(world: &World) {
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(code(world.login(SUPERADMIN, WRONG).await), ErrorCode::InvalidCredentials);
        }
        world.login(SUPERADMIN, SUPERADMIN_PASSWORD).await.unwrap();
    }
}

async fn a_network_has_a_count_of_its_own(world: &World) {
    let try_one = async |host: u8, email: &str| from(world, [192, 0, 2, host], login(email, WRONG)).await;
    assert_eq!(code(try_one(1, "a@example.com").await), ErrorCode::InvalidCredentials);
    // As after many more, each for another account.
    world.execute("UPDATE attempts SET count = 98").await;
    // Right ones are not counted.
    for _ in 0..3 {
        from(world, [192, 0, 2, 9], login(SUPERADMIN, SUPERADMIN_PASSWORD)).await.unwrap();
    }
    assert_eq!(code(try_one(2, "b@example.com").await), ErrorCode::InvalidCredentials);
    assert_eq!(code(try_one(3, "c@example.com").await), ErrorCode::InvalidCredentials);
    assert_eq!(throttled(try_one(4, "d@example.com").await), Some(QUARTER));
    let neighbour = from(world, [192, 0, 3, 1], login("d@example.com", WRONG)).await;
    assert_eq!(code(neighbour), ErrorCode::InvalidCredentials);
}

async fn whoever_has_signed_in_is_counted_as_well(world: &World) {
    let (tokens, root) = (world.signed_up(ADA).await, world.superadmin().await);
    let change = async |tokens: &Tokens, current: &str, new: &str| {
        let request = ChangePasswordRequest { current_password: current.to_owned(), new_password: new.to_owned() };
        world.call_as::<ChangePassword>(tokens, request).await
    };
    for _ in 0..10 {
        assert_eq!(code(change(&tokens, WRONG, "staple the battery").await), ErrorCode::InvalidArgument);
    }
    let problem = change(&tokens, PASSWORD, "staple the battery").await.unwrap_err();
    assert_eq!((problem.code, problem.retry_after), (ErrorCode::TooManyRequests, Some(QUARTER)));
    change(&root, SUPERADMIN_PASSWORD, "staple the battery").await.unwrap();
    // Signing in is counted apart.
    world.login(ADA, PASSWORD).await.unwrap();
}

async fn attempts_are_forgotten(world: &World) {
    for email in ["a@example.com", "b@example.com"] {
        from(world, [192, 0, 2, 7], login(email, WRONG)).await.unwrap_err();
    }
    assert_eq!(world.count("attempts").await, 3);
    world.clock.advance(QUARTER);
    // Each start begins with a look.
    let replica = world.launch(world.config()).await;
    let gone = async || (world.count("attempts").await == 0).then_some(());
    testkit::eventually("the attempts are forgotten", crate::world::DEADLINE, gone).await;
    replica.end().await;
}

async fn a_password_that_was_not_looked_at_does_not_count(world: &World) {
    world.signed_up(ADA).await;
    let config = auth::Config { password_hashers: 1, password_wait: Duration::ZERO, ..world.config() };
    let busy = world.launch(config).await;
    let wrong = async || busy.client.unary::<Login>(&Meta::default(), login(ADA, WRONG)).await.unwrap_err().code;
    let (mut looked_at, mut put_off) = (0, 0);
    while put_off <= 10 {
        for code in join_all((0..3).map(|_| wrong())).await {
            match code {
                ErrorCode::InvalidCredentials => looked_at += 1,
                ErrorCode::Unavailable => put_off += 1,
                other => panic!("{other:?} after {looked_at} wrong ones and {put_off} that nobody looked at"),
            }
        }
        if looked_at >= 7 && put_off <= 10 {
            // From the beginning: nothing was ever put off.
            world.login(ADA, PASSWORD).await.unwrap();
            (looked_at, put_off) = (0, 0);
        }
    }
    world.login(ADA, PASSWORD).await.unwrap();
    busy.end().await;
}
