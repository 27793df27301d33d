//! Sets of permissions with a name, and what may be granted at all.
//!
//! A package is not kept: it is the name of the set that an agent holds, `custom` if that has none.

use access::PermissionSet;
use callfairy_core::{ErrorCode, FieldError, Problem};
use proto::Permission::{
    self, CreateContacts, CreateUsers, EditUsers, MakeCalls, ManageCampaigns, ManageOrganisation, ViewCalls,
    ViewContacts, ViewReports, ViewUsers,
};
use proto::agent::Package;

/// The packages that an agent can be given, each with its permissions.
pub const PACKAGES: [(Package, &[Permission]); 3] = [
    (Package::Basic, &[ManageOrganisation, ViewUsers, ViewReports]),
    (Package::Standard, &[ManageOrganisation, ViewUsers, ViewReports, ViewContacts, ViewCalls, CreateContacts]),
    (
        Package::Advanced,
        &[
            ManageOrganisation,
            ViewUsers,
            ViewReports,
            ViewContacts,
            ViewCalls,
            CreateContacts,
            CreateUsers,
            EditUsers,
            MakeCalls,
            ManageCampaigns,
        ],
    ),
];

/// The packages by their keys, with what they hold.
pub fn all() -> Vec<(String, PermissionSet)> {
    let named = |(package, held): &(Package, &[Permission])| {
        let key = package.as_str_name().trim_start_matches("PACKAGE_").to_lowercase();
        (key, held.iter().copied().collect())
    };
    PACKAGES.iter().map(named).collect()
}

/// What an assignment gets that asks for nothing.
pub const DEFAULT: Package = Package::Standard;

/// The permissions of a package; `None` for `custom`, which stands for no set.
pub fn permissions(package: Package) -> Option<PermissionSet> {
    let (_, permissions) = PACKAGES.iter().find(|(listed, _)| *listed == package)?;
    Some(permissions.iter().copied().collect())
}

/// The package that is this set.
pub fn named(set: PermissionSet) -> Package {
    let named = PACKAGES.iter().find(|(_, permissions)| permissions.iter().copied().collect::<PermissionSet>() == set);
    named.map_or(Package::Custom, |(package, _)| *package)
}

/// What a request asks for in its fields `package` and `permissions`; `None`: nothing.
pub fn asked(package: Package, list: &[Permission]) -> Result<Option<PermissionSet>, Problem> {
    match (package, list) {
        (Package::Unspecified, []) => Ok(None),
        (Package::Custom, []) => Err(Problem::field("permissions", "are required for the package custom")),
        (Package::Unspecified | Package::Custom, list) => {
            for (index, permission) in list.iter().enumerate() {
                check_grantable(&format!("permissions[{index}]"), *permission)?;
            }
            Ok(Some(list.iter().copied().collect()))
        }
        (package, []) => Ok(permissions(package)),
        (_, _) => Err(Problem::field("permissions", "cannot be given together with a package")),
    }
}

/// Refuses what belongs to superadmins alone; `field` names it in the problem.
pub fn check_grantable(field: &str, permission: Permission) -> Result<(), Problem> {
    let Some(info) = permission.info() else { return Err(Problem::field(field, "is not a permission")) };
    if !info.system {
        return Ok(());
    }
    let message = format!("{} belongs to superadmins alone", info.key);
    Err(Problem {
        fields: vec![FieldError { field: field.to_owned(), message: message.clone() }],
        permission: Some(info.key.to_owned()),
        ..Problem::new(ErrorCode::PermissionNotGrantable, format!("{field}: {message}"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(package: Package) -> Vec<&'static str> {
        let mut keys: Vec<_> = permissions(package).unwrap().iter().map(Permission::key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn packages_are_those_of_the_specification() {
        let mut expected = vec!["manage_organisation", "view_reports", "view_users"];
        assert_eq!(keys(Package::Basic), expected);
        expected.extend(["view_contacts", "view_calls", "create_contacts"]);
        expected.sort_unstable();
        assert_eq!(keys(Package::Standard), expected);
        expected.extend(["create_users", "edit_users", "make_calls", "manage_campaigns"]);
        expected.sort_unstable();
        assert_eq!(keys(Package::Advanced), expected);
        assert_eq!(permissions(Package::Custom), None);
        for (package, list) in PACKAGES {
            assert_eq!(list.len(), permissions(package).unwrap().iter().count(), "nothing twice");
            assert!(list.iter().all(|permission| check_grantable("", *permission).is_ok()));
            assert_eq!(named(permissions(package).unwrap()), package);
        }
    }

    #[test]
    fn a_set_is_named_by_what_is_in_it() {
        let mut set = permissions(Package::Basic).unwrap();
        set.insert(ViewCalls);
        assert_eq!(named(set), Package::Custom);
        set.remove(ViewCalls);
        assert_eq!(named(set), Package::Basic);
        assert_eq!(named(PermissionSet::EMPTY), Package::Custom);
    }

    #[test]
    fn a_request_asks_for_a_package_or_for_a_list() {
        assert_eq!(asked(Package::Unspecified, &[]), Ok(None));
        assert_eq!(asked(Package::Advanced, &[]), Ok(permissions(Package::Advanced)));
        let set: PermissionSet = [ViewCalls, MakeCalls].into_iter().collect();
        for package in [Package::Unspecified, Package::Custom] {
            assert_eq!(asked(package, &[MakeCalls, ViewCalls, MakeCalls]), Ok(Some(set)));
        }
        for (package, list) in [(Package::Custom, &[][..]), (Package::Basic, &[ViewCalls])] {
            let problem = asked(package, list).unwrap_err();
            assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "permissions"));
        }
    }

    #[test]
    fn superadmins_permissions_are_refused_by_name() {
        let problem = asked(Package::Custom, &[ViewCalls, Permission::ManageAgents]).unwrap_err();
        assert_eq!(problem.code, ErrorCode::PermissionNotGrantable);
        assert_eq!(problem.fields[0].field, "permissions[1]");
        assert_eq!(problem.permission.as_deref(), Some("manage_agents"));
        let refused = proto::PERMISSIONS.iter().filter(|info| check_grantable("key", info.permission).is_err());
        assert_eq!(refused.map(|info| info.category).collect::<Vec<_>>(), ["system"; 5]);
        let problem = asked(Package::Unspecified, &[Permission::Unspecified]).unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "permissions[0]"));
    }
}
