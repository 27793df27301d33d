//! The rules, one by one.

use super::*;

const ACTIVE: Option<Account> = Some(Account { is_active: true, is_superadmin: false });
const SUPERADMIN: Option<Account> = Some(Account { is_active: true, is_superadmin: true });

fn organisation(is_active: bool) -> Organisation {
    Organisation { id: OrganisationId::new(), is_active }
}

fn user(grants: &[Permission]) -> UserFacts {
    UserFacts { account: ACTIVE, assignment: None, grants: grants.iter().copied().collect() }
}

fn agent_of(organisation: Organisation, permissions: &[Permission]) -> UserFacts {
    let permissions = permissions.iter().copied().collect();
    UserFacts { assignment: Some(Assignment { organisation_id: organisation.id, permissions }), ..user(&[]) }
}

fn keys(snapshot: Snapshot) -> Vec<&'static str> {
    snapshot.permissions.iter().map(Permission::key).collect()
}

fn seen(snapshot: Snapshot) -> (Relation, Vec<&'static str>) {
    (snapshot.relation, keys(snapshot))
}

#[test]
fn an_agent_acts_in_its_own_organisation_only() {
    let (own, other) = (organisation(true), organisation(true));
    let agent = agent_of(own, &[Permission::ViewCalls]);
    let here = in_organisation(&agent, Some(own), false);
    assert_eq!(seen(here), (Relation::Agent, vec!["view_organisations", "view_calls"]));
    let there = in_organisation(&agent, Some(other), false);
    assert_eq!(seen(there), (Relation::None, vec![]));
    assert!(there.organisation_exists);
    assert_eq!(keys(on_platform(&agent)), [] as [&str; 0]);
}

#[test]
fn an_agents_direct_grants_count_in_its_own_organisation() {
    let own = organisation(true);
    let grants = [Permission::MakeCalls].into_iter().collect();
    let agent = UserFacts { grants, ..agent_of(own, &[Permission::ViewCalls]) };
    let here = in_organisation(&agent, Some(own), false);
    assert_eq!(seen(here), (Relation::Agent, vec!["view_organisations", "make_calls", "view_calls"]));
    assert_eq!(seen(in_organisation(&agent, Some(organisation(true)), false)), (Relation::None, vec![]));
}

#[test]
fn a_member_may_what_it_was_granted_directly() {
    let joined = organisation(true);
    let member = user(&[Permission::ViewCalls]);
    let expected = (Relation::Member, vec!["view_organisations", "view_calls"]);
    assert_eq!(seen(in_organisation(&member, Some(joined), true)), expected);
    assert_eq!(seen(in_organisation(&user(&[]), Some(joined), true)), (Relation::Member, vec!["view_organisations"]));
    assert_eq!(seen(in_organisation(&member, Some(joined), false)), (Relation::None, vec![]));
    assert_eq!(seen(in_organisation(&member, Some(organisation(false)), true)), (Relation::None, vec![]));
    assert_eq!(member.role(), Role::User);
}

#[test]
fn an_assignment_suspends_memberships() {
    let (own, joined) = (organisation(true), organisation(true));
    let grants = [Permission::ViewCalls].into_iter().collect();
    let agent = UserFacts { grants, ..agent_of(own, &[]) };
    assert_eq!(seen(in_organisation(&agent, Some(joined), true)), (Relation::None, vec![]));
    // A member of its own organisation is its agent, no less.
    let here = in_organisation(&agent, Some(own), true);
    assert_eq!(seen(here), (Relation::Agent, vec!["view_organisations", "view_calls"]));
    // It is the assignment that suspends, not what it gives.
    let closed = agent_of(organisation(false), &[]);
    assert_eq!(seen(in_organisation(&closed, Some(joined), true)), (Relation::None, vec![]));
    let revoked = UserFacts { assignment: None, ..agent };
    assert_eq!(in_organisation(&revoked, Some(joined), true).relation, Relation::Member);
}

#[test]
fn superadmins_permissions_are_nobody_elses() {
    let own = organisation(true);
    let system = [Permission::ManageAgents, Permission::ViewAuditLogs];
    let agent = agent_of(own, &system);
    assert_eq!(keys(in_organisation(&agent, Some(own), false)), ["view_organisations"]);
    assert_eq!(keys(in_organisation(&user(&system), Some(own), true)), ["view_organisations"]);
}

#[test]
fn what_is_deactivated_gives_nothing() {
    let (active, inactive) = (organisation(true), organisation(false));
    let agent = agent_of(inactive, &[Permission::ViewCalls]);
    assert_eq!(seen(in_organisation(&agent, Some(inactive), true)), (Relation::None, vec![]));
    for account in [None, Some(Account { is_active: false, is_superadmin: true })] {
        for facts in [agent_of(active, &[Permission::ViewCalls]), user(&[Permission::ViewCalls])] {
            let facts = UserFacts { account, ..facts };
            assert_eq!(in_organisation(&facts, Some(active), true), NOTHING);
            assert_eq!(on_platform(&facts), NOTHING);
        }
    }
}

#[test]
fn superadmins_may_everything_wherever_there_is_something() {
    let superadmin = UserFacts { account: SUPERADMIN, ..user(&[]) };
    assert_eq!(keys(on_platform(&superadmin)).len(), 24);
    for is_active in [true, false] {
        let snapshot = in_organisation(&superadmin, Some(organisation(is_active)), false);
        assert_eq!((snapshot.relation, keys(snapshot).len()), (Relation::None, 24));
    }
    let nowhere = in_organisation(&superadmin, None, false);
    assert!(nowhere.is_superadmin && !nowhere.organisation_exists);
    assert_eq!(keys(nowhere), [] as [&str; 0]);
    // One that is an agent or a member stays a superadmin.
    let own = organisation(true);
    let both = UserFacts { account: SUPERADMIN, ..agent_of(own, &[]) };
    let snapshot = in_organisation(&both, Some(own), false);
    assert_eq!((snapshot.relation, keys(snapshot).len()), (Relation::Agent, 24));
    let snapshot = in_organisation(&superadmin, Some(own), true);
    assert_eq!((snapshot.relation, keys(snapshot).len()), (Relation::Member, 24));
}

#[test]
fn the_role_follows_from_the_facts() {
    let agent = agent_of(organisation(true), &[]);
    assert_eq!(UserFacts { account: SUPERADMIN, ..agent }.role(), Role::Superadmin);
    assert_eq!(UserFacts { account: SUPERADMIN, ..user(&[]) }.role(), Role::Superadmin);
    assert_eq!(agent.role(), Role::Agent);
    assert_eq!(user(&[Permission::ViewCalls]).role(), Role::User);
}
