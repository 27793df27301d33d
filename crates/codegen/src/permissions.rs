//! The table of permissions.

use crate::model::{camel, option, text};
use prost_reflect::DescriptorPool;
use std::fmt::Write;

pub struct Permission {
    pub key: String,
    pub category: String,
    pub description: String,
    pub system: bool,
}

pub fn read(pool: &DescriptorPool, faults: &mut Vec<String>) -> Vec<Permission> {
    let Some(permissions) = pool.get_enum_by_name("callfairy.types.v1.Permission") else { return vec![] };
    let mut all = vec![];
    for (bit, value) in permissions.values().filter(|v| v.number() != 0).enumerate() {
        let key = value.name().trim_start_matches("PERMISSION_").to_lowercase();
        if usize::try_from(value.number()) != Ok(bit + 1) || bit >= 64 {
            faults.push(format!("{}: permissions are numbered 1 to 64 without a gap", value.name()));
        }
        match option(pool, &value.options(), "callfairy.options.v1.permission_info") {
            Ok(Some(info)) => all.push(Permission {
                key,
                category: text(&info, "category"),
                description: text(&info, "description"),
                system: info.get_field_by_name("system").and_then(|v| v.as_bool()).unwrap_or(false),
            }),
            _ => faults.push(format!("{}: has no (callfairy.options.v1.permission_info) option", value.name())),
        }
    }
    all
}

pub fn rust(contract: &crate::model::Contract) -> Result<String, std::fmt::Error> {
    let mut o = String::new();
    writeln!(
        o,
        "/// Every permission, in the order of its bit.\npub const PERMISSIONS: &[crate::PermissionInfo] = &["
    )?;
    for Permission { key, category, description, system } in &contract.permissions {
        let variant = camel(key);
        writeln!(
            o,
            "crate::PermissionInfo {{ permission: crate::types::Permission::{variant}, key: {key:?}, category: {category:?}, description: {description:?}, system: {system} }},"
        )?;
    }
    writeln!(o, "];")?;
    Ok(o)
}
