//! What an entry may say beside its columns.

use access::PermissionSet;
use callfairy_core::Id;
use proto::Permission;
use uuid::Uuid;

/// Of a list, what comes after so many is left out.
const MAX_ITEMS: usize = 25;
const SEPARATOR: &str = ",";

/// An id, a number, or words that stand in our code. There is no way from a `String`: what somebody typed stays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail(String);

impl Detail {
    fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<String> = items.into_iter().take(MAX_ITEMS).map(|item| item.into().0).collect();
        Self(items.join(SEPARATOR))
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl From<&'static str> for Detail {
    fn from(word: &'static str) -> Self {
        Self(word.to_owned())
    }
}

impl From<bool> for Detail {
    fn from(flag: bool) -> Self {
        Self(flag.to_string())
    }
}

impl From<u64> for Detail {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<Uuid> for Detail {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl<T> From<Id<T>> for Detail {
    fn from(id: Id<T>) -> Self {
        Self(id.to_string())
    }
}

impl From<Permission> for Detail {
    fn from(permission: Permission) -> Self {
        permission.key().into()
    }
}

impl From<PermissionSet> for Detail {
    fn from(set: PermissionSet) -> Self {
        Self::list(set.iter())
    }
}

/// Separated by commas.
impl<T: Into<Self>> From<Vec<T>> for Detail {
    fn from(items: Vec<T>) -> Self {
        Self::list(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_fits() {
        let all = Detail::from(PermissionSet::from_bits(u64::MAX)).into_text();
        assert_eq!(all.split(SEPARATOR).count(), proto::PERMISSIONS.len());
        assert!(all.starts_with("view_users,create_users,") && all.len() < 1_000);
    }

    #[test]
    fn long_lists_are_cut() {
        let ids = vec![Uuid::nil(); 1_000];
        let text = Detail::from(ids).into_text();
        assert_eq!(text.split(SEPARATOR).count(), MAX_ITEMS);
        assert!(text.len() < 1_000);
    }
}
