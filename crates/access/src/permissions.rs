//! A set of permissions, as bits.

use proto::Permission;

/// At most 64 permissions; the one with number n in the contract is bit n-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PermissionSet(u64);

impl PermissionSet {
    pub const EMPTY: Self = Self(0);

    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    pub const fn insert(&mut self, permission: Permission) {
        self.0 |= Self::bit(permission);
    }

    pub const fn remove(&mut self, permission: Permission) {
        self.0 &= !Self::bit(permission);
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        proto::PERMISSIONS.iter().map(|info| info.permission).filter(move |p| self.contains(*p))
    }

    /// Every permission that can be granted: all but those of superadmins.
    pub fn grantable() -> Self {
        proto::PERMISSIONS.iter().filter(|info| !info.system).map(|info| info.permission).collect()
    }

    const fn bit(permission: Permission) -> u64 {
        match permission as i32 {
            number @ 1..=64 => 1 << (number - 1),
            _ => 0, // the unspecified one is in no set
        }
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, |mut set, permission| {
            set.insert(permission);
            set
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let mut set: PermissionSet = [Permission::ViewUsers, Permission::MakeCalls].into_iter().collect();
        assert!(set.contains(Permission::MakeCalls) && !set.contains(Permission::ViewCalls));
        set.remove(Permission::MakeCalls);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::ViewUsers]);
        set.insert(Permission::Unspecified);
        assert!(!set.contains(Permission::Unspecified));
        assert_eq!(PermissionSet::from_bits(set.bits()), set);
    }

    #[test]
    fn nineteen_of_twenty_four_are_grantable() {
        assert_eq!(proto::PERMISSIONS.len(), 24);
        assert_eq!(PermissionSet::grantable().iter().count(), 19);
        assert!(!PermissionSet::grantable().contains(Permission::ManageAgents));
    }
}
