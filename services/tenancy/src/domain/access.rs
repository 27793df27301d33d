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

/// All that is known of a user, whatever the organisation; nothing of an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserFacts {
    pub account: Option<Account>,
    pub assignment: Option<Assignment>,
    /// Granted directly.
    pub grants: PermissionSet,
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

/// How a user stands to an organisation, superadmin or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The organisation is deactivated: nobody has a relation to it.
    Closed,
    /// Its agent, with the grants of the assignment.
    Agent(PermissionSet),
    Member,
    /// A member who is another organisation's agent, and acts there only.
    Suspended,
    Outsider,
}

pub fn standing(user: &UserFacts, organisation: Organisation, is_member: bool) -> Standing {
    match user.assignment {
        _ if !organisation.is_active => Standing::Closed,
        Some(own) if own.organisation_id == organisation.id => Standing::Agent(own.permissions),
        Some(_) if is_member => Standing::Suspended,
        None if is_member => Standing::Member,
        Some(_) | None => Standing::Outsider,
    }
}

/// What the user may do in an organisation; `None`: one that does not exist.
pub fn in_organisation(user: &UserFacts, organisation: Option<Organisation>, is_member: bool) -> Snapshot {
    let platform = on_platform(user);
    let Some(organisation) = organisation.filter(|_| platform.user_is_active) else {
        return Snapshot { permissions: PermissionSet::EMPTY, ..platform };
    };
    let (relation, granted) = match standing(user, organisation, is_member) {
        Standing::Agent(assigned) => (Relation::Agent, counting(assigned.union(user.grants))),
        Standing::Member => (Relation::Member, counting(user.grants)),
        Standing::Closed | Standing::Suspended | Standing::Outsider => (Relation::None, PermissionSet::EMPTY),
    };
    Snapshot { organisation_exists: true, relation, permissions: platform.permissions.union(granted), ..platform }
}

impl UserFacts {
    /// The role follows from the facts; it is never set beside them.
    pub fn role(&self) -> Role {
        let is_superadmin = self.account.is_some_and(|account| account.is_superadmin);
        match (is_superadmin, self.assignment) {
            (true, _) => Role::Superadmin,
            (false, Some(_)) => Role::Agent,
            (false, None) => Role::User,
        }
    }
}

/// What grants come to where the user has a relation: those of superadmins never count, and to see the organisation is
/// implied.
fn counting(granted: PermissionSet) -> PermissionSet {
    let mut permissions = PermissionSet::from_bits(granted.bits() & PermissionSet::grantable().bits());
    permissions.insert(Permission::ViewOrganisations);
    permissions
}

fn every_permission() -> PermissionSet {
    proto::PERMISSIONS.iter().map(|info| info.permission).collect()
}

#[cfg(test)]
mod specification;
#[cfg(test)]
mod tests;
