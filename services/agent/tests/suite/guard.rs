//! Who is let in.

use crate::world::{World, assignment, nobody};
use access::Meta;
use callfairy_core::{ErrorCode, UserId};
use proto::agent::*;
use proto::rpc::agents::{
    AssignAgent, GetAgent, GrantPermission, ListAgents, RevokeAgent, RevokePermission, SetPackage,
};
use proto::rpc::packages::ListPackages;
use proto::{Permission, Rpc};

testkit::on_both!(
    nobody_gets_in_without_a_token,
    only_superadmins_see_and_change_agents,
    everybody_sees_the_packages,
    unknown_assignments_are_not_found,
);

/// How each of the superadmins' RPCs ends.
async fn all(world: &World, meta: &Meta, id: &str) -> Vec<Option<ErrorCode>> {
    let id = id.to_owned();
    let key = Permission::ViewCalls.into();
    let assign = assignment(world.user("Somebody"), world.organisation("Something"));
    let set = SetPackageRequest { id: id.clone(), package: Package::Basic.into(), permissions: vec![] };
    vec![
        outcome::<ListAgents>(world, meta, ListAgentsRequest::default()).await,
        outcome::<AssignAgent>(world, meta, assign).await,
        outcome::<GetAgent>(world, meta, GetAgentRequest { id: id.clone() }).await,
        outcome::<GrantPermission>(world, meta, GrantPermissionRequest { id: id.clone(), key }).await,
        outcome::<RevokePermission>(world, meta, RevokePermissionRequest { id: id.clone(), key }).await,
        outcome::<SetPackage>(world, meta, set).await,
        outcome::<RevokeAgent>(world, meta, RevokeAgentRequest { id }).await,
    ]
}

async fn outcome<R: Rpc>(world: &World, meta: &Meta, request: R::Request) -> Option<ErrorCode> {
    world.agent.unary::<R>(meta, request).await.err().map(|problem| problem.code)
}

async fn nobody_gets_in_without_a_token(world: &World) {
    let id = world.assign(world.user("Ada"), world.organisation("Acme")).await.id;
    assert_eq!(all(world, &Meta::default(), &id).await, [Some(ErrorCode::Unauthenticated); 7]);
    let packages = outcome::<ListPackages>(world, &Meta::default(), ListPackagesRequest {}).await;
    assert_eq!(packages, Some(ErrorCode::Unauthenticated));
    // An account that auth does not know, or no longer.
    assert_eq!(all(world, &world.signed_in(UserId::new()), &id).await, [Some(ErrorCode::Unauthenticated); 7]);
}

async fn only_superadmins_see_and_change_agents(world: &World) {
    let (ada, una) = (world.user("Ada"), world.user("Una"));
    let agent = world.assign(ada, world.organisation("Acme")).await;
    let service = world.context.identity.meta().unwrap();
    for meta in [world.signed_in(ada), world.signed_in(una), service] {
        assert_eq!(all(world, &meta, &agent.id).await, [Some(ErrorCode::PermissionDenied); 7]);
    }
    assert_eq!(world.agents(true).await, std::slice::from_ref(&agent));
    assert_eq!(all(world, &world.signed_in(world.superadmin), &agent.id).await, [None; 7]);
}

async fn everybody_sees_the_packages(world: &World) {
    let una = world.user("Una");
    let packages = world.call::<ListPackages>(una, ListPackagesRequest {}).await.unwrap().packages;
    let seen: Vec<_> = packages.iter().map(|package| (package.key(), package.permissions.len())).collect();
    assert_eq!(seen, [(Package::Basic, 3), (Package::Standard, 6), (Package::Advanced, 10)]);
    let basic = [Permission::ManageOrganisation, Permission::ViewUsers, Permission::ViewReports];
    assert_eq!(packages[0].permissions().collect::<Vec<_>>(), basic);
}

async fn unknown_assignments_are_not_found(world: &World) {
    let outcomes = all(world, &world.signed_in(world.superadmin), &nobody()).await;
    let (none, no_such) = (None, Some(ErrorCode::NotFound));
    assert_eq!(outcomes, [none, none, no_such, no_such, no_such, no_such, no_such]);
}
