//! What an organisation calls its members is its own.

use crate::world::{World, account, code, nobody};
use callfairy_core::{ErrorCode, Problem, UserId};
use proto::rpc::members::{ListMembers, RemoveMember, UpdateMember};
use proto::tenancy::*;

testkit::on_both!(
    counts_in_this_organisation_alone,
    changes_what_is_given_and_removes_what_is_empty,
    goes_with_the_membership,
    finds_members_of_its_own_only,
    takes_one_line_of_text,
    is_recorded_if_anything_was_asked_for,
);

fn change(organisation: &str, user: UserId) -> UpdateMemberRequest {
    UpdateMemberRequest { organisation_id: organisation.to_owned(), user_id: user.to_string(), ..Default::default() }
}

async fn update(world: &World, request: UpdateMemberRequest) -> Result<Member, Problem> {
    world.call::<UpdateMember>(world.superadmin, request).await
}

fn named(name: &str, request: UpdateMemberRequest) -> UpdateMemberRequest {
    UpdateMemberRequest { name: Some(name.to_owned()), ..request }
}

/// The only member.
async fn shown(world: &World, organisation: &str) -> Member {
    let request = ListMembersRequest { organisation_id: organisation.to_owned(), ..Default::default() };
    let mut members = world.call::<ListMembers>(world.superadmin, request).await.unwrap().members;
    assert_eq!(members.len(), 1);
    members.remove(0)
}

async fn counts_in_this_organisation_alone(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let una = world.member("Una", &acme).await;
    world.invite(&globex, "una@example.com").await;
    let before = shown(world, &globex).await;
    let request = UpdateMemberRequest {
        job_title: Some("Nurse".to_owned()),
        phone: Some("42".to_owned()),
        ..named(" Una at Acme ", change(&acme, una))
    };
    let changed = update(world, request).await.unwrap();
    let said = (changed.name.as_str(), changed.job_title.as_deref(), changed.phone.as_deref());
    assert_eq!(said, ("Una at Acme", Some("Nurse"), Some("42")));
    assert_eq!(shown(world, &acme).await, changed);
    assert_eq!(shown(world, &globex).await, before);
    // The account's owner calls themselves otherwise: that is seen where the organisation has no name of its own.
    world.report_account(AccountFact { version: 2, name: "Una Q.".to_owned(), ..account(una, "Una") }).await;
    assert_eq!((shown(world, &acme).await, shown(world, &globex).await.name), (changed, "Una Q.".to_owned()));
}

async fn changes_what_is_given_and_removes_what_is_empty(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let una = world.member("Una", &acme).await;
    update(world, named("Una at Acme", change(&acme, una))).await.unwrap();
    let phone = UpdateMemberRequest { phone: Some("42".to_owned()), ..change(&acme, una) };
    let member = update(world, phone).await.unwrap();
    assert_eq!((member.name.as_str(), member.phone.as_deref()), ("Una at Acme", Some("42")));
    assert_eq!(update(world, change(&acme, una)).await.unwrap(), member);
    let none = UpdateMemberRequest { phone: Some(String::new()), ..named(" ", change(&acme, una)) };
    let member = update(world, none).await.unwrap();
    assert_eq!((member.name.as_str(), member.phone), ("Una", None));
}

async fn goes_with_the_membership(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let una = world.member("Una", &acme).await;
    update(world, named("Una at Acme", change(&acme, una))).await.unwrap();
    let request = RemoveMemberRequest { organisation_id: acme.clone(), user_id: una.to_string() };
    world.call::<RemoveMember>(world.superadmin, request).await.unwrap();
    world.invite(&acme, "una@example.com").await;
    assert_eq!(shown(world, &acme).await.name, "Una");
}

async fn finds_members_of_its_own_only(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let theirs = world.member("Una", &globex).await;
    let unknown = nobody().parse().unwrap();
    for user in [theirs, unknown, world.user("Ida").await] {
        assert_eq!(update(world, named("Taken", change(&acme, user))).await, Err(Problem::not_found()));
        assert_eq!(update(world, change(&acme, user)).await, Err(Problem::not_found()));
    }
    assert_eq!(shown(world, &globex).await.name, "Una");
    let plain = world.member("Mia", &acme).await;
    let answer = world.call::<UpdateMember>(plain, named("Me", change(&acme, plain))).await;
    assert_eq!(answer, Err(Problem::permission_denied("edit_users")));
}

async fn takes_one_line_of_text(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let una = world.member("Una", &acme).await;
    for bad in ["two\nlines".to_owned(), "n".repeat(201)] {
        let problem = update(world, named(&bad, change(&acme, una))).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "name"));
    }
    let phone = UpdateMemberRequest { phone: Some("4".repeat(41)), ..change(&acme, una) };
    assert_eq!(code(update(world, phone).await), ErrorCode::InvalidArgument);
}

async fn is_recorded_if_anything_was_asked_for(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let una = world.member("Una", &acme).await;
    update(world, change(&acme, una)).await.unwrap();
    let title = UpdateMemberRequest { job_title: Some("Nurse".to_owned()), ..named("Una N.", change(&acme, una)) };
    update(world, title).await.unwrap();
    world.all_is_recorded().await;
    let entries = world.audited("member_changed").await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    let subject = AuditSubject { kind: "user".to_owned(), id: una.to_string() };
    assert_eq!((entry.organisation_id.as_ref(), entry.subject.as_ref()), (Some(&acme), Some(&subject)));
    assert_eq!(entry.details["fields"], "name,job_title");
}
