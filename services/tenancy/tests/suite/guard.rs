//! Who is let in.

use crate::world::{World, account, code, nobody};
use access::Meta;
use callfairy_core::{ErrorCode, Problem, UserId};
use proto::rpc::access::{GetMyAccess, ListPermissions};
use proto::rpc::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey, VerifyApiKey};
use proto::rpc::authority::{GetAccess, GetRoles, ReportAccount, ReportAssignment};
use proto::rpc::grants::{GrantUserPermission, ListUserPermissions, RevokeUserPermission};
use proto::rpc::members::{AddMember, ExplainAccess, ListMembers, RemoveMember};
use proto::rpc::organisations::{
    CreateOrganisation, GetOrganisation, ListOrganisations, LookUpOrganisations, UpdateOrganisation,
};
use proto::tenancy::*;
use proto::{Permission, Rpc};

testkit::on_both!(
    nobody_gets_in_without_a_token,
    each_kind_of_caller_has_its_own_doors,
    a_foreign_organisation_looks_like_none,
    a_missing_permission_is_named,
    what_is_deactivated_is_shut_out,
);

/// How a call by `$meta` of each RPC ends: `None` where it succeeds or fails only in its handler.
macro_rules! outcomes {
    ($world:expr, $meta:expr, $organisation:expr, [$($rpc:ty),+]) => {
        [$((<$rpc as Rpc>::GRPC_PATH, outcome::<$rpc>($world, $meta, $organisation).await)),+]
    };
}

async fn outcome<R: Sample>(world: &World, meta: &Meta, organisation: &str) -> Option<ErrorCode> {
    world.tenancy.unary::<R>(meta, R::sample(organisation)).await.err().map(|problem| problem.code)
}

/// A request that reaches the handler if the guard lets it pass.
trait Sample: Rpc {
    fn sample(organisation: &str) -> Self::Request;
}

macro_rules! samples {
    ($($rpc:ty: |$organisation:ident| $request:expr;)+) => {$(
        impl Sample for $rpc {
            fn sample($organisation: &str) -> Self::Request {
                let _ = $organisation;
                $request
            }
        }
    )+};
}

samples! {
    ListOrganisations: |_o| ListOrganisationsRequest::default();
    CreateOrganisation: |_o| CreateOrganisationRequest { name: "Made".to_owned(), ..Default::default() };
    GetOrganisation: |o| GetOrganisationRequest { organisation_id: o.to_owned() };
    UpdateOrganisation: |o| UpdateOrganisationRequest { organisation_id: o.to_owned(), ..Default::default() };
    LookUpOrganisations: |_o| LookUpOrganisationsRequest::default();
    ListPermissions: |_o| ListPermissionsRequest {};
    GetMyAccess: |_o| GetMyAccessRequest {};
    ListUserPermissions: |_o| ListUserPermissionsRequest { id: nobody() };
    GrantUserPermission: |_o| GrantUserPermissionRequest { id: nobody(), key: Permission::ManageAgents.into() };
    RevokeUserPermission: |_o| RevokeUserPermissionRequest { id: nobody(), key: Permission::ManageAgents.into() };
    ListMembers: |o| ListMembersRequest { organisation_id: o.to_owned(), ..Default::default() };
    AddMember: |o| AddMemberRequest {
        organisation_id: o.to_owned(),
        email: "new@example.com".to_owned(),
        ..Default::default()
    };
    RemoveMember: |o| RemoveMemberRequest { organisation_id: o.to_owned(), user_id: nobody() };
    ExplainAccess: |o| ExplainAccessRequest {
        organisation_id: o.to_owned(),
        user_id: nobody(),
        permission: Permission::ViewCalls.into(),
    };
    ListApiKeys: |o| ListApiKeysRequest { organisation_id: o.to_owned(), ..Default::default() };
    CreateApiKey: |o| CreateApiKeyRequest {
        organisation_id: o.to_owned(),
        name: "Importer".to_owned(),
        permissions: vec![Permission::ViewCalls.into()],
        ..Default::default()
    };
    RevokeApiKey: |o| RevokeApiKeyRequest { organisation_id: o.to_owned(), id: nobody() };
    VerifyApiKey: |_o| VerifyApiKeyRequest { hash: vec![7; 32] };
    ReportAccount: |_o| account(UserId::new(), "Somebody");
    ReportAssignment: |o| crate::world::assignment(UserId::new(), o, &[]);
    GetAccess: |_o| GetAccessRequest { user_id: nobody(), ..Default::default() };
    GetRoles: |_o| GetRolesRequest::default();
}

/// Every RPC of tenancy, and how it ends for a caller.
async fn all(world: &World, meta: &Meta, organisation: &str) -> Vec<Option<ErrorCode>> {
    let outcomes = outcomes!(
        world,
        meta,
        organisation,
        [
            ListOrganisations,
            CreateOrganisation,
            GetOrganisation,
            UpdateOrganisation,
            ListPermissions,
            GetMyAccess,
            ListUserPermissions,
            GrantUserPermission,
            RevokeUserPermission,
            ListMembers,
            AddMember,
            RemoveMember,
            ExplainAccess,
            ListApiKeys,
            CreateApiKey,
            RevokeApiKey,
            LookUpOrganisations,
            ReportAccount,
            ReportAssignment,
            GetAccess,
            GetRoles,
            VerifyApiKey
        ]
    );
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn nobody_gets_in_without_a_token(world: &World) {
    let organisation = world.organisation("Acme").await;
    let answers = all(world, &Meta::default(), &organisation.id).await;
    assert_eq!(answers, [Some(ErrorCode::Unauthenticated); 22]);
}

async fn each_kind_of_caller_has_its_own_doors(world: &World) {
    const NO: Option<ErrorCode> = Some(ErrorCode::PermissionDenied);
    const HIDDEN: Option<ErrorCode> = Some(ErrorCode::NotFound);
    let organisation = world.organisation("Acme").await.id;
    let (superadmins, internal) = ([NO; 3], [NO; 6]);

    let user = world.user("Una").await;
    let answers = all(world, &world.signed_in(user), &organisation).await;
    let own = [None, NO, HIDDEN, HIDDEN, None, None];
    assert_eq!(answers, [&own[..], &superadmins, &[HIDDEN; 7], &internal].concat(), "a user");

    let (agent, member) = (world.agent("Ada", &organisation, &[]).await, world.member("Mia", &organisation).await);
    for (insider, who) in [(agent, "an agent with no grants"), (member, "a member with no grants")] {
        let answers = all(world, &world.signed_in(insider), &organisation).await;
        let own = [None, NO, None, NO, None, None];
        assert_eq!(answers, [&own[..], &superadmins, &[NO; 7], &internal].concat(), "{who}");
    }

    // In the handlers they find nobody and nothing to act on.
    let answers = all(world, &world.signed_in(world.superadmin), &organisation).await;
    let superadmins = [HIDDEN, Some(ErrorCode::PermissionNotGrantable), HIDDEN];
    let scoped = [None, None, HIDDEN, None, None, None, HIDDEN];
    assert_eq!(answers, [&[None; 6][..], &superadmins, &scoped, &internal].concat(), "a superadmin");

    let answers = all(world, &world.service.meta().unwrap(), &organisation).await;
    assert_eq!(answers, [&[NO; 16][..], &[None; 5], &[HIDDEN]].concat(), "a service");
}

async fn a_foreign_organisation_looks_like_none(world: &World) {
    let (own, foreign) = (world.organisation("Own").await, world.organisation("Foreign").await);
    world.deactivate(&world.organisation("Closed").await.id).await;
    let agent = world.agent("Ada", &own.id, &[Permission::ManageOrganisation]).await;
    let user = world.user("Una").await;
    for caller in [agent, user] {
        let mut seen = Vec::new();
        for id in [foreign.id.clone(), nobody()] {
            let get = GetOrganisationRequest { organisation_id: id.clone() };
            seen.push(world.call::<GetOrganisation>(caller, get).await.unwrap_err());
            let rename = UpdateOrganisationRequest {
                organisation_id: id,
                name: Some("Taken over".to_owned()),
                is_active: Some(false),
                ..Default::default()
            };
            seen.push(world.call::<UpdateOrganisation>(caller, rename).await.unwrap_err());
        }
        assert_eq!(seen, [(); 4].map(|()| Problem::not_found()));
    }
    let get = GetOrganisationRequest { organisation_id: foreign.id.clone() };
    assert_eq!(world.call::<GetOrganisation>(world.superadmin, get).await, Ok(foreign));
    let malformed = GetOrganisationRequest { organisation_id: "acme".to_owned() };
    let problem = world.call::<GetOrganisation>(agent, malformed).await.unwrap_err();
    assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "organisation_id"));
}

async fn a_missing_permission_is_named(world: &World) {
    let organisation = world.organisation("Acme").await;
    let agent = world.agent("Ada", &organisation.id, &[Permission::ViewCalls]).await;
    let rename = UpdateOrganisationRequest {
        organisation_id: organisation.id.clone(),
        name: Some("Mine".to_owned()),
        ..Default::default()
    };
    let problem = world.call::<UpdateOrganisation>(agent, rename).await.unwrap_err();
    assert_eq!(problem, Problem::permission_denied("manage_organisation"));
    let get = GetOrganisationRequest { organisation_id: organisation.id.clone() };
    assert_eq!(world.call::<GetOrganisation>(agent, get).await.unwrap().name, "Acme");
}

async fn what_is_deactivated_is_shut_out(world: &World) {
    let organisation = world.organisation("Acme").await.id;
    let get = || GetOrganisationRequest { organisation_id: organisation.clone() };

    let fired = world.agent("Fay", &organisation, &[Permission::ManageOrganisation]).await;
    world.report_account(AccountFact { version: 2, is_active: false, ..account(fired, "Fay") }).await;
    assert_eq!(code(world.call::<GetOrganisation>(fired, get()).await), ErrorCode::Unauthenticated);
    assert_eq!(code(world.call::<GetMyAccess>(fired, GetMyAccessRequest {}).await), ErrorCode::Unauthenticated);

    let stranger = UserId::new();
    assert_eq!(
        code(world.call::<ListPermissions>(stranger, ListPermissionsRequest {}).await),
        ErrorCode::Unauthenticated
    );

    let agent = world.agent("Ada", &organisation, &[Permission::ManageOrganisation]).await;
    world.deactivate(&organisation).await;
    assert_eq!(code(world.call::<GetOrganisation>(agent, get()).await), ErrorCode::NotFound);
    assert!(!world.call::<GetOrganisation>(world.superadmin, get()).await.unwrap().is_active);
}
