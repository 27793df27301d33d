//! Assignments whose user or organisation was deactivated.

use crate::world::{DEADLINE, World, code, nobody, refused};
use callfairy_core::{Clock, ErrorCode, OrganisationId, Problem, UserId};
use proto::agent::{Agent, ReviewAssignmentsRequest};
use proto::rpc::reviews::ReviewAssignments;
use proto::types::Empty;
use std::time::Duration;

testkit::on_both!(
    a_deactivated_user_s_assignment_is_revoked,
    a_deactivated_organisation_s_assignment_is_revoked,
    who_is_active_again_stays,
    is_recorded_once,
    only_services_ask,
);

async fn review(world: &World, user: &str, organisation: &str) -> Result<Empty, Problem> {
    let request = ReviewAssignmentsRequest { user_id: user.to_owned(), organisation_id: organisation.to_owned() };
    world.agent.unary::<ReviewAssignments>(&world.context.identity.meta().unwrap(), request).await
}

fn user_is_active(world: &World, user: UserId, is_active: bool) {
    world.neighbours.with(|known| known.users.get_mut(&user).unwrap().is_active = is_active);
}

fn organisation_is_active(world: &World, organisation: OrganisationId, is_active: bool) {
    world.neighbours.with(|known| known.organisations.get_mut(&organisation).unwrap().is_active = is_active);
}

/// As it reads when nobody has revoked it, now.
fn ended(world: &World, agent: &Agent) -> Agent {
    Agent { is_active: false, revoked_at: Some(world.clock.now().into()), revoked_by: None, ..agent.clone() }
}

async fn a_deactivated_user_s_assignment_is_revoked(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    let other = world.assign(world.user("Bo"), world.organisation("Globex")).await;
    world.clock.advance(Duration::from_mins(1));
    user_is_active(world, ada, false);
    review(world, &ada.to_string(), "").await.unwrap();
    assert_eq!(world.get(&agent.id).await, ended(world, &agent));
    assert_eq!(world.known_active(&agent), Some(false));
    assert_eq!(world.agents(true).await, [other]);
    // It does not come back with its user; the organisation is free for another.
    user_is_active(world, ada, true);
    review(world, &ada.to_string(), "").await.unwrap();
    assert!(!world.get(&agent.id).await.is_active);
    world.assign(world.user("Cy"), acme).await;
}

async fn a_deactivated_organisation_s_assignment_is_revoked(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    organisation_is_active(world, acme, false);
    review(world, "", &acme.to_string()).await.unwrap();
    assert_eq!(world.get(&agent.id).await, ended(world, &agent));
    assert_eq!(world.known_active(&agent), Some(false));
    // One that its neighbour no longer knows is not active either.
    let globex = world.organisation("Globex");
    let agent = world.assign(ada, globex).await;
    world.neighbours.with(|known| known.organisations.remove(&globex));
    review(world, &ada.to_string(), "").await.unwrap();
    assert!(!world.get(&agent.id).await.is_active);
}

async fn who_is_active_again_stays(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    // The messages of a deactivation that is long over, in any order and twice.
    for (user, organisation) in
        [(ada.to_string(), String::new()), (String::new(), acme.to_string()), (ada.to_string(), acme.to_string())]
    {
        review(world, &user, &organisation).await.unwrap();
        review(world, &user, &organisation).await.unwrap();
    }
    review(world, &nobody(), &nobody()).await.unwrap();
    assert_eq!(world.get(&agent.id).await, agent);
    assert_eq!(refused(review(world, "", "").await), (ErrorCode::InvalidArgument, "user_id".to_owned()));
}

async fn is_recorded_once(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    user_is_active(world, ada, false);
    for _ in 0..3 {
        review(world, &ada.to_string(), &acme.to_string()).await.unwrap();
    }
    let version = world.neighbours.with(|known| known.facts[&agent.id].version);
    assert_eq!(version, 2);
    let [entry] = world.audit_log.eventually("agent_revoked", 1, DEADLINE).await.try_into().unwrap();
    assert_eq!((entry.actor_kind.as_str(), entry.actor_id.as_str()), ("system", ""));
    assert_eq!((entry.subject_id, entry.organisation_id), (agent.id, acme.to_string()));
    assert_eq!((entry.details["user"].as_str(), entry.details["inactive"].as_str()), (&*ada.to_string(), "user"));
}

async fn only_services_ask(world: &World) {
    let request = ReviewAssignmentsRequest { user_id: nobody(), ..Default::default() };
    assert_eq!(code(world.ask::<ReviewAssignments>(request).await), ErrorCode::PermissionDenied);
}
