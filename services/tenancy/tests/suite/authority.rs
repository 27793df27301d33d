//! What follows from the facts, as the other services are told it.

use crate::world::{World, account, assignment, code, nobody};
use callfairy_core::{ErrorCode, UserId};
use proto::auth::Role;
use proto::rpc::authority::{GetAccess, GetRoles, ReportAccount, ReportAssignment};
use proto::rpc::grants::RevokeUserPermission;
use proto::rpc::members::RemoveMember;
use proto::tenancy::*;
use proto::{PERMISSIONS, Permission};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashSet;

testkit::on_both!(tells_roles, refuses_malformed_reports, allows_what_the_specification_allows);

const SEED: u64 = 2_026;
const USERS: usize = 6;
const ORGANISATIONS: usize = 3;
const ROUNDS: usize = 80;

async fn tells_roles(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let (una, ada) = (world.user("Una").await, world.agent("Ada", &acme, &[]).await);
    let fired = world.agent("Fay", &world.organisation("Globex").await.id, &[]).await;
    world.report_account(AccountFact { version: 2, is_active: false, ..account(fired, "Fay") }).await;
    let users = [una, ada, fired, world.superadmin, UserId::new(), una];
    let request = GetRolesRequest { user_ids: users.iter().map(ToString::to_string).collect() };
    let mut roles = world.asks::<GetRoles>(request).await.unwrap().roles;
    roles.sort_by(|a, b| a.user_id.cmp(&b.user_id));
    let known = [(una, Role::User), (ada, Role::Agent), (fired, Role::Agent), (world.superadmin, Role::Superadmin)];
    let mut expected = known.map(|(user, role)| UserRole { user_id: user.to_string(), role: role.into() });
    expected.sort_by(|a, b| a.user_id.cmp(&b.user_id));
    assert_eq!(roles, expected);
}

async fn refuses_malformed_reports(world: &World) {
    let bad = AccountFact { user_id: "7".to_owned(), ..account(UserId::new(), "Una") };
    assert_eq!(code(world.asks::<ReportAccount>(bad).await), ErrorCode::InvalidArgument);
    let bad = AssignmentFact { permissions: vec![77], ..assignment(UserId::new(), &nobody(), &[]) };
    assert_eq!(code(world.asks::<ReportAssignment>(bad).await), ErrorCode::InvalidArgument);
    let bad = GetAccessRequest { user_id: nobody(), organisation_id: "acme".to_owned(), ..Default::default() };
    assert_eq!(code(world.asks::<GetAccess>(bad).await), ErrorCode::InvalidArgument);
}

/// Facts as a person would keep them.
struct Person {
    id: UserId,
    version: i64,
    known: bool,
    active: bool,
    superadmin: bool,
    /// The place of its organisation, and the keys of its grants.
    agent_of: Option<(usize, HashSet<&'static str>, AssignmentFact)>,
    /// The places of organisations.
    member_of: HashSet<usize>,
    granted_directly: HashSet<&'static str>,
}

/// Random histories of assignments, memberships, grants, revocations and deactivations, then every question about every pair, with the
/// answers worked out from the specification's words.
async fn allows_what_the_specification_allows(world: &World) {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut open = [true; ORGANISATIONS];
    let mut organisations = Vec::new();
    for place in 0..ORGANISATIONS {
        organisations.push(world.organisation(&format!("Organisation {place}")).await.id);
    }
    let new_person = |_| Person {
        id: UserId::new(),
        version: 0,
        known: false,
        active: false,
        superadmin: false,
        agent_of: None,
        member_of: HashSet::new(),
        granted_directly: HashSet::new(),
    };
    let mut people: Vec<_> = (0..USERS).map(new_person).collect();
    let (mut allowed, mut late) = (0, Vec::new());
    for _ in 0..ROUNDS {
        for fact in std::mem::take(&mut late) {
            world.report_assignment(fact).await;
        }
        match random.random_range(0..10) {
            0..3 => change_account(world, &mut random, &mut people).await,
            3..5 => join_or_leave(world, &mut random, &mut people, &organisations).await,
            5..7 => grant_or_revoke(world, &mut random, &mut people).await,
            7 => revoke(world, &mut random, &mut people).await,
            _ => late = assign(world, &mut random, &mut people, &organisations).await,
        }
        if random.random_bool(0.2) {
            let place = random.random_range(0..ORGANISATIONS);
            open[place] = !open[place];
            let request = UpdateOrganisationRequest {
                organisation_id: organisations[place].clone(),
                is_active: Some(open[place]),
                ..Default::default()
            };
            world.call::<proto::rpc::organisations::UpdateOrganisation>(world.superadmin, request).await.unwrap();
        }
        for person in &people {
            for (place, organisation) in organisations.iter().enumerate() {
                let answer = world.snapshot(person.id, organisation).await;
                for info in PERMISSIONS {
                    let wanted = may(person, info.key, place, open[place]);
                    assert_eq!(admits(&answer, info.permission), wanted, "{} {answer:?}", info.key);
                    allowed += usize::from(wanted);
                }
            }
        }
    }
    let cases = ROUNDS * USERS * ORGANISATIONS * PERMISSIONS.len();
    assert!(allowed > cases / 20 && allowed < cases * 19 / 20, "{allowed} of {cases}");
}

async fn change_account(world: &World, random: &mut StdRng, people: &mut [Person]) {
    let somebody = random.random_range(0..people.len());
    let person = &mut people[somebody];
    (person.known, person.version) = (true, person.version + 1);
    (person.active, person.superadmin) = (random.random_bool(0.6), random.random_bool(0.3));
    let fact = AccountFact {
        version: person.version,
        is_active: person.active,
        is_superadmin: person.superadmin,
        email: email(person),
        ..account(person.id, "Somebody")
    };
    world.report_account(fact).await;
}

/// Only active accounts join at once; the others' invitations wait.
async fn join_or_leave(world: &World, random: &mut StdRng, people: &mut [Person], organisations: &[String]) {
    let (somebody, place) = (random.random_range(0..people.len()), random.random_range(0..organisations.len()));
    let person = &mut people[somebody];
    if !person.active {
        return;
    }
    if person.member_of.insert(place) {
        return world.invite(&organisations[place], &email(person)).await;
    }
    person.member_of.remove(&place);
    let request = RemoveMemberRequest { organisation_id: organisations[place].clone(), user_id: person.id.to_string() };
    world.call::<RemoveMember>(world.superadmin, request).await.unwrap();
}

async fn grant_or_revoke(world: &World, random: &mut StdRng, people: &mut [Person]) {
    let somebody = random.random_range(0..people.len());
    let person = &mut people[somebody];
    if !person.known {
        return;
    }
    for info in PERMISSIONS.iter().filter(|info| !info.system && random.random_bool(0.3)) {
        if person.granted_directly.insert(info.key) {
            world.grant(person.id, &[info.permission]).await;
            continue;
        }
        person.granted_directly.remove(info.key);
        let request = RevokeUserPermissionRequest { id: person.id.to_string(), key: info.permission.into() };
        world.call::<RevokeUserPermission>(world.superadmin, request).await.unwrap();
    }
}

async fn revoke(world: &World, random: &mut StdRng, people: &mut [Person]) {
    let somebody = random.random_range(0..people.len());
    if let Some((_, _, fact)) = people[somebody].agent_of.take() {
        world.report_assignment(AssignmentFact { version: 2, is_active: false, ..fact }).await;
    }
}

/// Assigns somebody, and answers the ends of what that replaced: they come only after the next questions.
async fn assign(
    world: &World,
    random: &mut StdRng,
    people: &mut [Person],
    organisations: &[String],
) -> Vec<AssignmentFact> {
    let (somebody, place) = (random.random_range(0..people.len()), random.random_range(0..organisations.len()));
    let mut ended = Vec::new();
    for (index, person) in people.iter_mut().enumerate() {
        let replaced = person.agent_of.take_if(|(own, _, _)| index == somebody || *own == place);
        ended.extend(replaced.map(|(_, _, fact)| AssignmentFact { version: 2, is_active: false, ..fact }));
    }
    let granted: Vec<_> = PERMISSIONS.iter().filter(|_| random.random_bool(0.5)).collect();
    let permissions: Vec<_> = granted.iter().map(|info| info.permission).collect();
    let fact = assignment(people[somebody].id, &organisations[place], &permissions);
    people[somebody].agent_of = Some((place, granted.iter().map(|info| info.key).collect(), fact.clone()));
    world.report_assignment(fact).await;
    ended
}

fn may(person: &Person, permission: &str, place: usize, is_open: bool) -> bool {
    let superadmins_own =
        ["manage_permissions", "manage_agents", "view_system_settings", "edit_system_settings", "view_audit_logs"];
    if !person.known || !person.active {
        return false;
    }
    if person.superadmin {
        return true;
    }
    if !is_open {
        return false;
    }
    if superadmins_own.contains(&permission) {
        return false;
    }
    let directly = permission == "view_organisations" || person.granted_directly.contains(permission);
    match &person.agent_of {
        Some((own, grants, _)) => *own == place && (directly || grants.contains(permission)),
        None => directly && person.member_of.contains(&place),
    }
}

fn email(person: &Person) -> String {
    format!("{}@example.com", person.id)
}

/// As the guard reads an answer.
fn admits(answer: &AccessSnapshot, permission: Permission) -> bool {
    answer.user_is_active
        && answer.organisation_exists
        && (answer.is_superadmin
            || (answer.relation() != Relation::Unspecified && answer.permissions & (1 << (permission as i32 - 1)) != 0))
}
