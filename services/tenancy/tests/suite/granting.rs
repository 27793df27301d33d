//! What superadmins grant to users directly.

use crate::world::{World, account, assignment, code, keys, nobody};
use callfairy_core::{Clock, ErrorCode, Problem, UserId};
use proto::Permission::{self, MakeCalls, ManageAgents, ViewCalls};
use proto::rpc::access::GetMyAccess;
use proto::rpc::grants::{GrantUserPermission, ListUserPermissions, RevokeUserPermission};
use proto::tenancy::*;
use std::time::Duration;

testkit::on_both!(
    counts_at_once_wherever_the_user_has_access,
    counts_for_an_agent_in_its_own_organisation,
    tells_who_granted_and_when,
    refuses_what_belongs_to_superadmins,
    knows_only_users_that_there_are,
    gives_no_access_by_itself,
);

async fn revoke(world: &World, user: UserId, key: Permission) -> Result<proto::types::Empty, Problem> {
    let request = RevokeUserPermissionRequest { id: user.to_string(), key: key.into() };
    world.call::<RevokeUserPermission>(world.superadmin, request).await
}

async fn list(world: &World, user: UserId) -> Vec<UserPermission> {
    let request = ListUserPermissionsRequest { id: user.to_string() };
    world.call::<ListUserPermissions>(world.superadmin, request).await.unwrap().permissions
}

async fn counts_at_once_wherever_the_user_has_access(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let foreign = world.organisation("Foreign").await.id;
    let user = world.member("Una", &acme).await;
    world.invite(&globex, "una@example.com").await;
    let seen = async |organisation: &str| keys(&world.snapshot(user, organisation).await).join(" ");

    for (granted, expected) in [(None, "view_organisations"), (Some(ViewCalls), "view_organisations view_calls")] {
        world.grant(user, &granted.into_iter().collect::<Vec<_>>()).await;
        assert_eq!(seen(&acme).await, expected);
        assert_eq!(seen(&globex).await, expected);
        assert_eq!(seen(&foreign).await, "");
        assert_eq!(world.snapshot(user, "").await.permissions, 0);
    }
    world.grant(user, &[MakeCalls]).await;
    let mine = world.call::<GetMyAccess>(user, GetMyAccessRequest {}).await.unwrap();
    let of_acme = mine.organisations.iter().find(|of| of.organisation_id == acme).unwrap();
    let expected = [Permission::ViewOrganisations, MakeCalls, ViewCalls].map(i32::from);
    assert_eq!((of_acme.relation(), of_acme.permissions.as_slice()), (Relation::Member, &expected[..]));

    revoke(world, user, ViewCalls).await.unwrap();
    assert_eq!(seen(&globex).await, "view_organisations make_calls");
    revoke(world, user, ViewCalls).await.unwrap();
    revoke(world, user, MakeCalls).await.unwrap();
    assert_eq!(seen(&acme).await, "view_organisations");
}

async fn counts_for_an_agent_in_its_own_organisation(world: &World) {
    let (own, other) = (world.organisation("Own").await.id, world.organisation("Other").await.id);
    let agent = world.agent("Ada", &own, &[ViewCalls]).await;
    world.grant(agent, &[MakeCalls]).await;
    assert_eq!(keys(&world.snapshot(agent, &own).await), ["view_organisations", "make_calls", "view_calls"]);
    assert_eq!(world.snapshot(agent, &other).await.permissions, 0);
    // A replaced assignment takes its own grants along, and leaves the direct ones.
    world.report_assignment(assignment(agent, &other, &[])).await;
    assert_eq!(keys(&world.snapshot(agent, &other).await), ["view_organisations", "make_calls"]);
    assert_eq!(world.snapshot(agent, &own).await.permissions, 0);
}

async fn tells_who_granted_and_when(world: &World) {
    let (user, second) = (world.user("Una").await, world.user("Sam").await);
    world.report_account(AccountFact { version: 2, is_superadmin: true, ..account(second, "Sam") }).await;
    assert_eq!(list(world, user).await, []);

    let at_first = world.clock.now();
    let grant = |key: Permission| GrantUserPermissionRequest { id: user.to_string(), key: key.into() };
    let granted = world.call::<GrantUserPermission>(world.superadmin, grant(ViewCalls)).await.unwrap();
    let calls = UserPermission {
        key: ViewCalls.into(),
        granted_by: world.superadmin.to_string(),
        granted_at: Some(at_first.into()),
    };
    assert_eq!(granted, calls);

    // Once more, by somebody else: it stands as it was granted first.
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.call::<GrantUserPermission>(second, grant(ViewCalls)).await.unwrap(), calls);
    let made = world.call::<GrantUserPermission>(second, grant(MakeCalls)).await.unwrap();
    assert_eq!((made.granted_by.clone(), made.granted_at), (second.to_string(), Some(world.clock.now().into())));
    assert_eq!(list(world, user).await, [made, calls]);
    assert_eq!(list(world, second).await, []);
}

async fn refuses_what_belongs_to_superadmins(world: &World) {
    let user = world.member("Una", &world.organisation("Acme").await.id).await;
    for info in proto::PERMISSIONS {
        let request = GrantUserPermissionRequest { id: user.to_string(), key: info.permission.into() };
        let answer = world.call::<GrantUserPermission>(world.superadmin, request).await;
        if !info.system {
            assert_eq!(answer.unwrap().key(), info.permission);
            continue;
        }
        let problem = answer.unwrap_err();
        assert_eq!((problem.code, problem.permission.as_deref()), (ErrorCode::PermissionNotGrantable, Some(info.key)));
        assert_eq!(problem.fields[0].field, "key");
    }
    assert_eq!(list(world, user).await.len(), 19);
    let request = GrantUserPermissionRequest { id: user.to_string(), key: 0 };
    assert_eq!(code(world.call::<GrantUserPermission>(world.superadmin, request).await), ErrorCode::InvalidArgument);
}

async fn knows_only_users_that_there_are(world: &World) {
    // Somebody of whom agent has reported, but auth has not, is not known either.
    let half_known = UserId::new();
    world.report_assignment(assignment(half_known, &world.organisation("Acme").await.id, &[])).await;
    for id in [nobody(), half_known.to_string()] {
        let grant = GrantUserPermissionRequest { id: id.clone(), key: ViewCalls.into() };
        assert_eq!(world.call::<GrantUserPermission>(world.superadmin, grant).await.unwrap_err(), Problem::not_found());
        let revoke = RevokeUserPermissionRequest { id: id.clone(), key: ViewCalls.into() };
        assert_eq!(
            world.call::<RevokeUserPermission>(world.superadmin, revoke).await.unwrap_err(),
            Problem::not_found()
        );
        let list = ListUserPermissionsRequest { id };
        assert_eq!(world.call::<ListUserPermissions>(world.superadmin, list).await.unwrap_err(), Problem::not_found());
    }
    // One whose account is not active is known; the grant waits.
    let (acme, idle) = (world.organisation("Idle").await.id, world.user("Ida").await);
    world.invite(&acme, "ida@example.com").await;
    world.report_account(AccountFact { version: 2, is_active: false, ..account(idle, "Ida") }).await;
    world.grant(idle, &[ViewCalls]).await;
    assert_eq!(world.snapshot(idle, &acme).await, AccessSnapshot::default());
    world.report_account(AccountFact { version: 3, ..account(idle, "Ida") }).await;
    assert_eq!(keys(&world.snapshot(idle, &acme).await), ["view_organisations", "view_calls"]);
}

async fn gives_no_access_by_itself(world: &World) {
    let (acme, user) = (world.organisation("Acme").await.id, world.user("Una").await);
    world.grant(user, &[Permission::ViewOrganisations, Permission::ManageOrganisation]).await;
    let snapshot = world.snapshot(user, &acme).await;
    assert_eq!((snapshot.relation(), snapshot.permissions), (Relation::Unspecified, 0));
    assert_eq!(revoke(world, user, ManageAgents).await, Ok(proto::types::Empty {}));
}
