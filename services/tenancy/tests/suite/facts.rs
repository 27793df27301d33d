//! Reports come late, twice, and in any order.

use crate::world::{World, account, assignment, bit, nobody};
use callfairy_core::UserId;
use proto::Permission;
use proto::auth::Role;
use proto::rpc::authority::{GetRoles, ReportAccount, ReportAssignment};
use proto::tenancy::*;

testkit::on_both!(
    older_accounts_change_nothing,
    older_assignments_change_nothing,
    the_latest_of_many_at_once_stays,
    the_newer_of_two_active_assignments_counts,
    a_report_needs_no_other,
);

async fn role(world: &World, user: UserId) -> Option<Role> {
    let request = GetRolesRequest { user_ids: vec![user.to_string()] };
    world.asks::<GetRoles>(request).await.unwrap().roles.first().map(UserRole::role)
}

async fn older_accounts_change_nothing(world: &World) {
    let user = UserId::new();
    let report = async |version, is_active, is_superadmin| {
        world.report_account(AccountFact { version, is_active, is_superadmin, ..account(user, "Una") }).await;
        let now = world.snapshot(user, "").await;
        (now.user_is_active, now.is_superadmin)
    };
    assert_eq!(report(5, true, true).await, (true, true));
    // Repeated, then older ones, one by one.
    assert_eq!(report(5, false, false).await, (true, true));
    assert_eq!(report(4, false, false).await, (true, true));
    assert_eq!(report(0, true, false).await, (true, true));
    assert_eq!(report(-1, false, true).await, (true, true));
    assert_eq!(report(6, true, false).await, (true, false));
    assert_eq!(report(5, true, true).await, (true, false));
    assert_eq!(report(i64::MAX, false, false).await, (false, false));
}

async fn older_assignments_change_nothing(world: &World) {
    let (user, acme) = (world.user("Ada").await, world.organisation("Acme").await.id);
    let first = assignment(user, &acme, &[Permission::ViewCalls]);
    let report = async |version, is_active, permission: Permission| {
        let permissions = vec![permission.into()];
        world.report_assignment(AssignmentFact { version, is_active, permissions, ..first.clone() }).await;
        world.snapshot(user, &acme).await.permissions
    };
    let sees = bit(Permission::ViewOrganisations);
    assert_eq!(report(3, true, Permission::ViewCalls).await, sees | bit(Permission::ViewCalls));
    assert_eq!(report(3, true, Permission::MakeCalls).await, sees | bit(Permission::ViewCalls));
    assert_eq!(report(2, false, Permission::MakeCalls).await, sees | bit(Permission::ViewCalls));
    assert_eq!(report(4, true, Permission::MakeCalls).await, sees | bit(Permission::MakeCalls));
    // Its end, and what comes after it from before it.
    assert_eq!(report(6, false, Permission::MakeCalls).await, 0);
    assert_eq!(report(5, true, Permission::MakeCalls).await, 0);
    assert_eq!(role(world, user).await, Some(Role::User));
}

async fn the_latest_of_many_at_once_stays(world: &World) {
    let (user, acme) = (UserId::new(), world.organisation("Acme").await.id);
    let first = assignment(user, &acme, &[]);
    let mut reports = tokio::task::JoinSet::new();
    for version in 1..=20 {
        let (tenancy, meta) = (world.tenancy.clone(), world.service.meta().unwrap());
        let name = format!("name {version}");
        let account = AccountFact { version, name, is_superadmin: version % 2 == 0, ..account(user, "Una") };
        let permissions = if version == 20 { vec![Permission::ViewCalls.into()] } else { vec![] };
        let assignment = AssignmentFact { version, permissions, ..first.clone() };
        reports.spawn(async move {
            tenancy.unary::<ReportAccount>(&meta, account).await.unwrap();
            tenancy.unary::<ReportAssignment>(&meta, assignment).await.unwrap();
        });
    }
    while let Some(reported) = reports.join_next().await {
        reported.unwrap();
    }
    assert_eq!(role(world, user).await, Some(Role::Superadmin));
    let get = GetOrganisationRequest { organisation_id: acme.clone() };
    let seen = world.call::<proto::rpc::organisations::GetOrganisation>(world.superadmin, get).await.unwrap();
    assert_eq!(seen.agent.unwrap().name, "name 20");
    let demoted = AccountFact { version: 21, is_superadmin: false, ..account(user, "Una") };
    world.report_account(demoted).await;
    let expected = bit(Permission::ViewOrganisations) | bit(Permission::ViewCalls);
    assert_eq!(world.snapshot(user, &acme).await.permissions, expected);
}

/// Assigning revokes what was there before. Until the report of that has come, the new assignment counts alone.
async fn the_newer_of_two_active_assignments_counts(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let (ada, bo) = (world.user("Ada").await, world.user("Bo").await);
    let relation = async |user, organisation: &str| world.snapshot(user, organisation).await.relation();
    let first = assignment(ada, &acme, &[Permission::ViewCalls]);
    let second = assignment(ada, &globex, &[Permission::ViewCalls]);
    let third = assignment(bo, &globex, &[Permission::ViewCalls]);

    // One user's, also when the older one is reported last.
    world.report_assignment(second.clone()).await;
    world.report_assignment(first.clone()).await;
    assert_eq!(relation(ada, &acme).await, Relation::Unspecified);
    assert_eq!(relation(ada, &globex).await, Relation::Agent);

    // One organisation's: the predecessor has none at all, until it is known to have kept one.
    world.report_assignment(third.clone()).await;
    assert_eq!(relation(bo, &globex).await, Relation::Agent);
    assert_eq!(relation(ada, &globex).await, Relation::Unspecified);
    assert_eq!(relation(ada, &acme).await, Relation::Unspecified);
    assert_eq!(role(world, ada).await, Some(Role::User));

    // What has ended stands in nobody's way.
    for (ended, user) in [(&third, bo), (&second, ada)] {
        world.report_assignment(AssignmentFact { version: 2, is_active: false, ..ended.clone() }).await;
        assert_eq!(relation(user, &globex).await, Relation::Unspecified);
    }
    assert_eq!(relation(ada, &acme).await, Relation::Agent);
}

async fn a_report_needs_no_other(world: &World) {
    let (user, organisation) = (UserId::new(), nobody());
    world.report_assignment(assignment(user, &organisation, &[Permission::ViewCalls])).await;
    assert_eq!(role(world, user).await, None);
    assert_eq!(world.snapshot(user, &organisation).await, AccessSnapshot::default());
    world.report_account(account(user, "Una")).await;
    assert_eq!(role(world, user).await, Some(Role::Agent));
    let now = world.snapshot(user, &organisation).await;
    assert_eq!((now.user_is_active, now.organisation_exists, now.permissions), (true, false, 0));
}
