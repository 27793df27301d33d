//! Making somebody the agent of an organisation.

use crate::world::{World, assignment, code, nobody, refused};
use access::Meta;
use callfairy_core::{Clock, ErrorCode, OrganisationId, Problem, UserId};
use proto::Permission::{self, CreateContacts, ManageOrganisation, ViewCalls, ViewContacts, ViewReports, ViewUsers};
use proto::agent::{Agent, AssignAgentRequest, Package};
use proto::rpc::agents::AssignAgent;
use proto::types::{OrganisationRef, UserRef};
use std::time::Duration;

testkit::on_both!(
    answers_the_whole_assignment,
    gives_what_is_asked_for,
    refuses_what_it_cannot_give,
    refuses_whom_nobody_knows,
    replaces_the_organisations_agent,
    replaces_the_users_assignment,
    replaces_both_at_once,
    assigns_once_for_one_key,
);

async fn answers_the_whole_assignment(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    let permissions = [ManageOrganisation, ViewUsers, ViewReports, ViewContacts, ViewCalls, CreateContacts];
    let mut permissions: Vec<i32> = permissions.map(Into::into).into();
    permissions.sort_unstable();
    let expected = Agent {
        id: agent.id.clone(),
        user: Some(UserRef { id: ada.to_string(), name: "Ada".to_owned(), email: "ada@example.com".to_owned() }),
        organisation: Some(OrganisationRef { id: acme.to_string(), name: "Acme".to_owned() }),
        package: Package::Standard.into(),
        permissions: permissions.clone(),
        is_active: true,
        assigned_at: Some(world.clock.now().into()),
        assigned_by: world.superadmin.to_string(),
        revoked_at: None,
        revoked_by: None,
    };
    assert_eq!(agent, expected);
    assert_eq!(world.get(&agent.id).await, agent);
    let fact = world.neighbours.with(|known| known.facts[&agent.id].clone());
    assert_eq!((fact.user_id, fact.organisation_id), (ada.to_string(), acme.to_string()));
    assert_eq!((fact.is_active, fact.permissions), (true, permissions));
}

fn asking(world: &World, package: Package, permissions: &[Permission]) -> AssignAgentRequest {
    AssignAgentRequest {
        package: package.into(),
        permissions: permissions.iter().copied().map(Into::into).collect(),
        ..assignment(world.user("Ada"), world.organisation("Acme"))
    }
}

async fn gives_what_is_asked_for(world: &World) {
    let basic = &[ManageOrganisation, ViewUsers, ViewReports][..];
    for (package, permissions, named, number) in [
        (Package::Basic, &[][..], Package::Basic, 3),
        (Package::Advanced, &[], Package::Advanced, 10),
        (Package::Unspecified, &[ViewCalls], Package::Custom, 1),
        (Package::Custom, &[ViewCalls, ViewUsers, ViewCalls], Package::Custom, 2),
        // A list that is a package is that package.
        (Package::Custom, basic, Package::Basic, 3),
    ] {
        let agent = world.ask::<AssignAgent>(asking(world, package, permissions)).await.unwrap();
        assert_eq!((agent.package(), agent.permissions.len()), (named, number));
    }
}

async fn refuses_what_it_cannot_give(world: &World) {
    for (package, permissions, expected, field) in [
        (Package::Basic, &[ViewCalls][..], ErrorCode::InvalidArgument, "permissions"),
        (Package::Custom, &[], ErrorCode::InvalidArgument, "permissions"),
        (Package::Unspecified, &[ViewCalls, Permission::Unspecified], ErrorCode::InvalidArgument, "permissions[1]"),
        (Package::Custom, &[ViewCalls, Permission::ManageAgents], ErrorCode::PermissionNotGrantable, "permissions[1]"),
    ] {
        let answer = world.ask::<AssignAgent>(asking(world, package, permissions)).await;
        assert_eq!(refused(answer), (expected, field.to_owned()));
    }
    let unknown = AssignAgentRequest { package: 77, ..asking(world, Package::Unspecified, &[]) };
    assert_eq!(refused(world.ask::<AssignAgent>(unknown).await), (ErrorCode::InvalidArgument, "package".to_owned()));
    for info in proto::PERMISSIONS.iter().filter(|info| info.system) {
        let problem = world.ask::<AssignAgent>(asking(world, Package::Custom, &[info.permission])).await.unwrap_err();
        assert_eq!(problem.permission.as_deref(), Some(info.key));
    }
    assert_eq!(world.agents(true).await, []);
    assert!(world.neighbours.with(|known| known.reports.is_empty()));
}

async fn refuses_whom_nobody_knows(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let (fired, closed) = (world.user("Fay"), world.organisation("Closed"));
    world.neighbours.with(|known| {
        known.users.get_mut(&fired).unwrap().is_active = false;
        known.organisations.get_mut(&closed).unwrap().is_active = false;
    });
    for (user, organisation, problem) in [
        (UserId::new(), acme, Problem::field("user_id", "is not known")),
        (fired, acme, Problem::field("user_id", "is not active")),
        (ada, OrganisationId::new(), Problem::field("organisation_id", "is not known")),
        (ada, closed, Problem::field("organisation_id", "is not active")),
    ] {
        assert_eq!(world.ask::<AssignAgent>(assignment(user, organisation)).await, Err(problem));
    }
    let malformed = AssignAgentRequest { user_id: "7".to_owned(), ..assignment(ada, acme) };
    assert_eq!(refused(world.ask::<AssignAgent>(malformed).await).1, "user_id");
    assert_eq!(world.agents(true).await, []);
}

/// As it stands after it was replaced, or revoked, just now.
fn ended(world: &World, agent: Agent) -> Agent {
    Agent {
        is_active: false,
        revoked_at: Some(world.clock.now().into()),
        revoked_by: Some(world.superadmin.to_string()),
        ..agent
    }
}

async fn replaces_the_organisations_agent(world: &World) {
    let acme = world.organisation("Acme");
    let first = world.assign(world.user("Ada"), acme).await;
    world.clock.advance(Duration::from_mins(1));
    let second = world.assign(world.user("Bo"), acme).await;
    assert_eq!(world.agents(true).await, std::slice::from_ref(&second));
    assert_eq!(world.agents(false).await, [ended(world, first.clone())]);
    assert_eq!((world.known_active(&first), world.known_active(&second)), (Some(false), Some(true)));
}

async fn replaces_the_users_assignment(world: &World) {
    let ada = world.user("Ada");
    let first = world.assign(ada, world.organisation("Acme")).await;
    world.clock.advance(Duration::from_mins(1));
    let second = world.assign(ada, world.organisation("Globex")).await;
    assert_eq!(world.agents(true).await, std::slice::from_ref(&second));
    assert_eq!(world.agents(false).await, [ended(world, first.clone())]);
    assert_eq!((world.known_active(&first), world.known_active(&second)), (Some(false), Some(true)));
}

async fn replaces_both_at_once(world: &World) {
    let (ada, bo) = (world.user("Ada"), world.user("Bo"));
    let (acme, globex) = (world.organisation("Acme"), world.organisation("Globex"));
    let bystander = world.assign(world.user("Cy"), world.organisation("Initech")).await;
    let (first, second) = (world.assign(ada, acme).await, world.assign(bo, globex).await);
    let third = world.assign(ada, globex).await;
    let active = world.agents(true).await;
    assert_eq!(active, [third.clone(), bystander]);
    assert_eq!(world.agents(false).await, [ended(world, second.clone()), ended(world, first.clone())]);
    for agent in [&first, &second] {
        assert_eq!(world.known_active(agent), Some(false));
    }
    // The same again is a new assignment.
    let again = world.assign(ada, globex).await;
    assert_ne!(again.id, third.id);
    assert!(!world.get(&third.id).await.is_active);
}

async fn assigns_once_for_one_key(world: &World) {
    let meta = |key: &str| Meta { idempotency_key: Some(key.to_owned()), ..world.signed_in(world.superadmin) };
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let assign = async |key: &str, request| world.agent.unary::<AssignAgent>(&meta(key), request).await;

    let first = assign("one", assignment(ada, acme)).await.unwrap();
    assert_eq!(assign("one", assignment(ada, acme)).await, Ok(first.clone()));
    let other = AssignAgentRequest { package: Package::Basic.into(), ..assignment(ada, acme) };
    assert_eq!(code(assign("one", other).await), ErrorCode::IdempotencyKeyReused);
    assert_eq!((world.agents(true).await.len(), world.agents(false).await.len()), (1, 0));

    // What was answered is answered, whatever has become of the two since.
    world.neighbours.with(|known| known.users.clear());
    world.neighbours.with(|known| known.organisations.clear());
    let root = proto::auth::User { id: world.superadmin.to_string(), is_active: true, ..Default::default() };
    world.neighbours.with(|known| known.users.insert(world.superadmin, root));
    assert_eq!(assign("one", assignment(ada, acme)).await, Ok(first));
    assert_eq!(refused(assign("two", assignment(ada, acme)).await).1, "user_id");

    // A failure is not remembered.
    let (bo, globex) = (world.user("Bo"), world.organisation("Globex"));
    let unknown = AssignAgentRequest { user_id: nobody(), ..assignment(bo, globex) };
    assert_eq!(refused(assign("three", unknown).await).1, "user_id");
    assert!(assign("three", assignment(bo, globex)).await.is_ok());
}
