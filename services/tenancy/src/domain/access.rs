//! Who may do what: what follows from the facts that are known of a user and an organisation.

use access::{PermissionSet, Relation, Snapshot};
use callfairy_core::OrganisationId;
use proto::Permission;
use proto::auth::Role;

/// What auth says of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub is_active: bool,
    pub is_superadmin: bool,
}

/// The active assignment of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    pub organisation_id: OrganisationId,
    pub permissions: PermissionSet,
}

/// All that is known of a user; nothing of an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserFacts {
    pub account: Option<Account>,
    pub assignment: Option<Assignment>,
}

/// An organisation that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organisation {
    pub id: OrganisationId,
    pub is_active: bool,
}

const NOTHING: Snapshot = Snapshot {
    user_is_active: false,
    is_superadmin: false,
    organisation_exists: false,
    relation: Relation::None,
    permissions: PermissionSet::EMPTY,
};

/// What the user is on the platform, whatever the organisation.
pub fn on_platform(user: &UserFacts) -> Snapshot {
    match user.account {
        Some(Account { is_active: true, is_superadmin }) => Snapshot {
            user_is_active: true,
            is_superadmin,
            permissions: if is_superadmin { every_permission() } else { PermissionSet::EMPTY },
            ..NOTHING
        },
        _ => NOTHING,
    }
}

/// What the user may do in an organisation; `None`: one that does not exist.
pub fn in_organisation(user: &UserFacts, organisation: Option<Organisation>) -> Snapshot {
    let platform = on_platform(user);
    let Some(organisation) = organisation.filter(|_| platform.user_is_active) else {
        return Snapshot { permissions: PermissionSet::EMPTY, ..platform };
    };
    let assignment = user.assignment.filter(|a| organisation.is_active && a.organisation_id == organisation.id);
    let (relation, granted) = match assignment {
        Some(assignment) => (Relation::Agent, agent_permissions(assignment.permissions)),
        None => (Relation::None, PermissionSet::EMPTY),
    };
    Snapshot { organisation_exists: true, relation, permissions: platform.permissions.union(granted), ..platform }
}

/// The role follows from the facts; it is never set beside them.
pub fn role(is_superadmin: bool, is_agent: bool) -> Role {
    match (is_superadmin, is_agent) {
        (true, _) => Role::Superadmin,
        (false, true) => Role::Agent,
        (false, false) => Role::User,
    }
}

/// What an agent's grants come to in its own organisation: those of superadmins never count, and to see the
/// organisation is implied.
fn agent_permissions(granted: PermissionSet) -> PermissionSet {
    let mut permissions = PermissionSet::from_bits(granted.bits() & PermissionSet::grantable().bits());
    permissions.insert(Permission::ViewOrganisations);
    permissions
}

fn every_permission() -> PermissionSet {
    proto::PERMISSIONS.iter().map(|info| info.permission).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::collections::HashSet;

    const CASES: usize = 100_000;
    const SEED: u64 = 2_026;

    const ACTIVE: Option<Account> = Some(Account { is_active: true, is_superadmin: false });
    const SUPERADMIN: Option<Account> = Some(Account { is_active: true, is_superadmin: true });

    fn organisation(is_active: bool) -> Organisation {
        Organisation { id: OrganisationId::new(), is_active }
    }

    fn agent_of(organisation: Organisation, permissions: &[Permission]) -> UserFacts {
        let permissions = permissions.iter().copied().collect();
        UserFacts { account: ACTIVE, assignment: Some(Assignment { organisation_id: organisation.id, permissions }) }
    }

    fn keys(snapshot: Snapshot) -> Vec<&'static str> {
        snapshot.permissions.iter().map(Permission::key).collect()
    }

    #[test]
    fn an_agent_acts_in_its_own_organisation_only() {
        let (own, other) = (organisation(true), organisation(true));
        let agent = agent_of(own, &[Permission::ViewCalls]);
        let here = in_organisation(&agent, Some(own));
        assert_eq!((here.relation, keys(here)), (Relation::Agent, vec!["view_organisations", "view_calls"]));
        let there = in_organisation(&agent, Some(other));
        assert_eq!((there.relation, keys(there)), (Relation::None, vec![]));
        assert!(there.organisation_exists);
        assert_eq!(keys(on_platform(&agent)), [] as [&str; 0]);
    }

    #[test]
    fn superadmins_permissions_are_nobody_elses() {
        let own = organisation(true);
        let agent = agent_of(own, &[Permission::ManageAgents, Permission::ViewAuditLogs]);
        assert_eq!(keys(in_organisation(&agent, Some(own))), ["view_organisations"]);
    }

    #[test]
    fn what_is_deactivated_gives_nothing() {
        let (active, inactive) = (organisation(true), organisation(false));
        let agent = agent_of(inactive, &[Permission::ViewCalls]);
        let snapshot = in_organisation(&agent, Some(inactive));
        assert_eq!((snapshot.relation, keys(snapshot)), (Relation::None, vec![]));
        for account in [None, Some(Account { is_active: false, is_superadmin: true })] {
            let user = UserFacts { account, ..agent_of(active, &[Permission::ViewCalls]) };
            assert_eq!(in_organisation(&user, Some(active)), NOTHING);
            assert_eq!(on_platform(&user), NOTHING);
        }
    }

    #[test]
    fn superadmins_may_everything_wherever_there_is_something() {
        let superadmin = UserFacts { account: SUPERADMIN, assignment: None };
        assert_eq!(keys(on_platform(&superadmin)).len(), 24);
        for is_active in [true, false] {
            let snapshot = in_organisation(&superadmin, Some(organisation(is_active)));
            assert_eq!((snapshot.relation, keys(snapshot).len()), (Relation::None, 24));
        }
        let nowhere = in_organisation(&superadmin, None);
        assert!(nowhere.is_superadmin && !nowhere.organisation_exists);
        assert_eq!(keys(nowhere), [] as [&str; 0]);
        // One that is an agent stays a superadmin.
        let own = organisation(true);
        let both = UserFacts { account: SUPERADMIN, ..agent_of(own, &[]) };
        let snapshot = in_organisation(&both, Some(own));
        assert_eq!((snapshot.relation, keys(snapshot).len()), (Relation::Agent, 24));
    }

    #[test]
    fn roles() {
        assert_eq!(role(true, true), Role::Superadmin);
        assert_eq!(role(true, false), Role::Superadmin);
        assert_eq!(role(false, true), Role::Agent);
        assert_eq!(role(false, false), Role::User);
    }

    /// The rules once more, in the words of the specification and without sets of bits.
    struct World {
        users: Vec<User>,
        organisations: Vec<Organisation>,
    }

    struct User {
        account: Option<Account>,
        /// The place of its organisation, and the keys of its grants.
        agent_of: Option<(usize, HashSet<&'static str>)>,
    }

    impl World {
        fn random(random: &mut StdRng) -> Self {
            let mut coin = |odds: f64| random.random_bool(odds);
            let organisations: Vec<_> = (0..3).map(|_| organisation(coin(0.7))).collect();
            let users = (0..3)
                .map(|_| {
                    let known = coin(0.9);
                    let account = Account { is_active: coin(0.8), is_superadmin: coin(0.2) };
                    let place = usize::from(coin(0.5)) + usize::from(coin(0.5));
                    let grants = proto::PERMISSIONS.iter().filter(|_| coin(0.4)).map(|info| info.key).collect();
                    User { account: known.then_some(account), agent_of: coin(0.7).then_some((place, grants)) }
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
            let Some(organisation) = organisation else { return false };
            if account.is_superadmin {
                return true;
            }
            if !organisation.is_active {
                return false;
            }
            // An agent may in its own organisation what it was granted, and see it; but never what is a superadmin's.
            let superadmins_own = [
                "manage_permissions",
                "manage_agents",
                "view_system_settings",
                "edit_system_settings",
                "view_audit_logs",
            ];
            match &user.agent_of {
                Some((own, grants)) if Some(*own) == place => {
                    permission == "view_organisations"
                        || (grants.contains(permission) && !superadmins_own.contains(&permission))
                }
                _ => false,
            }
        }

        fn facts(&self, user: usize) -> UserFacts {
            let user = &self.users[user];
            let assignment = user.agent_of.as_ref().map(|(place, grants)| Assignment {
                organisation_id: self.organisations[*place].id,
                permissions: proto::PERMISSIONS
                    .iter()
                    .filter(|info| grants.contains(info.key))
                    .map(|info| info.permission)
                    .collect(),
            });
            UserFacts { account: user.account, assignment }
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
            for user in 0..world.users.len() {
                let place = random.random_bool(0.9).then(|| random.random_range(0..world.organisations.len()));
                let snapshot = in_organisation(&world.facts(user), place.map(|place| world.organisations[place]));
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
        // Neither answer is rare, or the cases would prove little.
        assert!(allowed > cases / 10 && allowed < cases * 9 / 10, "{allowed} of {cases}");
    }
}
