//! Grants on top of a package, and other packages.

use crate::world::{World, code, refused};
use callfairy_core::{ErrorCode, Problem};
use proto::Permission::{self, MakeCalls, ManageAgents, ManageOrganisation, ViewCalls, ViewReports, ViewUsers};
use proto::agent::{Agent, GrantPermissionRequest, Package, RevokePermissionRequest, SetPackageRequest};
use proto::rpc::agents::{GrantPermission, RevokePermission, SetPackage};
use tokio::task::JoinSet;

testkit::on_both!(
    the_package_follows_the_grants,
    what_is_there_already_changes_nothing,
    what_is_superadmins_own_is_not_granted,
    a_package_replaces_the_grants,
    what_has_ended_is_not_changed,
    grants_at_once_all_count,
);

async fn grant(world: &World, agent: &Agent, key: Permission) -> Result<Agent, Problem> {
    world.ask::<GrantPermission>(GrantPermissionRequest { id: agent.id.clone(), key: key.into() }).await
}

async fn take(world: &World, agent: &Agent, key: Permission) -> Result<Agent, Problem> {
    world.ask::<RevokePermission>(RevokePermissionRequest { id: agent.id.clone(), key: key.into() }).await
}

async fn set(world: &World, agent: &Agent, package: Package, list: &[Permission]) -> Result<Agent, Problem> {
    let permissions = list.iter().copied().map(Into::into).collect();
    world.ask::<SetPackage>(SetPackageRequest { id: agent.id.clone(), package: package.into(), permissions }).await
}

async fn assigned(world: &World) -> Agent {
    world.assign(world.user("Ada"), world.organisation("Acme")).await
}

fn known(world: &World, agent: &Agent) -> (i64, Vec<i32>) {
    world.neighbours.with(|known| (known.facts[&agent.id].version, known.facts[&agent.id].permissions.clone()))
}

async fn the_package_follows_the_grants(world: &World) {
    let agent = assigned(world).await;
    let more = grant(world, &agent, MakeCalls).await.unwrap();
    assert_eq!((more.package(), more.permissions.len()), (Package::Custom, 7));
    assert!(more.permissions.contains(&MakeCalls.into()));
    assert_eq!(world.get(&agent.id).await, more);
    assert_eq!(known(world, &agent), (2, more.permissions));

    assert_eq!(take(world, &agent, MakeCalls).await.unwrap(), agent);
    let less = take(world, &agent, ViewCalls).await.unwrap();
    assert_eq!((less.package(), less.permissions.len()), (Package::Custom, 5));
    assert_eq!(known(world, &agent), (4, less.permissions));
    assert_eq!(grant(world, &agent, ViewCalls).await.unwrap().package(), Package::Standard);

    // Down to nothing.
    for permission in agent.permissions() {
        take(world, &agent, permission).await.unwrap();
    }
    let nothing = world.get(&agent.id).await;
    assert_eq!((nothing.package(), nothing.permissions, nothing.is_active), (Package::Custom, vec![], true));
}

async fn what_is_there_already_changes_nothing(world: &World) {
    let agent = assigned(world).await;
    let before = known(world, &agent);
    assert_eq!(grant(world, &agent, ViewCalls).await.unwrap(), agent);
    assert_eq!(take(world, &agent, MakeCalls).await.unwrap(), agent);
    assert_eq!(take(world, &agent, ManageAgents).await.unwrap(), agent);
    assert_eq!(set(world, &agent, Package::Standard, &[]).await.unwrap(), agent);
    assert_eq!(known(world, &agent), before);
}

async fn what_is_superadmins_own_is_not_granted(world: &World) {
    let agent = assigned(world).await;
    for info in proto::PERMISSIONS.iter().filter(|info| info.system) {
        let problem = grant(world, &agent, info.permission).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::PermissionNotGrantable, "key"));
        assert_eq!(problem.permission.as_deref(), Some(info.key));
        let answer = set(world, &agent, Package::Custom, &[ViewCalls, info.permission]).await;
        assert_eq!(refused(answer), (ErrorCode::PermissionNotGrantable, "permissions[1]".to_owned()));
    }
    assert_eq!(refused(grant(world, &agent, Permission::Unspecified).await).1, "key");
    assert_eq!(world.get(&agent.id).await, agent);
}

async fn a_package_replaces_the_grants(world: &World) {
    let agent = assigned(world).await;
    let advanced = set(world, &agent, Package::Advanced, &[]).await.unwrap();
    assert_eq!((advanced.package(), advanced.permissions.len()), (Package::Advanced, 10));
    let custom = set(world, &agent, Package::Custom, &[MakeCalls]).await.unwrap();
    assert_eq!((custom.package(), custom.permissions.clone()), (Package::Custom, vec![MakeCalls.into()]));
    assert_eq!(known(world, &agent).1, custom.permissions);
    let basic = set(world, &agent, Package::Unspecified, &[ViewReports, ViewUsers, ManageOrganisation]).await.unwrap();
    assert_eq!(basic.package(), Package::Basic);
    for (package, list, field) in [
        (Package::Unspecified, &[][..], "package"),
        (Package::Custom, &[], "permissions"),
        (Package::Basic, &[ViewCalls], "permissions"),
    ] {
        let answer = set(world, &agent, package, list).await;
        assert_eq!(refused(answer), (ErrorCode::InvalidArgument, field.to_owned()));
    }
    assert_eq!(world.get(&agent.id).await, basic);
}

async fn what_has_ended_is_not_changed(world: &World) {
    let agent = assigned(world).await;
    let ended = world.revoke(&agent.id).await.unwrap().agent.unwrap();
    assert_eq!(code(grant(world, &agent, MakeCalls).await), ErrorCode::Conflict);
    assert_eq!(code(take(world, &agent, ViewCalls).await), ErrorCode::Conflict);
    assert_eq!(code(set(world, &agent, Package::Basic, &[]).await), ErrorCode::Conflict);
    assert_eq!(world.get(&agent.id).await, ended);
}

async fn grants_at_once_all_count(world: &World) {
    let agent = assigned(world).await;
    set(world, &agent, Package::Custom, &[ViewCalls]).await.unwrap();
    let mut granting = JoinSet::new();
    for info in proto::PERMISSIONS.iter().filter(|info| !info.system) {
        let (client, meta) = (world.agent.clone(), world.signed_in(world.superadmin));
        let request = GrantPermissionRequest { id: agent.id.clone(), key: info.permission.into() };
        granting.spawn(async move { client.unary::<GrantPermission>(&meta, request).await.unwrap() });
    }
    granting.join_all().await;
    let now = world.get(&agent.id).await;
    assert_eq!(now.permissions.len(), 19);
    assert_eq!(known(world, &agent), (20, now.permissions));
}
