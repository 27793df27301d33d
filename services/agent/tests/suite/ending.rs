//! Ending an assignment.

use crate::world::World;
use proto::agent::{Agent, RevokeAgentResponse};
use proto::auth::Role;
use std::time::Duration;

testkit::on_both!(answers_the_assignment_and_the_new_role, a_superadmin_stays_one, ends_once);

async fn answers_the_assignment_and_the_new_role(world: &World) {
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    let other = world.assign(world.user("Bo"), world.organisation("Globex")).await;
    let now = world.clock.advance(Duration::from_mins(1));
    let revoked = world.revoke(&agent.id).await.unwrap();
    let ended = Agent {
        is_active: false,
        revoked_at: Some(now.into()),
        revoked_by: Some(world.superadmin.to_string()),
        ..agent.clone()
    };
    assert_eq!(revoked, RevokeAgentResponse { agent: Some(ended.clone()), role: Role::User.into() });
    assert_eq!(world.known_active(&agent), Some(false));
    assert_eq!(world.agents(false).await, [ended]);
    assert_eq!(world.agents(true).await, [other]);
    // Both can be assigned again.
    let (user, organisation) = (agent.user.unwrap().id, agent.organisation.unwrap().id);
    let again = world.assign(user.parse().unwrap(), organisation.parse().unwrap()).await;
    assert!(again.is_active && again.id != agent.id);
}

async fn a_superadmin_stays_one(world: &World) {
    let agent = world.assign(world.superadmin, world.organisation("Acme")).await;
    assert_eq!(world.revoke(&agent.id).await.unwrap().role(), Role::Superadmin);
}

async fn ends_once(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let agent = world.assign(ada, acme).await;
    let first = world.revoke(&agent.id).await.unwrap();
    let version = world.neighbours.with(|known| known.facts[&agent.id].version);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.revoke(&agent.id).await, Ok(first.clone()));
    assert_eq!(world.neighbours.with(|known| known.facts[&agent.id].version), version);

    // The role is that of now: in the meantime the user has become an agent again.
    let again = world.assign(ada, acme).await;
    let repeated = world.revoke(&agent.id).await.unwrap();
    assert_eq!((repeated.agent, repeated.role), (first.agent, Role::Agent.into()));
    assert!(world.get(&again.id).await.is_active);

    // One that was replaced, too.
    world.assign(world.user("Bo"), acme).await;
    let replaced = world.get(&again.id).await;
    assert_eq!(world.revoke(&again.id).await.unwrap().agent, Some(replaced));
}
