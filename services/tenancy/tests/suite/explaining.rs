//! Why somebody may do something, or may not.

use crate::world::{World, account, assignment, bit, nobody};
use callfairy_core::{ErrorCode, Problem, UserId};
use proto::Permission::{self, MakeCalls, ManageAgents, ManageOrganisation, ViewCalls};
use proto::rpc::members::ExplainAccess;
use proto::tenancy::*;

testkit::on_both!(
    says_what_decided,
    agrees_with_the_authority,
    tells_nothing_of_strangers,
    needs_a_permission_to_explain,
);

async fn explain(
    world: &World,
    caller: UserId,
    organisation: &str,
    user: &str,
    permission: Permission,
) -> Result<AccessExplanation, Problem> {
    let request = ExplainAccessRequest {
        organisation_id: organisation.to_owned(),
        user_id: user.to_owned(),
        permission: permission.into(),
    };
    world.call::<ExplainAccess>(caller, request).await
}

async fn says_what_decided(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let agent = world.agent("Ada", &acme, &[ManageOrganisation, MakeCalls]).await;
    let (member, suspended) = (world.member("Una", &acme).await, world.member("Sue", &acme).await);
    world.grant(member, &[ViewCalls]).await;
    world.report_assignment(assignment(suspended, &globex, &[])).await;
    let fired = world.member("Fay", &acme).await;
    world.report_account(AccountFact { version: 2, is_active: false, ..account(fired, "Fay") }).await;

    let is_agent = "the user is the organisation's agent";
    let is_member = "the user is a member of the organisation";
    let suspends =
        "the user is a member of the organisation, which gives no access while the user is the agent of another one";
    for (user, permission, allowed, because) in [
        (agent, MakeCalls, true, &["the role is agent", is_agent, "make_calls is held by the assignment"][..]),
        (
            agent,
            ViewCalls,
            false,
            &["the role is agent", is_agent, "view_calls is not held by the assignment, and was not granted directly"],
        ),
        (agent, ManageAgents, false, &["the role is agent", is_agent, "manage_agents belongs to superadmins alone"]),
        (member, ViewCalls, true, &["the role is user", is_member, "view_calls was granted directly"]),
        (member, MakeCalls, false, &["the role is user", is_member, "make_calls was not granted directly"]),
        (
            member,
            Permission::ViewOrganisations,
            true,
            &["the role is user", is_member, "view_organisations comes with the relation to the organisation"],
        ),
        (suspended, ViewCalls, false, &["the role is agent", suspends]),
        (fired, ViewCalls, false, &["the account is not active, so it gives access to nothing"]),
    ] {
        let expected = AccessExplanation { allowed, because: because.iter().map(|text| (*text).to_owned()).collect() };
        assert_eq!(explain(world, agent, &acme, &user.to_string(), permission).await, Ok(expected));
    }
}

async fn agrees_with_the_authority(world: &World) {
    let (acme, closed) = (world.organisation("Acme").await.id, world.organisation("Closed").await.id);
    let agent = world.agent("Ada", &acme, &[MakeCalls, ManageAgents]).await;
    let member = world.member("Una", &acme).await;
    world.invite(&closed, "una@example.com").await;
    for user in [agent, member] {
        world.grant(user, &[ViewCalls]).await;
    }
    world.deactivate(&closed).await;
    for user in [agent, member, world.superadmin, UserId::new()] {
        for organisation in [&acme, &closed] {
            let snapshot = world.snapshot(user, organisation).await;
            for info in proto::PERMISSIONS {
                let explained =
                    explain(world, world.superadmin, organisation, &user.to_string(), info.permission).await.unwrap();
                assert_eq!(explained.allowed, snapshot.permissions & bit(info.permission) != 0, "{explained:?}");
            }
        }
    }
}

async fn tells_nothing_of_strangers(world: &World) {
    let (own, foreign) = (world.organisation("Own").await.id, world.organisation("Foreign").await.id);
    let manager = world.agent("Max", &own, &[ManageOrganisation]).await;
    let strangers = [
        nobody(),
        world.superadmin.to_string(),
        world.user("Sam").await.to_string(),
        world.member("Cleo", &foreign).await.to_string(),
        world.agent("Fred", &foreign, &[]).await.to_string(),
    ];
    for stranger in &strangers {
        for organisation in [&own, &foreign] {
            let answer = explain(world, manager, organisation, stranger, ViewCalls).await;
            assert_eq!(answer, Err(Problem::not_found()), "{stranger}");
        }
    }
    // Superadmins know them all anyway.
    let told = explain(world, world.superadmin, &own, &strangers[2], ViewCalls).await.unwrap();
    assert_eq!(told.because, ["the role is user", "the user is not a member of the organisation, nor its agent"]);
    let told = explain(world, world.superadmin, &own, &strangers[0], ViewCalls).await.unwrap();
    assert_eq!(told.because, ["there is no account with this id"]);
    let told = explain(world, world.superadmin, &own, &strangers[1], ManageAgents).await.unwrap();
    let because = vec!["the role is superadmin, which may do everything everywhere".to_owned()];
    assert_eq!(told, AccessExplanation { allowed: true, because });
}

async fn needs_a_permission_to_explain(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let member = world.member("Una", &acme).await;
    let own = explain(world, member, &acme, &member.to_string(), ViewCalls).await;
    assert_eq!(own, Err(Problem::permission_denied("manage_organisation")));
    let problem =
        explain(world, world.superadmin, &acme, &member.to_string(), Permission::Unspecified).await.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "permission"));
}
