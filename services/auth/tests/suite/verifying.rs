//! Tokens that are mailed.

use crate::world::{PASSWORD, World, code};
use callfairy_core::ErrorCode;
use futures_util::future::join_all;
use std::time::Duration;

testkit::on_both!(
    a_token_works_once,
    of_several_at_one_time_one_works,
    a_token_works_for_a_day,
    an_unknown_token_is_refused,
    a_token_is_bound_to_its_address,
    only_the_hash_is_kept,
);

const DAY: Duration = Duration::from_hours(24);

async fn token(world: &World, email: &str) -> String {
    world.register(email).await.unwrap();
    world.last_mail(email).await.token().to_owned()
}

async fn a_token_works_once(world: &World) {
    let token = token(world, "ada@example.com").await;
    world.verify(&token).await.unwrap();
    assert_eq!(code(world.verify(&token).await), ErrorCode::Gone);
    world.login("ada@example.com", PASSWORD).await.unwrap();
}

async fn of_several_at_one_time_one_works(world: &World) {
    let token = token(world, "ada@example.com").await;
    let answers = join_all((0..10).map(|_| world.verify(&token))).await;
    let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    assert!(refused.into_iter().all(|answer| code(answer) == ErrorCode::Gone));
}

async fn a_token_works_for_a_day(world: &World) {
    let late = token(world, "late@example.com").await;
    world.clock.advance(DAY);
    assert_eq!(code(world.verify(&late).await), ErrorCode::Gone);
    assert_eq!(code(world.login("late@example.com", PASSWORD).await), ErrorCode::InvalidCredentials);
    let just = token(world, "just@example.com").await;
    world.clock.advance(Duration::from_hours(23));
    world.verify(&just).await.unwrap();
}

async fn an_unknown_token_is_refused(world: &World) {
    let token = token(world, "ada@example.com").await;
    let mut other = token.clone();
    other.replace_range(10..11, if &token[10..11] == "A" { "B" } else { "A" });
    for wrong in [other.as_str(), "nonsense", &token[..40], &token.replace("cfv_", "cfr_")] {
        let problem = world.verify(wrong).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "token"), "{wrong}");
    }
    world.verify(&token).await.unwrap();
}

async fn a_token_is_bound_to_its_address(world: &World) {
    let token = token(world, "ada@example.com").await;
    world.execute("UPDATE users SET email_folded = 'eve@example.com' WHERE email_folded = 'ada@example.com'").await;
    assert_eq!(code(world.verify(&token).await), ErrorCode::Gone);
    assert_eq!(world.count("users WHERE email_verified_at IS NOT NULL").await, 1, "the superadmin alone");
}

async fn only_the_hash_is_kept(world: &World) {
    let token = token(world, "ada@example.com").await;
    let tokens = world.login("root@platform.example", crate::world::SUPERADMIN_PASSWORD).await.unwrap();
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    world.all_mail_is_sent().await;
    assert_eq!(world.count("mails WHERE token IS NOT NULL").await, 0, "a token is forgotten once it is sent");
    let bytes: Vec<u8> = match world.database.url().strip_prefix("sqlite:") {
        Some(file) => {
            [file.to_owned(), format!("{file}-wal")].iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
        }
        // Without reading PostgreSQL's files: all that is in these tables.
        None => world
            .text(
                "SELECT string_agg(t::text, ' ') AS text FROM (SELECT s::text AS t FROM single_use_tokens s \
             UNION ALL SELECT r::text FROM refresh_tokens r UNION ALL SELECT m::text FROM mails m \
             UNION ALL SELECT o::text FROM outbox o) t",
            )
            .await
            .into_bytes(),
    };
    assert!(bytes.len() > 100);
    for secret in [&token, &tokens.refresh_token, &next.refresh_token] {
        let hidden = |form: &[u8]| !bytes.windows(form.len()).any(|window| window == form);
        assert!(hidden(secret.as_bytes()));
        // As PostgreSQL shows binary columns.
        assert!(hidden(hex::encode(secret.as_str()).as_bytes()));
    }
}
