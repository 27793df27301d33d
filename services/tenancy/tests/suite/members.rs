//! Who is a member, and what that gives.

use crate::world::{World, account, assignment, code, keys, nobody};
use callfairy_core::{Clock, ErrorCode, Problem, UserId};
use proto::Permission::{self, CreateUsers, DeleteUsers, MakeCalls, ViewCalls, ViewUsers};
use proto::auth::Role;
use proto::rpc::access::GetMyAccess;
use proto::rpc::members::{AddMember, ListMembers, RemoveMember};
use proto::rpc::organisations::{GetOrganisation, ListOrganisations};
use proto::tenancy::*;
use std::time::Duration;

testkit::on_both!(
    tells_who_the_members_are,
    lists_in_pages,
    lists_the_organisations_own_only,
    sees_its_organisations_and_no_others,
    an_assignment_suspends_memberships,
    what_is_deactivated_gives_no_access,
    ends_a_membership,
    removes_nobody_elses_members,
    needs_the_permissions,
    the_guard_follows,
);

async fn list(world: &World, caller: UserId, request: ListMembersRequest) -> ListMembersResponse {
    world.call::<ListMembers>(caller, request).await.unwrap()
}

fn of(organisation: &str) -> ListMembersRequest {
    ListMembersRequest { organisation_id: organisation.to_owned(), ..Default::default() }
}

async fn remove(world: &World, caller: UserId, organisation: &str, user: &str) -> Result<(), Problem> {
    let request = RemoveMemberRequest { organisation_id: organisation.to_owned(), user_id: user.to_owned() };
    world.call::<RemoveMember>(caller, request).await.map(|_| ())
}

/// The names of the organisations that a list shows.
async fn seen(world: &World, user: UserId) -> Vec<String> {
    let page = world.call::<ListOrganisations>(user, ListOrganisationsRequest::default()).await.unwrap();
    page.organisations.into_iter().map(|organisation| organisation.name).collect()
}

async fn tells_who_the_members_are(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let una = world.member("Una", &acme).await;
    world.grant(una, &[ViewCalls]).await;
    let joined_first = world.clock.now();
    world.clock.advance(Duration::from_mins(1));
    let ada = world.member("Ada", &acme).await;
    world.report_assignment(assignment(ada, &globex, &[ViewCalls])).await;
    world.invite(&acme, "root@example.com").await;

    let member = |user: UserId, name: &str, role: Role, permissions: &[Permission]| Member {
        user_id: user.to_string(),
        name: name.to_owned(),
        email: format!("{}@example.com", name.to_lowercase()),
        role: role.into(),
        joined_at: Some(world.clock.now().into()),
        permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
        ..Default::default()
    };
    let every: Vec<_> = proto::PERMISSIONS.iter().map(|info| info.permission).collect();
    let first = Member {
        joined_at: Some(joined_first.into()),
        ..member(una, "Una", Role::User, &[Permission::ViewOrganisations, ViewCalls])
    };
    let mut later = [
        // What members may here: nothing while they are agents elsewhere, everything as superadmins.
        member(ada, "Ada", Role::Agent, &[]),
        member(world.superadmin, "Root", Role::Superadmin, &every),
    ];
    later.sort_by(|a, b| a.user_id.cmp(&b.user_id));
    let expected = [&[first][..], &later].concat();
    assert_eq!(list(world, world.superadmin, of(&acme)).await.members, expected);

    // Adding somebody again changes nothing.
    world.clock.advance(Duration::from_mins(1));
    world.invite(&acme, "una@example.com").await;
    let again = list(world, world.superadmin, of(&acme)).await;
    assert_eq!(again.members.len(), 3);
    assert_eq!(again.members[0].joined_at, Some(joined_first.into()));
    // The organisation's agent is none of its members unless it was made one.
    assert_eq!(list(world, world.superadmin, of(&globex)).await.members, []);
}

async fn lists_in_pages(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(world.member(&format!("User{number}"), &acme).await.to_string());
        // Some of them join at the same instant.
        world.clock.advance(Duration::from_micros(number % 2));
    }
    for page_size in [1, 3, 7, 0] {
        let (mut seen, mut page_token) = (vec![], String::new());
        loop {
            let page = list(world, world.superadmin, ListMembersRequest { page_size, page_token, ..of(&acme) }).await;
            assert!(page_size == 0 || page.members.len() <= page_size as usize);
            seen.extend(page.members.into_iter().map(|member| member.user_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {page_size}");
    }
    for (page_size, page_token, field) in [(201, "", "page_size"), (1, "junk", "page_token")] {
        let request = ListMembersRequest { page_size, page_token: page_token.to_owned(), ..of(&acme) };
        let problem = world.call::<ListMembers>(world.superadmin, request).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, field));
    }
}

async fn lists_the_organisations_own_only(world: &World) {
    let (own, foreign) = (world.organisation("Own").await.id, world.organisation("Foreign").await.id);
    let manager = world.agent("Max", &own, &[ViewUsers]).await;
    let una = world.member("Una", &own).await;
    for name in ["Cleo", "Cora"] {
        world.member(name, &foreign).await;
    }
    let members = list(world, manager, of(&own)).await.members;
    assert_eq!(members.iter().map(|member| member.user_id.as_str()).collect::<Vec<_>>(), [una.to_string()]);
    assert_eq!(world.call::<ListMembers>(manager, of(&foreign)).await.unwrap_err(), Problem::not_found());
    assert_eq!(world.call::<ListMembers>(manager, of(&nobody())).await.unwrap_err(), Problem::not_found());
    // A page token of the foreign list leads to the own one.
    let first = list(world, world.superadmin, ListMembersRequest { page_size: 1, ..of(&foreign) }).await;
    let next = ListMembersRequest { page_token: first.next_page_token, ..of(&own) };
    assert!(list(world, manager, next).await.members.iter().all(|member| member.user_id == una.to_string()));
}

async fn sees_its_organisations_and_no_others(world: &World) {
    let (acme, zenith) = (world.organisation("Acme").await, world.organisation("Zenith").await);
    let foreign = world.organisation("Foreign").await.id;
    let user = world.member("Una", &zenith.id).await;
    world.invite(&acme.id, "una@example.com").await;
    assert_eq!(seen(world, user).await, ["Acme", "Zenith"]);
    let get = |id: &str| GetOrganisationRequest { organisation_id: id.to_owned() };
    assert_eq!(world.call::<GetOrganisation>(user, get(&acme.id)).await.unwrap().name, "Acme");
    assert_eq!(world.call::<GetOrganisation>(user, get(&foreign)).await.unwrap_err(), Problem::not_found());

    let access = |of: &Organisation| OrganisationAccess {
        organisation_id: of.id.clone(),
        name: of.name.clone(),
        relation: Relation::Member.into(),
        permissions: vec![Permission::ViewOrganisations.into()],
    };
    let mine =
        MyAccess { role: Role::User.into(), organisations: vec![access(&acme), access(&zenith)], is_superadmin: false };
    assert_eq!(world.call::<GetMyAccess>(user, GetMyAccessRequest {}).await.unwrap(), mine);

    // Who may change them sees that.
    world.grant(user, &[Permission::ManageOrganisation]).await;
    let page = world.call::<ListOrganisations>(user, ListOrganisationsRequest::default()).await.unwrap();
    assert!(page.organisations.iter().all(|organisation| organisation.can_manage));
}

async fn an_assignment_suspends_memberships(world: &World) {
    let (joined, own) = (world.organisation("Joined").await.id, world.organisation("Own").await.id);
    let user = world.member("Una", &joined).await;
    world.invite(&own, "una@example.com").await;
    world.grant(user, &[ViewCalls]).await;
    let relation = async |organisation: &str| {
        let snapshot = world.snapshot(user, organisation).await;
        (snapshot.relation(), keys(&snapshot).len())
    };
    assert_eq!(relation(&joined).await, (Relation::Member, 2));

    let fact = assignment(user, &own, &[MakeCalls]);
    world.report_assignment(fact.clone()).await;
    assert_eq!(relation(&joined).await, (Relation::Unspecified, 0));
    assert_eq!(relation(&own).await, (Relation::Agent, 3));
    assert_eq!(seen(world, user).await, ["Own"]);
    let mine = world.call::<GetMyAccess>(user, GetMyAccessRequest {}).await.unwrap();
    assert_eq!((mine.role(), mine.organisations.len()), (Role::Agent, 1));
    assert_eq!(mine.organisations[0].relation(), Relation::Agent);

    world.report_assignment(AssignmentFact { version: 2, is_active: false, ..fact }).await;
    assert_eq!(relation(&joined).await, (Relation::Member, 2));
    assert_eq!(relation(&own).await, (Relation::Member, 2));
    assert_eq!(seen(world, user).await, ["Joined", "Own"]);
}

async fn what_is_deactivated_gives_no_access(world: &World) {
    let (open, closed) = (world.organisation("Open").await.id, world.organisation("Closed").await.id);
    let user = world.member("Una", &open).await;
    world.invite(&closed, "una@example.com").await;
    world.grant(user, &[ViewCalls]).await;
    world.deactivate(&closed).await;
    let snapshot = world.snapshot(user, &closed).await;
    assert_eq!((snapshot.relation(), snapshot.permissions), (Relation::Unspecified, 0));
    assert_eq!(seen(world, user).await, ["Open"]);
    assert_eq!(world.call::<GetMyAccess>(user, GetMyAccessRequest {}).await.unwrap().organisations.len(), 1);

    world.report_account(AccountFact { version: 2, is_active: false, ..account(user, "Una") }).await;
    assert_eq!(world.snapshot(user, &open).await, AccessSnapshot::default());
    let members = list(world, world.superadmin, of(&open)).await.members;
    assert_eq!((members.len(), members[0].permissions.len()), (1, 0));
}

async fn ends_a_membership(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let manager = world.agent("Max", &acme, &[DeleteUsers]).await;
    let user = world.member("Una", &acme).await;
    world.invite(&globex, "una@example.com").await;
    remove(world, manager, &acme, &user.to_string()).await.unwrap();
    assert_eq!(world.snapshot(user, &acme).await.relation(), Relation::Unspecified);
    assert_eq!(world.snapshot(user, &globex).await.relation(), Relation::Member);
    assert_eq!(list(world, world.superadmin, of(&acme)).await.members, []);
    assert_eq!(remove(world, manager, &acme, &user.to_string()).await, Err(Problem::not_found()));
    // Whoever is invited again is back.
    world.invite(&acme, "una@example.com").await;
    assert_eq!(world.snapshot(user, &acme).await.relation(), Relation::Member);
    // A membership is a row like any other, whoever has it.
    world.invite(&acme, "root@example.com").await;
    remove(world, manager, &acme, &world.superadmin.to_string()).await.unwrap();
    assert!(world.snapshot(world.superadmin, &acme).await.is_superadmin);
}

async fn removes_nobody_elses_members(world: &World) {
    let (own, foreign) = (world.organisation("Own").await.id, world.organisation("Foreign").await.id);
    let manager = world.agent("Max", &own, &[DeleteUsers]).await;
    let (canary, stranger) = (world.member("Cleo", &foreign).await, world.user("Sam").await);
    for user in [canary.to_string(), stranger.to_string(), nobody()] {
        for organisation in [&own, &foreign, &nobody()] {
            assert_eq!(remove(world, manager, organisation, &user).await, Err(Problem::not_found()));
        }
    }
    assert_eq!(code(remove(world, manager, &own, "una").await), ErrorCode::InvalidArgument);
    assert_eq!(list(world, world.superadmin, of(&foreign)).await.members.len(), 1);
}

async fn needs_the_permissions(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let user = world.member("Una", &acme).await;
    let add =
        AddMemberRequest { organisation_id: acme.clone(), email: "new@example.com".to_owned(), ..Default::default() };
    let outcomes = async |caller: UserId| {
        [
            world.call::<ListMembers>(caller, of(&acme)).await.err(),
            world.call::<AddMember>(caller, add.clone()).await.err(),
            remove(world, caller, &acme, &nobody()).await.err(),
        ]
    };
    let denied = |key: &str| Some(Problem::permission_denied(key));
    let nothing = [denied("view_users"), denied("create_users"), denied("delete_users")];
    assert_eq!(outcomes(user).await, nothing);
    let helper = world.member("Hal", &acme).await;
    world.grant(helper, &[ViewUsers, CreateUsers, DeleteUsers]).await;
    assert_eq!(outcomes(helper).await, [None, None, Some(Problem::not_found())]);
}

/// Also for somebody whom it has just let in, or turned away.
async fn the_guard_follows(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let user = world.member("Una", &acme).await;
    // One session: another one would be another caller to the guard.
    let session = world.signed_in(user);
    let outcome = async || {
        let answer = world.tenancy.unary::<ListMembers>(&session, of(&acme)).await;
        answer.err().map(|problem| problem.code)
    };
    assert_eq!(outcome().await, Some(ErrorCode::PermissionDenied));
    world.grant(user, &[ViewUsers]).await;
    // The very next request.
    assert_eq!(outcome().await, None);
    remove(world, world.superadmin, &acme, &user.to_string()).await.unwrap();
    assert_eq!(outcome().await, Some(ErrorCode::NotFound));
}
