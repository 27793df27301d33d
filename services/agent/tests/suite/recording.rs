//! What agent records of its work.

use crate::world::{DEADLINE, World, assignment, code};
use access::{Meta, REFUSALS_WINDOW};
use callfairy_core::{Clock, ErrorCode};
use db::diesel::sql_types::BigInt;
use db::diesel::{self, RunQueryDsl};
use proto::Permission::{self, MakeCalls, ViewCalls};
use proto::Rpc;
use proto::agent::{
    Agent, AssignAgentRequest, GrantPermissionRequest, Package, RevokeAgentRequest, RevokePermissionRequest,
    SetPackageRequest,
};
use proto::rpc::agents::{AssignAgent, GrantPermission, ListAgents, RevokeAgent, RevokePermission, SetPackage};
use proto::tenancy::NewAuditEntry;

testkit::on_both!(
    each_change_is_recorded_once,
    what_is_replaced_is_recorded,
    what_changes_nothing_is_not_recorded,
    entries_wait_for_a_log_that_is_down,
    refusals_are_recorded,
);

fn grant(agent: &Agent, key: Permission) -> GrantPermissionRequest {
    GrantPermissionRequest { id: agent.id.clone(), key: key.into() }
}

fn take(agent: &Agent, key: Permission) -> RevokePermissionRequest {
    RevokePermissionRequest { id: agent.id.clone(), key: key.into() }
}

/// The only one of an action, about this assignment and its organisation, by the superadmin.
async fn only(world: &World, action: &str, agent: &Agent) -> NewAuditEntry {
    let [entry] = world.audit_log.eventually(action, 1, DEADLINE).await.try_into().unwrap();
    assert_eq!((entry.actor_kind.as_str(), &entry.actor_id), ("user", &world.superadmin.to_string()), "{entry:?}");
    assert_eq!(entry.organisation_id, agent.organisation.as_ref().unwrap().id, "{entry:?}");
    assert_eq!((entry.subject_kind.as_str(), &entry.subject_id), ("assignment", &agent.id), "{entry:?}");
    assert_eq!((entry.outcome.as_str(), entry.at), ("done", Some(world.clock.now().into())), "{entry:?}");
    assert_eq!(entry.details["user"], agent.user.as_ref().unwrap().id, "{entry:?}");
    entry
}

/// Of all entries, once nothing more is on its way.
async fn actions(world: &World) -> Vec<String> {
    let pool = db::Pool::open(world.database.url(), "agent", 1).unwrap();
    testkit::eventually("all was recorded", DEADLINE, async || {
        let count = |db: &mut db::Db| -> Result<i64, db::Error> {
            let count = diesel::dsl::sql::<BigInt>("SELECT count(*) FROM outbox WHERE topic = 'audit'");
            Ok(db::on!(db, |c| count.get_result(c))?)
        };
        (pool.read(count).await.unwrap() == 0).then_some(())
    })
    .await;
    let mut actions: Vec<_> = world.audit_log.entries().into_iter().map(|entry| entry.action).collect();
    actions.sort();
    actions
}

async fn each_change_is_recorded_once(world: &World) {
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    world.ask::<GrantPermission>(grant(&agent, MakeCalls)).await.unwrap();
    world.ask::<RevokePermission>(take(&agent, ViewCalls)).await.unwrap();
    let basic = SetPackageRequest { id: agent.id.clone(), package: Package::Basic.into(), permissions: vec![] };
    world.ask::<SetPackage>(basic).await.unwrap();
    world.ask::<RevokeAgent>(RevokeAgentRequest { id: agent.id.clone() }).await.unwrap();

    let standard = "manage_organisation,view_users,view_reports,view_contacts,view_calls,create_contacts";
    let sorted = |list: &str| {
        let mut keys: Vec<_> = list.split(',').map(str::to_owned).collect();
        keys.sort();
        keys
    };
    let assigned = only(world, "agent_assigned", &agent).await;
    assert_eq!(sorted(&assigned.details["permissions"]), sorted(standard));
    assert_eq!(only(world, "permission_granted", &agent).await.details["permission"], "make_calls");
    assert_eq!(only(world, "permission_revoked", &agent).await.details["permission"], "view_calls");
    let package = only(world, "agent_package_set", &agent).await;
    assert_eq!(sorted(&package.details["permissions"]), sorted("manage_organisation,view_users,view_reports"));
    only(world, "agent_revoked", &agent).await;
    assert_eq!(actions(world).await.len(), 5);
}

async fn what_is_replaced_is_recorded(world: &World) {
    let (acme, other) = (world.organisation("Acme"), world.organisation("Other"));
    let (ada, eve) = (world.user("Ada"), world.user("Eve"));
    let (first, second) = (world.assign(ada, acme).await, world.assign(eve, other).await);
    // Takes Ada's organisation, and Eve from hers.
    let third = world.assign(eve, acme).await;
    let replaced = world.audit_log.eventually("agent_replaced", 2, DEADLINE).await;
    for old in [&first, &second] {
        let entry = replaced.iter().find(|entry| entry.subject_id == old.id).unwrap();
        assert_eq!(entry.organisation_id, old.organisation.as_ref().unwrap().id);
        assert_eq!(
            (&entry.details["user"], &entry.details["replaced_by"]),
            (&old.user.as_ref().unwrap().id, &third.id)
        );
    }
    world.audit_log.eventually("agent_assigned", 3, DEADLINE).await;
    assert_eq!(actions(world).await.len(), 5);
}

async fn what_changes_nothing_is_not_recorded(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..world.signed_in(world.superadmin) };
    let mut agents = vec![];
    for _ in 0..2 {
        agents.push(world.agent.unary::<AssignAgent>(&meta, assignment(ada, acme)).await.unwrap());
    }
    let agent = &agents[0];
    world.ask::<GrantPermission>(grant(agent, ViewCalls)).await.unwrap();
    world.ask::<RevokePermission>(take(agent, MakeCalls)).await.unwrap();
    let unknown = AssignAgentRequest { user_id: crate::world::nobody(), ..assignment(ada, acme) };
    assert_eq!(code(world.ask::<AssignAgent>(unknown).await), ErrorCode::InvalidArgument);
    world.revoke(&agent.id).await.unwrap();
    world.revoke(&agent.id).await.unwrap();
    assert_eq!(actions(world).await, ["agent_assigned", "agent_revoked"]);
}

async fn entries_wait_for_a_log_that_is_down(world: &World) {
    world.audit_log.be_down(true);
    // Meanwhile all else goes on: tenancy is told from the same outbox.
    let agent = world.assign(world.user("Ada"), world.organisation("Acme")).await;
    world.revoke(&agent.id).await.unwrap();
    testkit::eventually("tenancy knows", DEADLINE, async || (world.known_active(&agent) == Some(false)).then_some(()))
        .await;
    assert_eq!(world.audit_log.entries(), []);
    world.audit_log.be_down(false);
    only(world, "agent_assigned", &agent).await;
    only(world, "agent_revoked", &agent).await;
    assert_eq!(actions(world).await.len(), 2);
}

async fn refusals_are_recorded(world: &World) {
    let ada = world.user("Ada");
    for _ in 0..3 {
        assert_eq!(code(world.call::<ListAgents>(ada, <_>::default()).await), ErrorCode::PermissionDenied);
    }
    world.clock.advance(REFUSALS_WINDOW);
    let [entry] = world.audit_log.eventually("access_refused", 1, DEADLINE).await.try_into().unwrap();
    assert_eq!((entry.actor_id, entry.outcome.as_str()), (ada.to_string(), "refused"));
    assert_eq!((entry.details["rpc"].as_str(), entry.details["count"].as_str()), (ListAgents::GRPC_PATH, "3"));
}
