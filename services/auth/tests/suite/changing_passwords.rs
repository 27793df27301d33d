//! Changing a password, and setting a new one when it is forgotten.

use crate::world::{DEADLINE, PASSWORD, World, code};
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::{join, join_all};
use proto::auth::{ChangePasswordRequest, ForgotPasswordRequest, ResetPasswordRequest, Tokens};
use proto::rpc::passwords::{ChangePassword, ForgotPassword, ResetPassword};
use proto::types::Detail;
use std::time::Duration;

testkit::on_both!(
    a_changed_password_counts,
    changing_ends_the_other_sessions,
    the_current_password_is_asked_for,
    no_sign_in_with_the_old_one_outruns_the_change,
    a_sign_in_waits_for_the_change,
    a_weak_one_is_refused_with_the_reason,
    forgetting_is_answered_alike_for_every_address,
    a_link_sets_a_new_one_once,
    of_several_at_one_time_one_works,
    a_link_works_for_ten_minutes,
    a_new_one_ends_all_sessions_and_voids_other_links,
    a_link_is_good_for_one_purpose_and_one_address,
    an_unverified_account_is_confirmed_first,
);

const NEW: &str = "staple the battery";
const ADA: &str = "ada@example.com";

async fn change(world: &World, tokens: &Tokens, current: &str, new: &str) -> Result<(), Problem> {
    let request = ChangePasswordRequest { current_password: current.to_owned(), new_password: new.to_owned() };
    world.call_as::<ChangePassword>(tokens, request).await.map(drop)
}

async fn forgot(world: &World, email: &str) -> Detail {
    world.call::<ForgotPassword>(ForgotPasswordRequest { email: email.to_owned() }).await.unwrap()
}

async fn reset(world: &World, token: &str, new: &str) -> Result<Detail, Problem> {
    let request = ResetPasswordRequest { token: token.to_owned(), new_password: new.to_owned() };
    world.call::<ResetPassword>(request).await
}

/// The token of a link that was mailed now, to somebody who has so many mails by then.
async fn link(world: &World, email: &str, mails: usize) -> String {
    world.clock.advance(Duration::from_secs(1));
    forgot(world, email).await;
    let mail = world.mails(email, mails).await.pop().unwrap();
    assert_eq!(mail.subject(), "Set a new password");
    assert_eq!(mail.link(), format!("https://calls.example.com/app/reset-password?token={}", mail.token()));
    mail.token().to_owned()
}

async fn all_is_told(world: &World) {
    let settled = async || (world.count("outbox").await == 0).then_some(());
    testkit::eventually("all messages are gone", DEADLINE, settled).await;
    world.all_mail_is_sent().await;
}

async fn a_changed_password_counts(world: &World) {
    let tokens = world.signed_up(ADA).await;
    world.clock.advance(Duration::from_secs(1));
    change(world, &tokens, PASSWORD, NEW).await.unwrap();
    assert_eq!(code(world.login(ADA, PASSWORD).await), ErrorCode::InvalidCredentials);
    world.login(ADA, NEW).await.unwrap();
    let mail = world.mails(ADA, 2).await.pop().unwrap();
    assert_eq!(mail.subject(), "Your password was changed");
    assert!(!mail.text.contains("http"), "{}", mail.text);
    let request = ChangePasswordRequest { current_password: NEW.to_owned(), new_password: PASSWORD.to_owned() };
    assert_eq!(code(world.call::<ChangePassword>(request).await), ErrorCode::Unauthenticated);
}

async fn changing_ends_the_other_sessions(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let other = world.login(ADA, PASSWORD).await.unwrap();
    let superadmin = world.superadmin().await;
    change(world, &tokens, PASSWORD, NEW).await.unwrap();
    assert_eq!(code(world.refresh(&other.refresh_token).await), ErrorCode::Unauthenticated);
    world.is_refused(&other).await;
    world.me(&tokens).await.unwrap();
    world.refresh(&tokens.refresh_token).await.unwrap();
    world.refresh(&superadmin.refresh_token).await.unwrap();
}

async fn the_current_password_is_asked_for(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let problem = change(world, &tokens, "not her password", NEW).await.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "current_password"));
    world.login(ADA, PASSWORD).await.unwrap();
}

/// A password is checked before its session begins; in between it may be changed.
async fn no_sign_in_with_the_old_one_outruns_the_change(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let sign_ins = join_all((0..6).map(|_| world.login(ADA, PASSWORD)));
    let (changed, signed_in) = join(change(world, &tokens, PASSWORD, NEW), sign_ins).await;
    changed.unwrap();
    for answer in signed_in.into_iter().flatten() {
        assert_eq!(code(world.refresh(&answer.refresh_token).await), ErrorCode::Unauthenticated);
    }
    assert_eq!(world.count("sessions WHERE revoked_at IS NULL").await, 1);
}

/// As above, in the one order that matters.
async fn a_sign_in_waits_for_the_change(world: &World) {
    world.signed_up(ADA).await;
    let root = crate::world::SUPERADMIN;
    let hash = format!("(SELECT password_hash FROM users WHERE email = '{root}')");
    let changing = world.hold(&format!("UPDATE users SET password_hash = {hash} WHERE email = '{ADA}'")).await;
    let (signed_in, ()) = join(world.login(ADA, PASSWORD), async {
        world.waiting(1).await;
        changing.commit().await;
    })
    .await;
    assert_eq!(code(signed_in), ErrorCode::InvalidCredentials);
    assert_eq!(world.count("sessions").await, 1);
}

async fn a_weak_one_is_refused_with_the_reason(world: &World) {
    let tokens = world.signed_up(ADA).await;
    let token = link(world, ADA, 2).await;
    for (weak, reason) in [
        ("seven77", "has fewer than 8 characters"),
        ("Password123", "is one of the commonest passwords"),
        ("ada lovelace", "is too close to your name"),
        ("Ada@Example.com", "is too close to your e-mail address"),
    ] {
        for problem in
            [change(world, &tokens, PASSWORD, weak).await.unwrap_err(), reset(world, &token, weak).await.unwrap_err()]
        {
            assert_eq!(problem.fields[0].field, "new_password");
            assert_eq!(problem.fields[0].message, reason);
        }
    }
    // The link was not used up by that.
    reset(world, &token, NEW).await.unwrap();
}

async fn forgetting_is_answered_alike_for_every_address(world: &World) {
    world.signed_up(ADA).await;
    world.signed_up("gone@example.com").await;
    world.execute("UPDATE users SET is_active = false WHERE email = 'gone@example.com'").await;
    all_is_told(world).await;
    let mut answers = Vec::new();
    for email in [" ADA@example.com", "gone@example.com", "nobody@example.com"] {
        answers.push(forgot(world, email.trim()).await);
    }
    all_is_told(world).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    let mails = async |email: &str| world.mail_files(email).len();
    assert_eq!((mails(ADA).await, mails("gone@example.com").await, mails("nobody@example.com").await), (2, 1, 0));
}

async fn a_link_sets_a_new_one_once(world: &World) {
    world.signed_up(ADA).await;
    let token = link(world, ADA, 2).await;
    assert!(token.starts_with("cfv_") && token.len() == 47, "{token}");
    world.clock.advance(Duration::from_secs(1));
    reset(world, &token, NEW).await.unwrap();
    assert_eq!(code(world.login(ADA, PASSWORD).await), ErrorCode::InvalidCredentials);
    world.login(ADA, NEW).await.unwrap();
    assert_eq!(code(reset(world, &token, "yet another one").await), ErrorCode::Gone);
    world.login(ADA, NEW).await.unwrap();
    assert_eq!(world.mails(ADA, 3).await.pop().unwrap().subject(), "Your password was changed");
}

async fn of_several_at_one_time_one_works(world: &World) {
    world.signed_up(ADA).await;
    let token = link(world, ADA, 2).await;
    let passwords: Vec<String> = (0..6).map(|n| format!("{NEW} {n}")).collect();
    let answers = join_all(passwords.iter().map(|new| reset(world, &token, new))).await;
    let good: Vec<&String> =
        passwords.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(p, _)| p).collect();
    let [good] = good.as_slice() else { panic!("{answers:?}") };
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|problem| problem.code == ErrorCode::Gone));
    world.login(ADA, good).await.unwrap();
}

async fn a_link_works_for_ten_minutes(world: &World) {
    world.signed_up(ADA).await;
    let (late, just) = (link(world, ADA, 2).await, link(world, ADA, 3).await);
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(code(reset(world, &late, NEW).await), ErrorCode::Gone);
    reset(world, &just, NEW).await.unwrap();
}

async fn a_new_one_ends_all_sessions_and_voids_other_links(world: &World) {
    let (tokens, superadmin) = (world.signed_up(ADA).await, world.superadmin().await);
    let other = world.login(ADA, PASSWORD).await.unwrap();
    let (first, second) = (link(world, ADA, 2).await, link(world, ADA, 3).await);
    reset(world, &second, NEW).await.unwrap();
    for ended in [&tokens, &other] {
        assert_eq!(code(world.refresh(&ended.refresh_token).await), ErrorCode::Unauthenticated);
        world.is_refused(ended).await;
    }
    assert_eq!(code(reset(world, &first, PASSWORD).await), ErrorCode::Gone);
    world.refresh(&superadmin.refresh_token).await.unwrap();
    // A change voids links as well.
    let tokens = world.login(ADA, NEW).await.unwrap();
    world.mails(ADA, 4).await;
    let third = link(world, ADA, 5).await;
    change(world, &tokens, NEW, PASSWORD).await.unwrap();
    assert_eq!(code(reset(world, &third, NEW).await), ErrorCode::Gone);
}

async fn a_link_is_good_for_one_purpose_and_one_address(world: &World) {
    world.signed_up(ADA).await;
    let token = link(world, ADA, 2).await;
    let field = |problem: Problem| problem.fields[0].field.clone();
    assert_eq!(field(world.verify(&token).await.unwrap_err()), "token");
    world.register("new@example.com").await.unwrap();
    let verification = world.last_mail("new@example.com").await.token().to_owned();
    for wrong in [verification.as_str(), "nonsense", &token[..40], &token.replace("cfv_", "cfr_")] {
        assert_eq!(field(reset(world, wrong, NEW).await.unwrap_err()), "token", "{wrong}");
    }
    world.execute("UPDATE users SET email_folded = 'eve@example.com' WHERE email_folded = 'ada@example.com'").await;
    assert_eq!(code(reset(world, &token, NEW).await), ErrorCode::Gone);
    assert_eq!(code(world.login("eve@example.com", NEW).await), ErrorCode::InvalidCredentials);
}

/// Its password was perhaps written by somebody else, and to set another would not make the address proven.
async fn an_unverified_account_is_confirmed_first(world: &World) {
    world.register(ADA).await.unwrap();
    world.mails(ADA, 1).await;
    world.clock.advance(Duration::from_secs(1));
    let (known, unknown) = (forgot(world, ADA).await, forgot(world, "nobody@example.com").await);
    assert_eq!(known, unknown);
    let mail = world.mails(ADA, 2).await.pop().unwrap();
    assert_eq!(mail.subject(), "Confirm your e-mail address");
    assert_eq!(code(world.login(ADA, PASSWORD).await), ErrorCode::InvalidCredentials);
    world.verify(mail.token()).await.unwrap();
    world.login(ADA, PASSWORD).await.unwrap();
}
