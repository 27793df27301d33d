//! The rules once more, in the words of the specification and without sets of bits, against those that decide.

use super::*;
use crate::domain::explanation::explain;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::HashSet;

/// Of a user, a permission and an organisation each.
const CASES: usize = 5_000_000;
const SEED: u64 = 2_026;
const USERS: usize = 3;
const ORGANISATIONS: usize = 3;

struct World {
    users: Vec<User>,
    organisations: Vec<Organisation>,
}

struct User {
    account: Option<Account>,
    /// The place of its organisation, and the keys of its grants.
    agent_of: Option<(usize, HashSet<&'static str>)>,
    /// The places of organisations.
    member_of: HashSet<usize>,
    granted_directly: HashSet<&'static str>,
}

fn coin(random: &mut StdRng, odds: f64) -> bool {
    random.random_bool(odds)
}

/// Each key with the same odds.
fn some_keys(random: &mut StdRng) -> HashSet<&'static str> {
    // A bit of one draw for each, of two so that about a quarter comes.
    let bits = random.next_u64() & random.next_u64();
    proto::PERMISSIONS
        .iter()
        .enumerate()
        .filter(|(place, _)| bits >> place & 1 == 1)
        .map(|(_, info)| info.key)
        .collect()
}

/// Put together bit by bit, some of them twice and some taken away again.
fn as_set(keys: &HashSet<&str>, random: &mut StdRng) -> PermissionSet {
    let (mut ones, mut others) = (PermissionSet::EMPTY, PermissionSet::EMPTY);
    let twice = random.next_u64();
    for (place, info) in proto::PERMISSIONS.iter().enumerate() {
        let once = twice >> place & 1 == 0;
        ones.insert(info.permission);
        if !keys.contains(info.key) || once {
            ones.remove(info.permission);
        }
        if keys.contains(info.key) {
            others.insert(info.permission);
        }
    }
    ones.union(others)
}

impl World {
    fn random(random: &mut StdRng) -> Self {
        let organisations =
            (0..ORGANISATIONS).map(|_| Organisation { id: OrganisationId::new(), is_active: coin(random, 0.7) });
        let organisations = organisations.collect();
        let users = (0..USERS)
            .map(|_| User {
                account: coin(random, 0.9)
                    .then(|| Account { is_active: coin(random, 0.8), is_superadmin: coin(random, 0.2) }),
                agent_of: coin(random, 0.4).then(|| (random.random_range(0..ORGANISATIONS), some_keys(random))),
                member_of: (0..ORGANISATIONS).filter(|_| coin(random, 0.5)).collect(),
                granted_directly: some_keys(random),
            })
            .collect();
        Self { users, organisations }
    }

    fn allowed(&self, user: usize, permission: &str, place: Option<usize>) -> bool {
        let (user, organisation) = (&self.users[user], place.map(|place| &self.organisations[place]));
        // Who has no account, or one that is not active, may nothing.
        let Some(account) = user.account else { return false };
        if !account.is_active {
            return false;
        }
        // Nobody may anything in what does not exist; a superadmin may everything in what does.
        let (Some(place), Some(organisation)) = (place, organisation) else { return false };
        if account.is_superadmin {
            return true;
        }
        if !organisation.is_active {
            return false;
        }
        // What is a superadmin's is never anybody else's.
        let superadmins_own =
            ["manage_permissions", "manage_agents", "view_system_settings", "edit_system_settings", "view_audit_logs"];
        if superadmins_own.contains(&permission) {
            return false;
        }
        match &user.agent_of {
            // An agent may in its own organisation what it was granted, either way, and see it.
            Some((own, grants)) if *own == place => {
                permission == "view_organisations"
                    || grants.contains(permission)
                    || user.granted_directly.contains(permission)
            }
            // And nothing elsewhere, member or not.
            Some(_) => false,
            // Others may where they are members what they were granted directly, and see it.
            None => {
                user.member_of.contains(&place)
                    && (permission == "view_organisations" || user.granted_directly.contains(permission))
            }
        }
    }

    fn facts(&self, user: usize, random: &mut StdRng) -> UserFacts {
        let user = &self.users[user];
        let assignment = user.agent_of.as_ref().map(|(place, grants)| Assignment {
            organisation_id: self.organisations[*place].id,
            permissions: as_set(grants, random),
        });
        UserFacts { account: user.account, assignment, grants: as_set(&user.granted_directly, random) }
    }
}

/// As the guard reads a snapshot.
fn admits(snapshot: &Snapshot, permission: Permission) -> bool {
    snapshot.user_is_active
        && snapshot.organisation_exists
        && (snapshot.is_superadmin
            || (snapshot.relation != Relation::None && snapshot.permissions.contains(permission)))
}

#[test]
fn says_what_the_specification_says() {
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut cases, mut allowed) = (0, 0);
    while cases < CASES {
        let world = World::random(&mut random);
        for user in 0..USERS {
            let facts = world.facts(user, &mut random);
            for place in (0..ORGANISATIONS).map(Some).chain([None]) {
                let is_member = place.is_some_and(|place| world.users[user].member_of.contains(&place));
                let organisation = place.map(|place| world.organisations[place]);
                let snapshot = in_organisation(&facts, organisation, is_member);
                for info in proto::PERMISSIONS {
                    let wanted = world.allowed(user, info.key, place);
                    assert_eq!(admits(&snapshot, info.permission), wanted, "{} {snapshot:?}", info.key);
                    // What the set says alone is the same: nobody needs the other fields to ask it.
                    assert_eq!(snapshot.permissions.contains(info.permission), wanted, "{} {snapshot:?}", info.key);
                    cases += 1;
                    allowed += usize::from(wanted);
                }
            }
        }
    }
    // Neither answer is rare, or the cases would prove little.
    assert!(allowed > cases / 10 && allowed < cases * 9 / 10, "{allowed} of {cases}");
}

/// Every combination of what the rules look at.
#[test]
fn explains_what_it_decides() {
    let (own, elsewhere) = (OrganisationId::new(), OrganisationId::new());
    let accounts = [None, Some((false, false)), Some((false, true)), Some((true, false)), Some((true, true))];
    let (yes_no, mut cases) = ([false, true], 0);
    for info in proto::PERMISSIONS {
        let only: PermissionSet = [info.permission].into_iter().collect();
        let if_given = |given: bool| if given { only } else { PermissionSet::EMPTY };
        for account in
            accounts.map(|account| account.map(|(is_active, is_superadmin)| Account { is_active, is_superadmin }))
        {
            for assigned in [None, Some((own, false)), Some((own, true)), Some((elsewhere, true))] {
                for (is_open, is_member) in yes_no.into_iter().flat_map(|open| yes_no.map(|member| (open, member))) {
                    for granted in yes_no {
                        let assignment = assigned.map(|(organisation_id, given)| Assignment {
                            organisation_id,
                            permissions: if_given(given),
                        });
                        let facts = UserFacts { account, assignment, grants: if_given(granted) };
                        let organisation = Organisation { id: own, is_active: is_open };
                        let snapshot = in_organisation(&facts, Some(organisation), is_member);
                        let explained = explain(&facts, organisation, is_member, info.permission);
                        let wanted = admits(&snapshot, info.permission);
                        assert_eq!(explained.allowed, wanted, "{} {facts:?}", info.key);
                        // The last sentence decides, and says which way.
                        let decides = explained.because.last().map(String::as_str).unwrap_or_default();
                        let refuses =
                            decides.contains(" not ") || decides.contains(" no ") || decides.contains("alone");
                        assert_eq!(refuses, !wanted, "{decides}");
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 24 * 5 * 4 * 4 * 2);
}
