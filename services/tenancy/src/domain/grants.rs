//! What may be granted at all.

use callfairy_core::{ErrorCode, FieldError, Problem};
use proto::Permission;

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
    use super::*;

    #[test]
    fn the_permissions_of_the_category_system_are_not_grantable() {
        let refused: Vec<_> =
            proto::PERMISSIONS.iter().filter(|info| check_grantable("key", info.permission).is_err()).collect();
        assert_eq!(refused.iter().map(|info| info.category).collect::<Vec<_>>(), ["system"; 5]);
        let problem = check_grantable("key", Permission::ManageAgents).unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::PermissionNotGrantable, "key"));
        assert_eq!(problem.permission.as_deref(), Some("manage_agents"));
        let problem = check_grantable("key", Permission::Unspecified).unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "key"));
    }
}
