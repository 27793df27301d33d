//! What tenancy records of its own work.

use crate::world::{DEADLINE, World, account, code, nobody};
use access::{Client, Meta, Origin};
use audit::{Action, Actor, Entry};
use callfairy_core::{Clock, ErrorCode, Secret, UserId};
use proto::Permission::{EditOrganisationSettings, ManageAgents, ManageOrganisation, ViewCalls, ViewUsers};
use proto::Rpc;
use proto::rpc::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey, VerifyApiKey};
use proto::rpc::audit_log::ListAuditLogs;
use proto::rpc::authority::GetRoles;
use proto::rpc::grants::{GrantUserPermission, RevokeUserPermission};
use proto::rpc::members::{AddMember, ListMembers, RemoveMember};
use proto::rpc::organisations::{CreateOrganisation, GetOrganisation, UpdateOrganisation};
use proto::tenancy::*;
use runtime::{Listener, LocalSlots, Shutdown};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

testkit::on_both!(
    each_change_is_recorded_once,
    what_changes_nothing_is_not_recorded,
    memberships_are_recorded_when_they_begin,
    the_use_of_a_key_is_recorded_once_an_hour,
    refusals_are_recorded_by_caller_and_door,
    a_flood_of_refusals_makes_few_entries,
    refusals_are_recorded_before_the_end,
    entries_hold_nothing_personal_and_no_secret,
    what_cannot_be_an_entry_keeps_none_back,
);

/// An entry without what differs each time: what was done, by whom, in which organisation, to whom, and the details.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    action: String,
    actor: String,
    organisation: Option<String>,
    subject: String,
    details: BTreeMap<String, String>,
}

fn told(
    action: &str,
    actor: impl ToString,
    organisation: Option<&str>,
    subject: &str,
    details: &[(&str, String)],
) -> Told {
    Told {
        action: action.to_owned(),
        actor: actor.to_string(),
        organisation: organisation.map(str::to_owned),
        subject: subject.to_owned(),
        details: details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}

async fn everything(world: &World) -> Vec<AuditLogEntry> {
    world.all_is_recorded().await;
    let request = ListAuditLogsRequest { page_size: 200, ..Default::default() };
    let answer = world.call::<ListAuditLogs>(world.superadmin, request).await.unwrap();
    assert_eq!(answer.next_page_token, "");
    answer.audit_logs
}

/// All entries but those of these actions, sorted.
async fn all_told(world: &World, but: &[&str]) -> Vec<Told> {
    let entries = everything(world).await.into_iter().filter(|entry| !but.contains(&entry.action.as_str()));
    let mut all: Vec<Told> = entries
        .map(|entry| {
            let (actor, subject) = (entry.actor.unwrap(), entry.subject.unwrap_or_default());
            Told {
                action: entry.action,
                actor: actor.id,
                organisation: entry.organisation_id,
                subject: subject.id,
                details: entry.details,
            }
        })
        .collect();
    all.sort();
    all
}

fn sorted(mut all: Vec<Told>) -> Vec<Told> {
    all.sort();
    all
}

/// As a superadmin in front of a known network.
async fn ask<R: Rpc>(world: &World, request: R::Request) -> R::Response {
    let meta = Meta { origin: from("192.0.2.77"), ..world.signed_in(world.superadmin) };
    world.tenancy.unary::<R>(&meta, request).await.unwrap()
}

fn from(address: &str) -> Origin {
    Origin::new(None, Some(address.parse().unwrap()))
}

fn key_request(organisation: &str) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        organisation_id: organisation.to_owned(),
        name: "Importer".to_owned(),
        permissions: vec![ViewUsers.into(), ViewCalls.into()],
        ..Default::default()
    }
}

async fn each_change_is_recorded_once(world: &World) {
    let (admin, ada) = (world.superadmin, world.user("Ada").await);
    let id = ada.to_string();
    let created = CreateOrganisationRequest { name: "Dental".to_owned(), ..Default::default() };
    let organisation = ask::<CreateOrganisation>(world, created).await.id;
    let changed = UpdateOrganisationRequest {
        organisation_id: organisation.clone(),
        city: Some("Pune".to_owned()),
        is_active: Some(true),
        ..Default::default()
    };
    ask::<UpdateOrganisation>(world, changed).await;
    let added = AddMemberRequest {
        organisation_id: organisation.clone(),
        email: "ada@example.com".to_owned(),
        ..Default::default()
    };
    ask::<AddMember>(world, added).await;
    ask::<GrantUserPermission>(world, GrantUserPermissionRequest { id: id.clone(), key: ViewCalls.into() }).await;
    ask::<RevokeUserPermission>(world, RevokeUserPermissionRequest { id: id.clone(), key: ViewCalls.into() }).await;
    let key = ask::<CreateApiKey>(world, key_request(&organisation)).await.id;
    let gone = RevokeApiKeyRequest { organisation_id: organisation.clone(), id: key.clone() };
    ask::<RevokeApiKey>(world, gone).await;
    let removed = RemoveMemberRequest { organisation_id: organisation.clone(), user_id: id.clone() };
    ask::<RemoveMember>(world, removed).await;

    let (here, key, permission) =
        (Some(organisation.as_str()), key.as_str(), [("permission", "view_calls".to_owned())]);
    let fields = [("fields", "city,is_active".to_owned()), ("is_active", "true".to_owned())];
    let expected = vec![
        told("organisation_created", admin, here, &organisation, &[]),
        told("organisation_changed", admin, here, &organisation, &fields),
        told("member_invited", admin, here, "", &[]),
        told("member_added", admin, here, &id, &[("invited_by", admin.to_string())]),
        told("permission_granted", admin, None, &id, &permission),
        told("permission_revoked", admin, None, &id, &permission),
        told("api_key_created", admin, here, key, &[("permissions", "view_users,view_calls".to_owned())]),
        told("api_key_revoked", admin, here, key, &[]),
        told("member_removed", admin, here, &id, &[]),
    ];
    assert_eq!(all_told(world, &[]).await, sorted(expected));
    for entry in everything(world).await {
        assert_eq!((entry.outcome.as_str(), entry.network.as_str()), ("done", "192.0.2.0/24"), "{entry:?}");
        assert_eq!(entry.at, Some(world.clock.now().into()));
        assert_eq!(entry.actor.unwrap().kind, "user");
    }
    tenancy::verify_audit_log(&db::Pool::open(world.database.url(), "tenancy", 1).unwrap(), None).await.unwrap();
}

async fn what_changes_nothing_is_not_recorded(world: &World) {
    let (organisation, ada) = (world.organisation("Dental").await.id, world.user("Ada").await);
    world.grant(ada, &[ViewCalls, ViewCalls]).await;
    for key in [ViewUsers, ViewCalls, ViewCalls] {
        let request = RevokeUserPermissionRequest { id: ada.to_string(), key: key.into() };
        world.call::<RevokeUserPermission>(world.superadmin, request).await.unwrap();
    }
    let nothing = UpdateOrganisationRequest { organisation_id: organisation.clone(), ..Default::default() };
    world.call::<UpdateOrganisation>(world.superadmin, nothing).await.unwrap();
    let stranger = RemoveMemberRequest { organisation_id: organisation.clone(), user_id: ada.to_string() };
    assert_eq!(code(world.call::<RemoveMember>(world.superadmin, stranger).await), ErrorCode::NotFound);
    // A request that comes again with its key.
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..world.signed_in(world.superadmin) };
    for _ in 0..2 {
        world.tenancy.unary::<CreateApiKey>(&meta, key_request(&organisation)).await.unwrap();
    }
    let actions: Vec<String> = all_told(world, &[]).await.into_iter().map(|told| told.action).collect();
    assert_eq!(actions, ["api_key_created", "organisation_created", "permission_granted", "permission_revoked"]);
}

async fn memberships_are_recorded_when_they_begin(world: &World) {
    let organisation = world.organisation("Dental").await.id;
    world.invite(&organisation, "ada@example.com").await;
    let ada = world.user("Ada").await;
    // Reported again, and invited again.
    world.report_account(AccountFact { version: 2, ..account(ada, "Ada") }).await;
    world.invite(&organisation, "ada@example.com").await;
    let (here, by) = (Some(organisation.as_str()), world.superadmin);
    let expected = vec![
        told("member_invited", by, here, "", &[]),
        told("member_invited", by, here, "", &[]),
        // By the platform itself: nobody was there when the account came.
        told("member_added", "", here, &ada.to_string(), &[("invited_by", by.to_string())]),
    ];
    assert_eq!(all_told(world, &["organisation_created"]).await, sorted(expected));
    assert_eq!(world.audited("member_added").await[0].actor.as_ref().unwrap().kind, "system");
}

async fn the_use_of_a_key_is_recorded_once_an_hour(world: &World) {
    let organisation = world.organisation("Dental").await.id;
    let key = world.call::<CreateApiKey>(world.superadmin, key_request(&organisation)).await.unwrap();
    let hash = Sha256::digest(key.key.unwrap()).to_vec();
    let mut recorded = vec![];
    for minutes in [0, 10, 30, 19, 1, 59, 1] {
        world.clock.advance(Duration::from_mins(minutes));
        world.asks::<VerifyApiKey>(VerifyApiKeyRequest { hash: hash.clone() }).await.unwrap();
        world.all_is_recorded().await;
        recorded.push(world.audited("api_key_used").await.len());
    }
    // At 12:00, 12:10, 12:40, 12:59, 13:00, 13:59, 14:00.
    assert_eq!(recorded, [1, 1, 1, 1, 2, 2, 3]);
    let entry = &world.audited("api_key_used").await[0];
    let actor = AuditActor { kind: "api_key".to_owned(), id: key.id.clone() };
    assert_eq!((entry.actor.as_ref(), entry.organisation_id.as_ref()), (Some(&actor), Some(&organisation)));
}

/// Past the end of the window.
async fn refused(world: &World, count: usize) -> Vec<AuditLogEntry> {
    world.clock.advance(access::REFUSALS_WINDOW);
    testkit::eventually("the refusals were in the log", DEADLINE, async || {
        world.all_is_recorded().await;
        let entries = world.audited("access_refused").await;
        (entries.len() >= count).then_some(entries)
    })
    .await
}

async fn refusals_are_recorded_by_caller_and_door(world: &World) {
    let organisation = world.organisation("Dental").await.id;
    let (ada, eve) = (world.member("Ada", &organisation).await, world.user("Eve").await);
    let before = world.clock.now();
    let list = ListMembersRequest { organisation_id: organisation.clone(), ..Default::default() };
    for _ in 0..30 {
        // Each time in another session.
        let meta = Meta { origin: from("2001:db8:1:2::3"), ..world.signed_in(ada) };
        assert_eq!(code(world.tenancy.unary::<ListMembers>(&meta, list.clone()).await), ErrorCode::PermissionDenied);
    }
    for _ in 0..2 {
        assert_eq!(code(world.call::<ListMembers>(eve, list.clone()).await), ErrorCode::NotFound);
    }
    assert_eq!(code(world.call::<ListAuditLogs>(ada, <_>::default()).await), ErrorCode::PermissionDenied);
    assert_eq!(code(world.call::<GetRoles>(eve, <_>::default()).await), ErrorCode::PermissionDenied);
    // What only the handler can tell: that this belongs to superadmins alone, and what the creator of a key lacks.
    let system = GrantUserPermissionRequest { id: eve.to_string(), key: ManageAgents.into() };
    let answer = world.call::<GrantUserPermission>(world.superadmin, system).await;
    assert_eq!(code(answer), ErrorCode::PermissionNotGrantable);
    world.grant(ada, &[EditOrganisationSettings]).await;
    assert_eq!(code(world.call::<CreateApiKey>(ada, key_request(&organisation)).await), ErrorCode::PermissionDenied);
    // What is wrong with a token or with a field is no refusal.
    let forged = Meta::with_token(Secret::new("forged"));
    let answer = world.tenancy.unary::<ListMembers>(&forged, list).await;
    assert_eq!(code(answer), ErrorCode::Unauthenticated);
    let nameless = world.call::<CreateOrganisation>(world.superadmin, <_>::default()).await;
    assert_eq!(code(nameless), ErrorCode::InvalidArgument);
    // What a handler does not find is none either.
    let unknown = RemoveMemberRequest { organisation_id: organisation.clone(), user_id: eve.to_string() };
    assert_eq!(code(world.call::<RemoveMember>(world.superadmin, unknown).await), ErrorCode::NotFound);

    let entries = refused(world, 6).await;
    for entry in &entries {
        assert_eq!((entry.outcome.as_str(), entry.at), ("refused", Some(before.into())), "{entry:?}");
    }
    let here = Some(organisation.as_str());
    let door = |rpc: &str, count: u64| vec![("rpc", rpc.to_owned()), ("count", count.to_string())];
    let permission = |mut details: Vec<(&'static str, String)>| {
        details.push(("permission", "view_users".to_owned()));
        details
    };
    let expected = vec![
        told("access_refused", ada, here, "", &permission(door(ListMembers::GRPC_PATH, 30))),
        told("access_refused", eve, here, "", &door(ListMembers::GRPC_PATH, 2)),
        told("access_refused", ada, None, "", &door(ListAuditLogs::GRPC_PATH, 1)),
        told("access_refused", eve, None, "", &door(GetRoles::GRPC_PATH, 1)),
        told("access_refused", ada, here, "", &permission(door(CreateApiKey::GRPC_PATH, 1))),
        told("access_refused", world.superadmin, None, "", &{
            let mut details = door(GrantUserPermission::GRPC_PATH, 1);
            details.push(("permission", "manage_agents".to_owned()));
            details
        }),
    ];
    let others = ["organisation_created", "member_invited", "member_added", "permission_granted"];
    assert_eq!(all_told(world, &others).await, sorted(expected));
    let of_ada = entries.iter().find(|entry| entry.details.get("count").is_some_and(|count| count == "30")).unwrap();
    assert_eq!(of_ada.network, "2001:db8:1::/48");

    // The next window is another entry.
    let list = ListMembersRequest { organisation_id: organisation.clone(), ..Default::default() };
    assert_eq!(code(world.call::<ListMembers>(ada, list).await), ErrorCode::PermissionDenied);
    assert_eq!(refused(world, 7).await.len(), 7);
}

async fn a_flood_of_refusals_makes_few_entries(world: &World) {
    let eve = world.user("Eve").await;
    for _ in 0..300 {
        let request = GetOrganisationRequest { organisation_id: nobody() };
        assert_eq!(code(world.call::<GetOrganisation>(eve, request).await), ErrorCode::NotFound);
    }
    let entries = refused(world, 1).await;
    assert!(entries.len() <= 11, "{}", entries.len());
    let counts = entries.iter().map(|entry| entry.details["count"].parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), 300);
    assert!(entries.iter().any(|entry| entry.details["rpc"] == "several"));
}

async fn refusals_are_recorded_before_the_end(world: &World) {
    let eve = world.user("Eve").await;
    let (shutdown, slot) = (Shutdown::new(), LocalSlots::default().tenancy);
    let replica = tokio::spawn(tenancy::serve(world.config(), Listener::local(slot.clone()), shutdown.clone()));
    let (client, meta) = (Client::Local(slot), world.signed_in(eve));
    testkit::eventually("the replica refuses", DEADLINE, async || {
        let request = GetOrganisationRequest { organisation_id: nobody() };
        let answer = client.unary::<GetOrganisation>(&meta, request).await;
        (code(answer) == ErrorCode::NotFound).then_some(())
    })
    .await;
    // The clock stands still: the window is not over.
    assert_eq!(everything(world).await.len(), 0);
    shutdown.begin();
    replica.await.unwrap().unwrap();
    world.all_is_recorded().await;
    assert_eq!(world.audited("access_refused").await.len(), 1);
}

async fn entries_hold_nothing_personal_and_no_secret(world: &World) {
    let canary = |what: &str| format!("canary {what}");
    let created = CreateOrganisationRequest {
        name: canary("name"),
        description: canary("description"),
        address: canary("street"),
        city: canary("city"),
        pincode: "canary 1".to_owned(),
        ..Default::default()
    };
    let organisation = world.call::<CreateOrganisation>(world.superadmin, created).await.unwrap().id;
    let changed = UpdateOrganisationRequest {
        organisation_id: organisation.clone(),
        name: Some(canary("new name")),
        address: Some(canary("new street")),
        ..Default::default()
    };
    world.call::<UpdateOrganisation>(world.superadmin, changed).await.unwrap();
    let ada = UserId::new();
    let fact = AccountFact { email: "canary@example.com".to_owned(), name: canary("Ada"), ..account(ada, "Ada") };
    world.report_account(fact).await;
    for email in ["canary@example.com", "canary-two@example.com"] {
        let request = AddMemberRequest {
            organisation_id: organisation.clone(),
            email: email.to_owned(),
            name: canary("invited"),
        };
        world.call::<AddMember>(world.superadmin, request).await.unwrap();
    }
    world.grant(ada, &[ManageOrganisation]).await;
    let request = CreateApiKeyRequest { name: canary("key"), ..key_request(&organisation) };
    let key = world.call::<CreateApiKey>(world.superadmin, request).await.unwrap();
    let secret = key.key.clone().unwrap();
    let meta = |token: &str| Meta {
        origin: Origin::new(Some(b"canary device"), Some("198.51.100.99".parse().unwrap())),
        idempotency_key: Some(canary("idempotency")),
        request_id: Some(canary("request")),
        ..Meta::with_token(Secret::new(token))
    };
    let list = ListApiKeysRequest { organisation_id: organisation.clone(), ..Default::default() };
    let by_key = world.tenancy.unary::<ListApiKeys>(&meta(&secret), list).await;
    assert_eq!(code(by_key), ErrorCode::PermissionDenied);
    let token = world.signed_in(ada).token.unwrap();
    let members = ListMembersRequest { organisation_id: organisation, ..Default::default() };
    let answer = world.tenancy.unary::<ListMembers>(&meta(token.expose()), members).await;
    assert_eq!(code(answer), ErrorCode::PermissionDenied);

    refused(world, 2).await;
    let entries = everything(world).await;
    assert!(entries.len() >= 9, "{entries:#?}");
    let hash = hex::encode(Sha256::digest(&secret));
    let written = serde_json::to_string(&entries).unwrap().to_lowercase();
    for planted in ["canary", "@", "198.51.100.99", &secret.to_lowercase(), &hash, &key.prefix.to_lowercase()] {
        assert!(!written.contains(planted), "{planted}");
    }
    assert!(!written.contains(&token.expose().to_lowercase()));
    assert!(written.contains("198.51.100.0/24"));
}

async fn what_cannot_be_an_entry_keeps_none_back(world: &World) {
    let now = world.clock.now();
    let together = move |db: &mut db::Db| -> Result<(), db::Error> {
        let nameless = serde_json::to_value(NewAuditEntry::default()).unwrap();
        for payload in [serde_json::json!("nonsense"), nameless] {
            db::outbox::add(db, db::outbox::Outgoing::new(audit::TOPIC, payload))?;
        }
        Ok(audit::record(db, &Entry::new(Actor::System, Action::SettingsChanged), now)?)
    };
    let pool = db::Pool::open(world.database.url(), "tenancy", 1).unwrap();
    pool.write(together).await.unwrap();
    let recorded = async || (world.audited("settings_changed").await.len() == 1).then_some(());
    testkit::eventually("the entry was in the log", DEADLINE, recorded).await;
}
