//! Accounts that superadmins make for others.

use crate::world::{DEADLINE, PASSWORD, World, code, login};
use access::Meta;
use callfairy_core::{ErrorCode, Problem, UserId};
use futures_util::future::join;
use proto::auth::*;
use proto::rpc::passwords::{ForgotPassword, ResetPassword};
use proto::rpc::user_invitations::{AcceptInvitation, InviteUser, InviteUserAgain};
use proto::rpc::users::{DeactivateUser, GetUser, UpdateUser};
use proto::types::Detail;
use std::time::Duration;

testkit::on_both!(
    an_invitation_makes_an_account_that_its_owner_takes_over,
    an_invitation_works_once,
    an_invitation_works_for_seven_days,
    each_token_is_good_for_its_own_purpose,
    a_known_address_is_a_conflict,
    one_key_invites_once,
    a_lost_mail_is_sent_again_and_the_old_link_ends,
    whoever_registered_the_address_before_has_no_part_in_it,
    the_deactivated_cannot_accept,
    every_step_is_recorded,
);

const NIA: &str = "nia@example.com";
/// How long an invitation works, in two parts.
const ALMOST_A_WEEK: Duration = Duration::from_secs(7 * 24 * 3_600 - 1);
const THE_REST: Duration = Duration::from_secs(1);

fn invitation(email: &str) -> InviteUserRequest {
    InviteUserRequest {
        email: email.to_owned(),
        name: "Nia Roe".to_owned(),
        company: Some("Acme".to_owned()),
        ..Default::default()
    }
}

async fn invite(world: &World, email: &str) -> Result<User, Problem> {
    let root = world.superadmin().await;
    world.call_as::<InviteUser>(&root, invitation(email)).await
}

async fn again(world: &World, id: &str) -> Result<Detail, Problem> {
    let root = world.superadmin().await;
    world.clock.advance(Duration::from_secs(1));
    world.call_as::<InviteUserAgain>(&root, InviteUserAgainRequest { id: id.to_owned() }).await
}

async fn accept(world: &World, token: &str) -> Result<Detail, Problem> {
    accept_with(world, token, PASSWORD, None).await
}

async fn accept_with(world: &World, token: &str, password: &str, name: Option<&str>) -> Result<Detail, Problem> {
    let (token, password, name) = (token.to_owned(), password.to_owned(), name.map(str::to_owned));
    world.call::<AcceptInvitation>(AcceptInvitationRequest { token, password, name }).await
}

/// The token of the last mail, which invites.
async fn token(world: &World, email: &str) -> String {
    let mail = world.last_mail(email).await;
    assert_eq!(mail.subject(), "You are invited to CallFairy");
    mail.token().to_owned()
}

async fn an_invitation_makes_an_account_that_its_owner_takes_over(world: &World) {
    let made = invite(world, "Nia@Example.com").await.unwrap();
    assert_eq!((made.email.as_str(), made.name.as_str(), made.role()), ("Nia@Example.com", "Nia Roe", Role::User));
    assert!(made.is_active && !made.email_verified);
    let mail = world.mails("Nia@Example.com", 1).await.pop().unwrap();
    let token = mail.token();
    assert_eq!(mail.link(), format!("https://calls.example.com/app/accept-invitation?token={token}"));
    // Nobody has a password for it, and nobody else hears of it.
    assert_eq!(code(world.login(NIA, PASSWORD).await), ErrorCode::InvalidCredentials);
    assert!(world.tenancy.fact("Nia@Example.com").is_none());

    let weak = accept_with(world, token, "nia@example.com", None).await.unwrap_err();
    assert_eq!((weak.code, weak.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "password"));
    accept_with(world, token, PASSWORD, Some(" Nia R. Roe ")).await.unwrap();
    assert!(world.tenancy.fact("Nia@Example.com").unwrap().is_active);
    let user = world.login(NIA, PASSWORD).await.unwrap().user.unwrap();
    let expected = User { name: "Nia R. Roe".to_owned(), email_verified: true, ..made };
    assert_eq!(user, expected);
    assert_eq!(user.company.as_deref(), Some("Acme"));
    world.all_mail_is_sent().await;
    assert_eq!(world.mail_files("Nia@Example.com").len(), 1);

    let nameless = InviteUserRequest { name: " ".to_owned(), ..invitation("other@example.com") };
    let root = world.superadmin().await;
    let problem = world.call_as::<InviteUser>(&root, nameless).await.unwrap_err();
    assert_eq!(problem.fields[0].field, "name");
}

async fn an_invitation_works_once(world: &World) {
    invite(world, NIA).await.unwrap();
    let token = token(world, NIA).await;
    let other = accept_with(world, &token, "another good password", None);
    let (one, other) = join(accept(world, &token), other).await;
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|done| **done).count(), 1, "{one:?} {other:?}");
    let lost = one.and(other).unwrap_err();
    assert_eq!(lost.code, ErrorCode::Gone);
    assert_eq!(code(accept(world, &token).await), ErrorCode::Gone);
    let unknown = accept(world, &token.replace("cfv_", "cfx_")).await.unwrap_err();
    assert_eq!((unknown.code, unknown.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "token"));
}

async fn an_invitation_works_for_seven_days(world: &World) {
    invite(world, NIA).await.unwrap();
    invite(world, "late@example.com").await.unwrap();
    let (early, late) = (token(world, NIA).await, token(world, "late@example.com").await);
    world.clock.advance(ALMOST_A_WEEK);
    accept(world, &early).await.unwrap();
    world.clock.advance(THE_REST);
    assert_eq!(code(accept(world, &late).await), ErrorCode::Gone);
    assert_eq!(code(world.login("late@example.com", PASSWORD).await), ErrorCode::InvalidCredentials);
}

async fn each_token_is_good_for_its_own_purpose(world: &World) {
    let unknown = |answer: Result<Detail, Problem>| {
        let problem = answer.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "token"));
    };
    invite(world, NIA).await.unwrap();
    let invited = token(world, NIA).await;
    let reset = |token: &str| ResetPasswordRequest { token: token.to_owned(), new_password: PASSWORD.to_owned() };
    unknown(world.call::<ResetPassword>(reset(&invited)).await);
    unknown(world.verify(&invited).await);

    world.register("ada@example.com").await.unwrap();
    let verification = world.last_mail("ada@example.com").await.token().to_owned();
    unknown(accept(world, &verification).await);
    world.verify(&verification).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.call::<ForgotPassword>(ForgotPasswordRequest { email: "ada@example.com".to_owned() }).await.unwrap();
    let forgotten = world.mails("ada@example.com", 2).await.pop().unwrap().token().to_owned();
    unknown(accept(world, &forgotten).await);
    world.call::<ResetPassword>(reset(&forgotten)).await.unwrap();
    accept(world, &invited).await.unwrap();
}

async fn a_known_address_is_a_conflict(world: &World) {
    world.signed_up("ada@example.com").await;
    invite(world, NIA).await.unwrap();
    for email in ["ada@example.com", "ADA@example.com", NIA] {
        assert_eq!(code(invite(world, email).await), ErrorCode::Conflict, "{email}");
    }
    world.all_mail_is_sent().await;
    assert_eq!((world.mail_files("ada@example.com").len(), world.mail_files(NIA).len()), (1, 1));
}

async fn one_key_invites_once(world: &World) {
    let root = world.superadmin().await;
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..crate::world::bearer(&root.access_token) };
    let first = world.auth.client.unary::<InviteUser>(&meta, invitation(NIA)).await.unwrap();
    assert_eq!(world.auth.client.unary::<InviteUser>(&meta, invitation(NIA)).await.unwrap(), first);
    let other = world.auth.client.unary::<InviteUser>(&meta, invitation("other@example.com")).await;
    assert_eq!(code(other), ErrorCode::IdempotencyKeyReused);
    world.mails(NIA, 1).await;
    for _ in 0..2 {
        let request = InviteUserAgainRequest { id: first.id.clone() };
        world.auth.client.unary::<InviteUserAgain>(&meta, request).await.unwrap();
    }
    world.all_mail_is_sent().await;
    assert_eq!(world.mail_files(NIA).len(), 2);
}

async fn a_lost_mail_is_sent_again_and_the_old_link_ends(world: &World) {
    let user = invite(world, NIA).await.unwrap();
    let old = token(world, NIA).await;
    again(world, &user.id).await.unwrap();
    let new = world.mails(NIA, 2).await.pop().unwrap().token().to_owned();
    assert_eq!(code(accept(world, &old).await), ErrorCode::Gone);
    accept(world, &new).await.unwrap();
    // There is nothing to invite to any more.
    assert_eq!(code(again(world, &user.id).await), ErrorCode::Conflict);
    assert_eq!(code(again(world, &UserId::new().to_string()).await), ErrorCode::NotFound);
    world.login(NIA, PASSWORD).await.unwrap();
}

async fn whoever_registered_the_address_before_has_no_part_in_it(world: &World) {
    world.register(NIA).await.unwrap();
    let registered = world.last_mail(NIA).await.token().to_owned();
    let id = world.superadmin().await;
    let request = ListUsersRequest { search: NIA.to_owned(), ..Default::default() };
    let listed = world.call_as::<proto::rpc::users::ListUsers>(&id, request).await.unwrap().users;
    again(world, &listed[0].id).await.unwrap();
    let invited = world.mails(NIA, 2).await.pop().unwrap().token().to_owned();
    accept_with(world, &invited, "the owner's own words", None).await.unwrap();
    // The link of the registration changes nothing any more.
    world.verify(&registered).await.unwrap();
    assert_eq!(code(world.login(NIA, PASSWORD).await), ErrorCode::InvalidCredentials);
    world.call::<proto::rpc::sessions::Login>(login(NIA, "the owner's own words")).await.unwrap();

    // And the other way round: an account that was confirmed by its registration is not taken over.
    invite(world, "una@example.com").await.unwrap();
    let invited = token(world, "una@example.com").await;
    world.clock.advance(Duration::from_secs(1));
    world.register("una@example.com").await.unwrap();
    let registered = world.mails("una@example.com", 2).await.pop().unwrap().token().to_owned();
    world.verify(&registered).await.unwrap();
    assert_eq!(code(accept_with(world, &invited, "another good password", None).await), ErrorCode::Gone);
    world.login("una@example.com", PASSWORD).await.unwrap();
}

async fn the_deactivated_cannot_accept(world: &World) {
    let (user, root) = (invite(world, NIA).await.unwrap(), world.superadmin().await);
    let token = token(world, NIA).await;
    let id = user.id.clone();
    world.call_as::<DeactivateUser>(&root, DeactivateUserRequest { id: id.clone() }).await.unwrap();
    assert_eq!(code(accept(world, &token).await), ErrorCode::Gone);
    assert_eq!(code(again(world, &id).await), ErrorCode::Conflict);
    let back = UpdateUserRequest { id: id.clone(), is_active: Some(true), ..Default::default() };
    world.call_as::<UpdateUser>(&root, back).await.unwrap();
    assert_eq!(code(accept(world, &token).await), ErrorCode::Gone);
    assert!(!world.call_as::<GetUser>(&root, GetUserRequest { id }).await.unwrap().email_verified);
}

async fn every_step_is_recorded(world: &World) {
    let user = invite(world, NIA).await.unwrap();
    again(world, &user.id).await.unwrap();
    let token = world.mails(NIA, 2).await.pop().unwrap().token().to_owned();
    accept(world, &token).await.unwrap();
    let root = world.superadmin().await.user.unwrap().id;
    for (action, actor) in [("user_created", &root), ("user_invited", &root), ("invitation_accepted", &user.id)] {
        let entry = world.audit_log.eventually(action, 1, DEADLINE).await.pop().unwrap();
        assert_eq!((entry.actor_kind.as_str(), &entry.actor_id), ("user", actor), "{action}");
        assert_eq!((entry.subject_kind.as_str(), &entry.subject_id), ("user", &user.id), "{action}");
        let written = serde_json::to_string(&entry).unwrap();
        assert!(!written.contains('@') && !written.contains("Nia") && !written.contains(&token), "{written}");
    }
}
