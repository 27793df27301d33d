//! Keys that programs send in place of a person's token.

use crate::world::{World, account, assignment, bit, code, nobody};
use access::Meta;
use callfairy_core::{Clock, ErrorCode, Problem, UserId};
use db::diesel;
use db::diesel::prelude::*;
use db::diesel::sql_types::Binary;
use db::on;
use proto::Permission::{self, CreateContacts, EditOrganisationSettings, MakeCalls, ManageAgents, ViewCalls};
use proto::rpc::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey, VerifyApiKey};
use proto::rpc::members::RemoveMember;
use proto::rpc::organisations::UpdateOrganisation;
use proto::tenancy::*;
use sha2::{Digest, Sha256};
use std::time::Duration;

testkit::on_both!(
    is_shown_once_and_kept_as_a_hash,
    is_made_once_for_one_key,
    holds_at_most_what_its_creator_has,
    refuses_what_makes_no_key,
    lists_in_pages_without_the_keys,
    works_for_its_organisation,
    dies_with_its_revocation,
    dies_with_its_organisation,
    dies_with_its_creators_access,
    expires,
    notes_its_use_once_a_minute,
    leaves_other_organisations_keys_alone,
);

fn request(organisation: &str, permissions: &[Permission]) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        organisation_id: organisation.to_owned(),
        name: " Importer ".to_owned(),
        permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
        expires_at: None,
    }
}

async fn create(world: &World, creator: UserId, organisation: &str, permissions: &[Permission]) -> ApiKey {
    world.call::<CreateApiKey>(creator, request(organisation, permissions)).await.unwrap()
}

fn hash(key: &ApiKey) -> Vec<u8> {
    Sha256::digest(key.key.as_ref().unwrap()).to_vec()
}

async fn verify(world: &World, key: &ApiKey) -> Result<VerifiedApiKey, Problem> {
    let verified = world.asks::<VerifyApiKey>(VerifyApiKeyRequest { hash: hash(key) }).await?;
    Ok(VerifiedApiKey { as_of: 0, ..verified })
}

/// Whether it works, and otherwise looks like none.
async fn works(world: &World, key: &ApiKey) -> bool {
    match verify(world, key).await {
        Ok(verified) => verified.id == key.id,
        Err(problem) => {
            assert_eq!(problem, Problem::not_found());
            false
        }
    }
}

async fn list(world: &World, caller: UserId, organisation: &str) -> Vec<ApiKey> {
    let request = ListApiKeysRequest { organisation_id: organisation.to_owned(), ..Default::default() };
    world.call::<ListApiKeys>(caller, request).await.unwrap().api_keys
}

async fn revoke(world: &World, caller: UserId, organisation: &str, id: &str) -> Result<(), Problem> {
    let request = RevokeApiKeyRequest { organisation_id: organisation.to_owned(), id: id.to_owned() };
    world.call::<RevokeApiKey>(caller, request).await.map(|_| ())
}

#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Binary)]
    bytes: Vec<u8>,
}

async fn is_shown_once_and_kept_as_a_hash(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &acme, &[EditOrganisationSettings, ViewCalls, MakeCalls]).await;
    let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(agent) };
    let made = world.tenancy.unary::<CreateApiKey>(&meta, request(&acme, &[ViewCalls, MakeCalls])).await.unwrap();
    let text = made.key.clone().unwrap();
    assert!(text.starts_with("cf_") && text.len() == 52, "{text}");
    let expected = ApiKey {
        id: made.id.clone(),
        name: "Importer".to_owned(),
        prefix: text[..11].to_owned(),
        permissions: [MakeCalls, ViewCalls].map(i32::from).to_vec(),
        created_by: agent.to_string(),
        created_at: Some(world.clock.now().into()),
        expires_at: None,
        last_used_at: None,
        key: Some(text.clone()),
    };
    assert_eq!(made, expected);
    assert!(!format!("{made:?}").contains(&text), "a log would show it");
    assert_eq!(list(world, agent, &acme).await, [ApiKey { key: None, ..expected }]);

    // Nowhere in the database, the remembered answer included.
    let pool = db::Pool::open(world.database.url(), "tenancy", 1).unwrap().of_everyone();
    let kept = |query: &'static str| {
        let pool = pool.clone();
        async move {
            let load =
                move |db: &mut db::Db| Ok::<_, db::Error>(on!(db, |c| diesel::sql_query(query).load::<Kept>(c))?);
            pool.read(load).await.unwrap().into_iter().map(|kept| kept.bytes).collect::<Vec<_>>()
        }
    };
    assert_eq!(kept("SELECT hash AS bytes FROM api_keys").await, [Sha256::digest(&text).to_vec()]);
    let remembered = kept("SELECT response AS bytes FROM idempotency").await;
    let secret = &text.as_bytes()[11..];
    assert!(remembered.len() == 1 && !remembered[0].windows(secret.len()).any(|window| window == secret));
}

async fn is_made_once_for_one_key(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let create = async |name: &str| {
        let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(world.superadmin) };
        let request = CreateApiKeyRequest { name: name.to_owned(), ..request(&acme, &[ViewCalls]) };
        world.tenancy.unary::<CreateApiKey>(&meta, request).await
    };
    let first = create("Importer").await.unwrap();
    assert!(works(world, &first).await);
    // The same answer, but for what is shown once.
    assert_eq!(create("Importer").await.unwrap(), ApiKey { key: None, ..first });
    assert_eq!(create("Other").await.unwrap_err().code, ErrorCode::IdempotencyKeyReused);
    assert_eq!(list(world, world.superadmin, &acme).await.len(), 1);
}

async fn holds_at_most_what_its_creator_has(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &acme, &[EditOrganisationSettings, ViewCalls]).await;
    let ask = async |permissions: &[Permission]| {
        world.call::<CreateApiKey>(agent, request(&acme, permissions)).await.map(|key| key.permissions.len())
    };
    assert_eq!(ask(&[ViewCalls, MakeCalls]).await, Err(Problem::permission_denied("make_calls")));
    assert_eq!(list(world, agent, &acme).await, []);
    // At once with a grant, and with its end.
    world.grant(agent, &[MakeCalls]).await;
    assert_eq!(ask(&[ViewCalls, MakeCalls]).await, Ok(2));
    let request = RevokeUserPermissionRequest { id: agent.to_string(), key: MakeCalls.into() };
    world.call::<proto::rpc::grants::RevokeUserPermission>(world.superadmin, request).await.unwrap();
    assert_eq!(ask(&[MakeCalls]).await, Err(Problem::permission_denied("make_calls")));
}

async fn refuses_what_makes_no_key(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let refused = async |bad: CreateApiKeyRequest| {
        let problem = world.call::<CreateApiKey>(world.superadmin, bad).await.unwrap_err();
        (problem.code, problem.fields[0].field.clone())
    };
    let invalid = |field: &str| (ErrorCode::InvalidArgument, field.to_owned());
    let good = || request(&acme, &[ViewCalls]);
    assert_eq!(refused(CreateApiKeyRequest { name: " ".to_owned(), ..good() }).await, invalid("name"));
    assert_eq!(refused(request(&acme, &[])).await, invalid("permissions"));
    assert_eq!(refused(request(&acme, &[Permission::Unspecified])).await, invalid("permissions[0]"));
    // Not even superadmins give away what is theirs alone.
    let system = (ErrorCode::PermissionNotGrantable, "permissions[1]".to_owned());
    assert_eq!(refused(request(&acme, &[ViewCalls, ManageAgents])).await, system);
    let expires_at = Some(world.clock.now().into());
    assert_eq!(refused(CreateApiKeyRequest { expires_at, ..good() }).await, invalid("expires_at"));
    assert_eq!(list(world, world.superadmin, &acme).await, []);
}

async fn lists_in_pages_without_the_keys(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, create(world, world.superadmin, &acme, &[ViewCalls]).await.id);
    }
    revoke(world, world.superadmin, &acme, &expected.remove(2)).await.unwrap();
    let (mut seen, mut page_token) = (vec![], String::new());
    loop {
        let request = ListApiKeysRequest { organisation_id: acme.clone(), page_size: 3, page_token };
        let page = world.call::<ListApiKeys>(world.superadmin, request).await.unwrap();
        assert!(page.api_keys.len() <= 3 && page.api_keys.iter().all(|key| key.key.is_none()));
        seen.extend(page.api_keys.into_iter().map(|key| key.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

async fn works_for_its_organisation(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &acme, &[EditOrganisationSettings, ViewCalls, MakeCalls]).await;
    let key = create(world, agent, &acme, &[ViewCalls, MakeCalls]).await;
    let verified = |permissions: u64| VerifiedApiKey {
        id: key.id.clone(),
        organisation_id: acme.clone(),
        permissions,
        created_by: agent.to_string(),
        expires_in_milliseconds: None,
        as_of: 0,
    };
    assert_eq!(verify(world, &key).await, Ok(verified(bit(ViewCalls) | bit(MakeCalls))));
    // What its creator loses, it loses; what its creator wins, it does not.
    let fewer = assignment(agent, &acme, &[EditOrganisationSettings, MakeCalls, CreateContacts]);
    world.report_assignment(fewer).await;
    assert_eq!(verify(world, &key).await, Ok(verified(bit(MakeCalls))));

    // Nothing else verifies.
    for wrong in [vec![], vec![0; 31], vec![0; 33]] {
        let problem = world.asks::<VerifyApiKey>(VerifyApiKeyRequest { hash: wrong }).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "hash"));
    }
    let unknown = VerifyApiKeyRequest { hash: vec![7; 32] };
    assert_eq!(world.asks::<VerifyApiKey>(unknown).await, Err(Problem::not_found()));
    let asked = world.call::<VerifyApiKey>(world.superadmin, VerifyApiKeyRequest { hash: hash(&key) }).await;
    assert_eq!(code(asked), ErrorCode::PermissionDenied);
}

async fn dies_with_its_revocation(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let (key, other) = (
        create(world, world.superadmin, &acme, &[ViewCalls]).await,
        create(world, world.superadmin, &acme, &[ViewCalls]).await,
    );
    revoke(world, world.superadmin, &acme, &key.id).await.unwrap();
    assert!(!works(world, &key).await && works(world, &other).await);
    assert_eq!(revoke(world, world.superadmin, &acme, &key.id).await, Err(Problem::not_found()));
    assert_eq!(list(world, world.superadmin, &acme).await.len(), 1);
}

async fn dies_with_its_organisation(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let agent = world.agent("Ada", &acme, &[EditOrganisationSettings, ViewCalls]).await;
    let keys = [
        create(world, agent, &acme, &[ViewCalls]).await,
        // A superadmin has access to what is deactivated; a key does not.
        create(world, world.superadmin, &acme, &[ViewCalls]).await,
    ];
    for is_active in [false, true] {
        let request = UpdateOrganisationRequest {
            organisation_id: acme.clone(),
            is_active: Some(is_active),
            ..Default::default()
        };
        world.call::<UpdateOrganisation>(world.superadmin, request).await.unwrap();
        for key in &keys {
            assert_eq!(works(world, key).await, is_active);
        }
    }
}

async fn dies_with_its_creators_access(world: &World) {
    let (acme, other) = (world.organisation("Acme").await.id, world.organisation("Other").await.id);
    // A member who is removed.
    let member = world.member("Una", &acme).await;
    world.grant(member, &[EditOrganisationSettings, ViewCalls]).await;
    let key = create(world, member, &acme, &[ViewCalls]).await;
    assert!(works(world, &key).await);
    // One who becomes an agent elsewhere is suspended, and so is the key.
    let fact = assignment(member, &other, &[]);
    world.report_assignment(fact.clone()).await;
    assert!(!works(world, &key).await);
    world.report_assignment(AssignmentFact { version: 2, is_active: false, ..fact }).await;
    assert!(works(world, &key).await);
    let request = RemoveMemberRequest { organisation_id: acme.clone(), user_id: member.to_string() };
    world.call::<RemoveMember>(world.superadmin, request).await.unwrap();
    assert!(!works(world, &key).await);

    // An agent who is replaced, or whose account is deactivated.
    let agent = world.agent("Ada", &acme, &[EditOrganisationSettings, ViewCalls]).await;
    let key = create(world, agent, &acme, &[ViewCalls]).await;
    for (version, is_active) in [(2, false), (3, true)] {
        world.report_account(AccountFact { version, is_active, ..account(agent, "Ada") }).await;
        assert_eq!(works(world, &key).await, is_active);
    }
    world.agent("Bo", &acme, &[]).await;
    assert!(!works(world, &key).await);

    // A superadmin who is one no longer.
    let former = world.user("Sam").await;
    let fact = |version, is_superadmin| AccountFact { version, is_superadmin, ..account(former, "Sam") };
    world.report_account(fact(2, true)).await;
    let key = create(world, former, &acme, &[ViewCalls]).await;
    assert!(works(world, &key).await);
    world.report_account(fact(3, false)).await;
    assert!(!works(world, &key).await);
}

async fn expires(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let expires_at = Some(world.clock.now().plus(Duration::from_mins(1)).into());
    let request = CreateApiKeyRequest { expires_at, ..request(&acme, &[ViewCalls]) };
    let key = world.call::<CreateApiKey>(world.superadmin, request).await.unwrap();
    assert_eq!(key.expires_at, expires_at);
    world.clock.advance(Duration::from_mins(1) - Duration::from_micros(1));
    assert!(works(world, &key).await);
    world.clock.advance(Duration::from_micros(1));
    assert!(!works(world, &key).await);
    // It is still listed, so that people see why it does not work.
    assert_eq!(list(world, world.superadmin, &acme).await[0].expires_at, expires_at);
}

async fn notes_its_use_once_a_minute(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let key = create(world, world.superadmin, &acme, &[ViewCalls]).await;
    let last_used = async || list(world, world.superadmin, &acme).await[0].last_used_at;
    assert_eq!(last_used().await, None);
    let first = Some(world.clock.now().into());
    for (seconds, noted) in [(0, first), (30, first), (29, first)] {
        world.clock.advance(Duration::from_secs(seconds));
        assert!(works(world, &key).await);
        assert_eq!(last_used().await, noted);
    }
    world.clock.advance(Duration::from_secs(1));
    assert!(works(world, &key).await);
    assert_eq!(last_used().await, Some(world.clock.now().into()));
    // A key that does not work is not used.
    let then = last_used().await;
    world.deactivate(&acme).await;
    world.clock.advance(Duration::from_mins(1));
    assert!(!works(world, &key).await);
    assert_eq!(last_used().await, then);
}

async fn leaves_other_organisations_keys_alone(world: &World) {
    let (own, foreign) = (world.organisation("Own").await.id, world.organisation("Foreign").await.id);
    let agent = world.agent("Ada", &own, &[EditOrganisationSettings, ViewCalls]).await;
    let canary = create(world, world.superadmin, &foreign, &[ViewCalls]).await;
    let own_key = create(world, agent, &own, &[ViewCalls]).await;
    let listed = list(world, agent, &own).await;
    assert_eq!(listed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&own_key.id]);
    for organisation in [&own, &foreign, &nobody()] {
        for id in [canary.id.clone(), nobody()] {
            assert_eq!(revoke(world, agent, organisation, &id).await, Err(Problem::not_found()));
        }
    }
    for organisation in [&foreign, &nobody()] {
        assert_eq!(
            world.call::<CreateApiKey>(agent, request(organisation, &[ViewCalls])).await.unwrap_err(),
            Problem::not_found()
        );
        let request = ListApiKeysRequest { organisation_id: organisation.clone(), ..Default::default() };
        assert_eq!(world.call::<ListApiKeys>(agent, request).await.unwrap_err(), Problem::not_found());
    }
    assert!(works(world, &canary).await);
    // A page token of the foreign list leads to the own one.
    let page_token = callfairy_core::PageToken::write(&canary.id);
    let request = ListApiKeysRequest { organisation_id: own.clone(), page_size: 1, page_token };
    let page = world.call::<ListApiKeys>(agent, request).await.unwrap();
    assert!(page.api_keys.iter().all(|key| key.id != canary.id));
}
