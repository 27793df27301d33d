//! Making an account, without telling anybody which accounts there are.

use crate::world::{PASSWORD, World, code, registration};
use callfairy_core::ErrorCode;
use futures_util::future::join_all;
use proto::auth::{RegisterRequest, ResendVerificationRequest, Role};
use proto::rpc::accounts::{Register, ResendVerification};

testkit::on_both!(
    leads_to_an_account,
    is_answered_alike_for_every_address,
    resending_is_answered_alike_for_every_address,
    the_link_that_is_followed_decides_whose_password_counts,
    happens_once_for_each_address,
    honours_the_idempotency_key,
    refuses_what_is_not_well_formed,
);

async fn leads_to_an_account(world: &World) {
    let request = RegisterRequest {
        company: Some(" Analytical Engines ".to_owned()),
        job_title: Some("Programmer".to_owned()),
        phone: Some(String::new()),
        ..registration("Ada@Example.com")
    };
    world.call::<Register>(request).await.unwrap();
    let mail = world.last_mail("Ada@Example.com").await;
    assert_eq!(mail.subject(), "Confirm your e-mail address");
    world.verify(mail.token()).await.unwrap();

    // The address in another spelling is the same.
    let tokens = world.login(" ada@EXAMPLE.com", PASSWORD).await.unwrap();
    assert_eq!((tokens.token_type.as_str(), tokens.expires_in), ("Bearer", 600));
    assert!(tokens.refresh_token.starts_with("cfr_"));
    let me = world.me(&tokens).await.unwrap();
    assert_eq!(tokens.user.as_ref(), Some(&me));
    assert_eq!((me.email.as_str(), me.name.as_str()), ("Ada@Example.com", "Ada Lovelace"));
    assert_eq!((me.company.as_deref(), me.job_title.as_deref()), (Some("Analytical Engines"), Some("Programmer")));
    assert_eq!((me.phone.clone(), me.is_active, me.email_verified), (None, true, true));
    assert_eq!(me.role(), Role::User);
    assert_eq!(me.created_at.unwrap().instant("created_at").unwrap().to_string(), "2026-01-01T12:00:00Z");
}

async fn is_answered_alike_for_every_address(world: &World) {
    let unknown = world.register("ada@example.com").await.unwrap();
    let first = world.last_mail("ada@example.com").await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let unverified = world.register("ADA@example.com").await.unwrap();
    let mails = world.mails("ada@example.com", 2).await;
    assert_eq!(mails[1].subject(), "Confirm your e-mail address");
    assert_ne!(mails[1].token(), first.token());

    world.verify(first.token()).await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    let verified = world.register("ada@example.COM").await.unwrap();
    let mails = world.mails("ada@example.com", 3).await;
    assert_eq!(mails[2].subject(), "You already have an account");
    assert!(!mails[2].text.contains("http"), "{}", mails[2].text);

    assert_eq!(unknown, unverified);
    assert_eq!(unknown, verified);
    // Nothing of the account has changed.
    world.login("ada@example.com", PASSWORD).await.unwrap();
}

async fn resending_is_answered_alike_for_every_address(world: &World) {
    let resend = async |email: &str| {
        world.call::<ResendVerification>(ResendVerificationRequest { email: email.to_owned() }).await.unwrap()
    };
    world.register("ada@example.com").await.unwrap();
    world.last_mail("ada@example.com").await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let unverified = resend("Ada@example.com").await;
    let mails = world.mails("ada@example.com", 2).await;
    assert_eq!(mails[1].subject(), "Confirm your e-mail address");
    world.verify(mails[1].token()).await.unwrap();
    let verified = resend("ada@example.com").await;
    let unknown = resend("nobody@example.com").await;
    assert_eq!(unverified, unknown);
    assert_eq!(verified, unknown);
    assert_eq!(world.count("mails").await, 2, "only the unverified address gets a mail");
    world.login("ada@example.com", PASSWORD).await.unwrap();
}

/// Somebody registers another one's address, and waits for its owner to confirm it.
async fn the_link_that_is_followed_decides_whose_password_counts(world: &World) {
    let register = async |password: &str, name: &str| {
        let (password, name) = (password.to_owned(), name.to_owned());
        world.call::<Register>(RegisterRequest { password, name, ..registration("owner@example.com") }).await.unwrap();
        let mail = world.last_mail("owner@example.com").await;
        world.clock.advance(std::time::Duration::from_secs(1));
        mail
    };
    register("the first stranger's", "Stranger").await;
    let owners = register("the owner's choice", "Olive Owner").await;
    register("the second stranger's", "Stranger").await;
    world.verify(owners.token()).await.unwrap();
    for password in ["the first stranger's", "the second stranger's"] {
        assert_eq!(code(world.login("owner@example.com", password).await), ErrorCode::InvalidCredentials);
    }
    let tokens = world.login("owner@example.com", "the owner's choice").await.unwrap();
    assert_eq!(tokens.user.unwrap().name, "Olive Owner");
}

async fn happens_once_for_each_address(world: &World) {
    let answers = join_all((0..8).map(|_| world.register("ada@example.com"))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.is_ok()), "{answers:?}");
    assert_eq!(world.count("users WHERE email_folded = 'ada@example.com'").await, 1);
    assert_eq!(world.mails("ada@example.com", 8).await.len(), 8);
}

async fn honours_the_idempotency_key(world: &World) {
    let meta = access::Meta { idempotency_key: Some("once".to_owned()), ..Default::default() };
    let register = async |request| world.auth.client.unary::<Register>(&meta, request).await;
    let first = register(registration("ada@example.com")).await.unwrap();
    assert_eq!(register(registration("ada@example.com")).await.unwrap(), first);
    assert_eq!(world.count("mails").await, 1);
    let other = RegisterRequest { password: "another one altogether".to_owned(), ..registration("ada@example.com") };
    assert_eq!(code(register(other).await), ErrorCode::IdempotencyKeyReused);
    // Another one's key is another key.
    register(registration("grace@example.com")).await.unwrap();
    assert_eq!(world.count("mails").await, 2);
}

async fn refuses_what_is_not_well_formed(world: &World) {
    let field = async |request| {
        let problem = world.call::<Register>(request).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidArgument);
        problem.fields[0].field.clone()
    };
    let good = || registration("ada@example.com");
    assert_eq!(field(RegisterRequest { email: "ada".to_owned(), ..good() }).await, "email");
    assert_eq!(field(RegisterRequest { name: "Ada\r\nBcc: x".to_owned(), ..good() }).await, "name");
    assert_eq!(field(RegisterRequest { company: Some("a\u{1b}b".to_owned()), ..good() }).await, "company");
    assert_eq!(field(RegisterRequest { password: "short".to_owned(), ..good() }).await, "password");
    assert_eq!(world.count("users").await, 1, "the superadmin alone");
}
