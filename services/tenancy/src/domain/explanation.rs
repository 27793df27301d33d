//! Why somebody may do something, or may not, in sentences.

use super::access::{Account, Organisation, Standing, UserFacts, in_organisation, standing};
use proto::Permission;
use proto::auth::Role;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub allowed: bool,
    /// The facts; the last one decides.
    pub because: Vec<String>,
}

/// Decided by [`in_organisation`], as for a request; the sentences follow the same facts.
pub fn explain(user: &UserFacts, organisation: Organisation, is_member: bool, permission: Permission) -> Explanation {
    let snapshot = in_organisation(user, Some(organisation), is_member);
    let standing = standing(user, organisation, is_member);
    Explanation { allowed: snapshot.permissions.contains(permission), because: sentences(user, standing, permission) }
}

fn sentences(user: &UserFacts, standing: Standing, permission: Permission) -> Vec<String> {
    match user.account {
        None => return vec!["there is no account with this id".to_owned()],
        Some(Account { is_active: false, .. }) => {
            return vec!["the account is not active, so it gives access to nothing".to_owned()];
        }
        Some(Account { is_active: true, .. }) => {}
    }
    let role = match user.role() {
        Role::Superadmin => return vec!["the role is superadmin, which may do everything everywhere".to_owned()],
        Role::Agent => "the role is agent",
        Role::User | Role::Unspecified => "the role is user",
    };
    let mut sentences = vec![role.to_owned()];
    sentences.push(relation(standing).to_owned());
    let assigned = match standing {
        Standing::Agent(assigned) => assigned.contains(permission),
        Standing::Member => false,
        Standing::Closed | Standing::Suspended | Standing::Outsider => return sentences,
    };
    let (key, granted) = (permission.key(), user.grants.contains(permission));
    sentences.push(match (permission, assigned, granted) {
        _ if permission.info().is_none_or(|info| info.system) => format!("{key} belongs to superadmins alone"),
        (Permission::ViewOrganisations, ..) => format!("{key} comes with the relation to the organisation"),
        (_, true, true) => format!("{key} is held by the assignment, and was granted directly"),
        (_, true, false) => format!("{key} is held by the assignment"),
        (_, false, true) => format!("{key} was granted directly"),
        (_, false, false) if matches!(standing, Standing::Agent(_)) => {
            format!("{key} is not held by the assignment, and was not granted directly")
        }
        (_, false, false) => format!("{key} was not granted directly"),
    });
    sentences
}

fn relation(standing: Standing) -> &'static str {
    match standing {
        Standing::Closed => "the organisation is deactivated, and gives access to superadmins alone",
        Standing::Agent(_) => "the user is the organisation's agent",
        Standing::Member => "the user is a member of the organisation",
        Standing::Suspended => {
            "the user is a member of the organisation, which gives no access while the user is the agent of another one"
        }
        Standing::Outsider => "the user is not a member of the organisation, nor its agent",
    }
}
