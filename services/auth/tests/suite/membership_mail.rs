//! Mail that tenancy asks for: who is invited into an organisation, or was added to it.

use crate::world::{World, code};
use callfairy_core::{Clock as _, ErrorCode, Id};
use proto::auth::{MembershipNews, SendMembershipMailRequest};
use proto::rpc::membership_mail::SendMembershipMail;
use std::time::Duration;

testkit::on_both!(
    the_invited_read_by_whom_and_into_what,
    new_members_are_told,
    one_id_is_one_mail,
    what_has_run_out_is_not_mailed,
    what_cannot_be_mailed_to_is_refused,
);

const NIA: &str = "nia@example.com";
const A_DAY: Duration = Duration::from_hours(24);

fn request(world: &World, news: MembershipNews) -> SendMembershipMailRequest {
    SendMembershipMailRequest {
        id: Id::<()>::new().to_string(),
        news: news.into(),
        email: NIA.to_owned(),
        name: "Nia".to_owned(),
        organisation_name: "Acme <Dental> & Sons".to_owned(),
        invited_by_name: "Robin\r\nBcc: eve@example.com".to_owned(),
        expires_at: Some(world.clock.now().plus(A_DAY).into()),
    }
}

async fn the_invited_read_by_whom_and_into_what(world: &World) {
    world.asks::<SendMembershipMail>(request(world, MembershipNews::Invited)).await.unwrap();
    let mail = world.mails(NIA, 1).await.pop().unwrap();
    assert_eq!(mail.subject(), "You are invited to join an organisation");
    assert_eq!(mail.link(), "https://calls.example.com/app/register");
    let words =
        "Hello Nia,\n\nRobin Bcc: eve@example.com has invited you to join \"Acme <Dental> & Sons\" at CallFairy.\n";
    assert!(mail.text.starts_with(words), "{}", mail.text);
    assert!(mail.text.contains("until 2 January 2026, 12:00 UTC"), "{}", mail.text);
    assert!(mail.html.contains("&quot;Acme &lt;Dental&gt; &amp; Sons&quot;"), "{}", mail.html);
    assert!(mail.html.contains("<a href=\"https://calls.example.com/app/register\">"), "{}", mail.html);
    assert!(!mail.headers.contains_key("bcc"));
    // What it told is forgotten.
    world.all_mail_is_sent().await;
    assert_eq!(world.count("mails WHERE membership IS NOT NULL").await, 0);
}

async fn new_members_are_told(world: &World) {
    let nameless = SendMembershipMailRequest {
        name: String::new(),
        invited_by_name: String::new(),
        ..request(world, MembershipNews::Added)
    };
    world.asks::<SendMembershipMail>(nameless).await.unwrap();
    let mail = world.mails(NIA, 1).await.pop().unwrap();
    assert_eq!(mail.subject(), "You were added to an organisation");
    assert_eq!(mail.link(), "https://calls.example.com/app/login");
    assert!(mail.text.starts_with("Hello,\n\nSomebody has added you to \"Acme <Dental> & Sons\""), "{}", mail.text);
}

async fn one_id_is_one_mail(world: &World) {
    let asked = request(world, MembershipNews::Invited);
    world.asks::<SendMembershipMail>(asked.clone()).await.unwrap();
    world.mails(NIA, 1).await;
    world.all_mail_is_sent().await;
    // Whoever asked has not heard the answer.
    for _ in 0..2 {
        world.asks::<SendMembershipMail>(asked.clone()).await.unwrap();
    }
    assert_eq!(world.count("mails WHERE kind = 'membership_invited'").await, 1);
    world.asks::<SendMembershipMail>(request(world, MembershipNews::Invited)).await.unwrap();
    world.mails(NIA, 2).await;
}

async fn what_has_run_out_is_not_mailed(world: &World) {
    let late = request(world, MembershipNews::Invited);
    world.clock.advance(A_DAY);
    world.asks::<SendMembershipMail>(late).await.unwrap();
    assert_eq!(world.count("mails WHERE kind = 'membership_invited'").await, 0);
}

async fn what_cannot_be_mailed_to_is_refused(world: &World) {
    let good = request(world, MembershipNews::Invited);
    for (field, bad) in [
        ("email", SendMembershipMailRequest { email: "nia@example.com\r\nBcc: eve@e.com".to_owned(), ..good.clone() }),
        ("news", SendMembershipMailRequest { news: 0, ..good.clone() }),
        ("organisation_name", SendMembershipMailRequest { organisation_name: String::new(), ..good.clone() }),
        ("expires_at", SendMembershipMailRequest { expires_at: None, ..good.clone() }),
    ] {
        let problem = world.asks::<SendMembershipMail>(bad).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, field));
    }
    let root = world.superadmin().await;
    assert_eq!(code(world.call_as::<SendMembershipMail>(&root, good).await), ErrorCode::PermissionDenied);
}
