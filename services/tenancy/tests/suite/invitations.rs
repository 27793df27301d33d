//! The mail that goes with invitations, and the invitations that wait.

use crate::post::Mood;
use crate::world::{DEADLINE, World, account, code};
use access::Meta;
use callfairy_core::{Clock as _, ErrorCode, Id, Problem, UserId};
use proto::auth::{MembershipNews, SendMembershipMailRequest};
use proto::rpc::member_invitations::{ListInvitations, WithdrawInvitation};
use proto::rpc::members::AddMember;
use proto::tenancy::*;
use std::collections::BTreeSet;
use std::time::Duration;

testkit::on_both!(
    whoever_is_invited_gets_a_mail,
    a_new_member_gets_a_mail_and_an_old_one_none,
    a_mail_waits_for_auth,
    a_mail_whose_answer_is_lost_keeps_its_id,
    a_mail_that_auth_never_takes_keeps_none_back,
    those_that_wait_are_listed,
    a_withdrawn_one_makes_nobody_a_member,
    another_organisation_s_are_unknown,
);

const WAITS: Duration = Duration::from_hours(7 * 24);
const A_MINUTE: Duration = Duration::from_mins(1);

async fn mails(world: &World, count: usize) -> Vec<SendMembershipMailRequest> {
    let asked = async || Some(world.post.asked()).filter(|asked| asked.len() >= count);
    testkit::eventually("auth was asked for the mails", DEADLINE, asked).await;
    world.all_is_recorded().await;
    let asked = world.post.asked();
    assert_eq!(asked.len(), count, "{asked:?}");
    asked
}

async fn list(world: &World, organisation: &str) -> Vec<Invitation> {
    let request = ListInvitationsRequest { organisation_id: organisation.to_owned(), ..Default::default() };
    world.call::<ListInvitations>(world.superadmin, request).await.unwrap().invitations
}

async fn withdraw(world: &World, organisation: &str, id: &str) -> Result<(), Problem> {
    let request = WithdrawInvitationRequest { organisation_id: organisation.to_owned(), id: id.to_owned() };
    world.call::<WithdrawInvitation>(world.superadmin, request).await.map(drop)
}

async fn is_member(world: &World, user: UserId, organisation: &str) -> bool {
    world.snapshot(user, organisation).await.relation() == Relation::Member
}

async fn whoever_is_invited_gets_a_mail(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let request =
        AddMemberRequest { organisation_id: acme.clone(), email: "Nia@example.com".to_owned(), name: "Nia".to_owned() };
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(world.superadmin) };
    for _ in 0..2 {
        world.tenancy.unary::<AddMember>(&meta, request.clone()).await.unwrap();
    }
    let mail = mails(world, 1).await.remove(0);
    let expected = SendMembershipMailRequest {
        id: mail.id.clone(),
        news: MembershipNews::Invited.into(),
        email: "Nia@example.com".to_owned(),
        name: "Nia".to_owned(),
        organisation_name: "Acme".to_owned(),
        invited_by_name: "Root".to_owned(),
        expires_at: Some(world.clock.now().plus(WAITS).into()),
    };
    assert_eq!(mail, expected);
    // Another invitation is another mail.
    world.invite(&acme, "nia@example.com").await;
    let ids: BTreeSet<_> = mails(world, 2).await.into_iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 2);
    let names = AddMemberRequest { name: "Nia\r\nRoe".to_owned(), ..request };
    let problem = world.call::<AddMember>(world.superadmin, names).await.unwrap_err();
    assert_eq!(problem.fields[0].field, "name");
}

async fn a_new_member_gets_a_mail_and_an_old_one_none(world: &World) {
    let acme = world.organisation("Acme").await.id;
    world.user("Una").await;
    for _ in 0..2 {
        world.invite(&acme, "una@example.com").await;
    }
    // Whoever was invited by mail is not told again when their account comes.
    world.invite(&acme, "nia@example.com").await;
    world.user("Nia").await;
    let told: Vec<_> = mails(world, 2).await.iter().map(|mail| (mail.news(), mail.email.clone())).collect();
    let expected = [(MembershipNews::Added, "una@example.com"), (MembershipNews::Invited, "nia@example.com")];
    assert_eq!(told, expected.map(|(news, email)| (news, email.to_owned())));
}

async fn a_mail_waits_for_auth(world: &World) {
    let acme = world.organisation("Acme").await.id;
    world.post.is(Mood::Down);
    world.invite(&acme, "nia@example.com").await;
    let refused = async || (world.post.refused() > 0).then_some(());
    testkit::eventually("auth was asked", DEADLINE, refused).await;
    // The invitation is gone before the mail is: it has its own copy.
    world.user("Nia").await;
    assert!(list(world, &acme).await.is_empty());
    world.post.is(Mood::Well);
    assert_eq!(mails(world, 1).await[0].email, "nia@example.com");
}

/// As when tenancy dies after auth has done it: auth knows the mail by its id.
async fn a_mail_whose_answer_is_lost_keeps_its_id(world: &World) {
    let acme = world.organisation("Acme").await.id;
    world.post.is(Mood::Forgetful);
    world.invite(&acme, "nia@example.com").await;
    let mails = mails(world, 2).await;
    assert_eq!(mails[0], mails[1]);
}

async fn a_mail_that_auth_never_takes_keeps_none_back(world: &World) {
    let acme = world.organisation("Acme").await.id;
    world.post.is(Mood::Picky);
    world.invite(&acme, "nia@example.com").await;
    world.all_is_recorded().await;
    assert_eq!(world.post.refused(), 1);
    world.post.is(Mood::Well);
    world.invite(&acme, "una@example.com").await;
    assert_eq!(mails(world, 1).await[0].email, "una@example.com");
}

async fn those_that_wait_are_listed(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    world.invite(&acme, "old@example.com").await;
    world.invite(&globex, "other@example.com").await;
    world.clock.advance(A_MINUTE);
    for email in ["nia@example.com", "Una@example.com", "ida@example.com"] {
        world.invite(&acme, email).await;
    }
    // Invited again: one invitation, the newest.
    world.invite(&acme, "nia@example.com").await;
    world.user("Ida").await;
    let listed = list(world, &acme).await;
    let emails: Vec<_> = listed.iter().map(|invitation| invitation.email.as_str()).collect();
    assert_eq!(emails, ["nia@example.com", "Una@example.com", "old@example.com"]);
    assert_eq!(listed[0].invited_by, world.superadmin.to_string());
    assert_eq!(listed[0].expires_at, Some(world.clock.now().plus(WAITS).into()));
    let (mut paged, mut page_token) = (vec![], String::new());
    loop {
        let request = ListInvitationsRequest { organisation_id: acme.clone(), page_size: 2, page_token };
        let answer = world.call::<ListInvitations>(world.superadmin, request).await.unwrap();
        paged.extend(answer.invitations);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, listed);
    world.clock.advance(WAITS.saturating_sub(A_MINUTE));
    assert_eq!(list(world, &acme).await.len(), 2);
    assert_eq!(code(withdraw(world, &acme, &listed[2].id).await), ErrorCode::NotFound);
}

async fn a_withdrawn_one_makes_nobody_a_member(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    for organisation in [&acme, &globex] {
        world.invite(organisation, "nia@example.com").await;
    }
    let id = list(world, &acme).await[0].id.clone();
    withdraw(world, &acme, &id).await.unwrap();
    assert!(list(world, &acme).await.is_empty());
    assert_eq!(code(withdraw(world, &acme, &id).await), ErrorCode::NotFound);
    let nia = UserId::new();
    world.report_account(account(nia, "Nia")).await;
    assert!(!is_member(world, nia, &acme).await && is_member(world, nia, &globex).await);
    world.all_is_recorded().await;
    let entries = world.audited("invitation_withdrawn").await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    let subject = AuditSubject { kind: "invitation".to_owned(), id };
    assert_eq!((entry.organisation_id.as_ref(), entry.subject.as_ref()), (Some(&acme), Some(&subject)));
}

async fn another_organisation_s_are_unknown(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    world.invite(&globex, "nia@example.com").await;
    let theirs = list(world, &globex).await[0].id.clone();
    let unknown = Id::<()>::new().to_string();
    let told = [withdraw(world, &acme, &theirs).await, withdraw(world, &acme, &unknown).await];
    assert_eq!(told, [Err(Problem::not_found()), Err(Problem::not_found())]);
    assert_eq!(list(world, &globex).await.len(), 1);
    assert!(list(world, &acme).await.is_empty());
}
