//! What callers are told of permissions.

use crate::world::{World, account};
use callfairy_core::UserId;
use proto::Permission;
use proto::auth::Role;
use proto::rpc::access::{GetMyAccess, ListPermissions};
use proto::tenancy::*;

testkit::on_both!(lists_the_permissions, tells_the_caller_what_it_may);

async fn lists_the_permissions(world: &World) {
    let user = world.user("Una").await;
    let permissions = world.call::<ListPermissions>(user, ListPermissionsRequest {}).await.unwrap().permissions;
    assert_eq!(permissions.len(), 24);
    assert_eq!(permissions.iter().filter(|permission| permission.grantable).count(), 19);
    let first = PermissionDescription {
        key: Permission::ViewUsers.into(),
        name: "View users".to_owned(),
        description: "see the organisation's users".to_owned(),
        category: "users".to_owned(),
        grantable: true,
    };
    assert_eq!(permissions[0], first);
    assert!(permissions.iter().all(|permission| permission.grantable == (permission.category != "system")));
}

async fn my_access(world: &World, user: UserId) -> MyAccess {
    world.call::<GetMyAccess>(user, GetMyAccessRequest {}).await.unwrap()
}

async fn tells_the_caller_what_it_may(world: &World) {
    let (acme, closed) = (world.organisation("Acme").await.id, world.organisation("Closed").await.id);
    let plain = |role: Role| MyAccess { role: role.into(), organisations: vec![], is_superadmin: false };

    assert_eq!(my_access(world, world.user("Una").await).await, plain(Role::User));
    let superadmin = MyAccess { is_superadmin: true, ..plain(Role::Superadmin) };
    assert_eq!(my_access(world, world.superadmin).await, superadmin);

    let agent = world.agent("Ada", &acme, &[Permission::ViewCalls, Permission::ManageAgents]).await;
    let own = |permissions: Vec<Permission>| OrganisationAccess {
        organisation_id: acme.clone(),
        name: "Acme".to_owned(),
        relation: Relation::Agent.into(),
        permissions: permissions.into_iter().map(Into::into).collect(),
    };
    let organisations = vec![own(vec![Permission::ViewOrganisations, Permission::ViewCalls])];
    assert_eq!(my_access(world, agent).await, MyAccess { organisations, ..plain(Role::Agent) });

    // The organisation of a superadmin who is its agent, and no other; there it may everything.
    let both = world.agent("Bo", &acme, &[]).await;
    world.report_account(AccountFact { version: 2, is_superadmin: true, ..account(both, "Bo") }).await;
    let everything = proto::PERMISSIONS.iter().map(|info| info.permission).collect();
    assert_eq!(my_access(world, both).await, MyAccess { organisations: vec![own(everything)], ..superadmin });

    // The role follows the assignment, the access follows the organisation.
    let shut_out = world.agent("Sue", &closed, &[Permission::ViewCalls]).await;
    world.deactivate(&closed).await;
    assert_eq!(my_access(world, shut_out).await, plain(Role::Agent));
}
