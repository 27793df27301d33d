//! The option that says who may call a method.

use crate::model::{option, text};
use prost_reflect::{DescriptorPool, Kind, MethodDescriptor, ReflectMessage};

#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    Public,
    SignedIn,
    Organisation,
    /// The permission's key, such as `view_contacts`.
    Permission(String),
    Superadmin,
    Internal,
}

impl Access {
    /// Whether the request names an organisation that the caller must have access to.
    pub fn is_scoped(&self) -> bool {
        matches!(self, Self::Organisation | Self::Permission(_))
    }

    /// In a sentence, for the documentation.
    pub fn words(&self) -> String {
        match self {
            Self::Public => "Anybody may call this.".into(),
            Self::SignedIn => "Needs a valid token.".into(),
            Self::Organisation => "Needs access to the organisation.".into(),
            Self::Permission(key) => format!("Needs the permission `{key}` in the organisation."),
            Self::Superadmin => "For superadmins.".into(),
            Self::Internal => "For our own services.".into(),
        }
    }
}

/// Whether API keys are refused, whatever their permissions.
pub fn people_only(pool: &DescriptorPool, method: &MethodDescriptor, access: &Access) -> Result<bool, String> {
    let option = option(pool, &method.options(), "callfairy.options.v1.access")?;
    let said = option.and_then(|option| option.get_field_by_name("people_only")?.as_bool()).unwrap_or_default();
    match access {
        Access::SignedIn | Access::Superadmin => Ok(true),
        Access::Organisation | Access::Permission(_) => Ok(said),
        Access::Public | Access::Internal if said => Err("is for people only, and is public or internal".into()),
        Access::Public | Access::Internal => Ok(false),
    }
}

pub fn read(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Access, String> {
    const MISSING: &str = concat!(
        "has no (callfairy.options.v1.access) option: ",
        "add `option (callfairy.options.v1.access) = {permission: PERMISSION_…};`, ",
        "or {public: {}}, {signed_in: {}}, {organisation: {}}, {superadmin: {}}, {internal: {}}"
    );
    let option = option(pool, &method.options(), "callfairy.options.v1.access")?.ok_or(MISSING)?;
    let rule = option.descriptor().oneofs().flat_map(|o| o.fields().collect::<Vec<_>>()).find(|f| option.has_field(f));
    let rule = rule.ok_or("says nothing in its access option")?;
    let access = match rule.name() {
        "public" => Access::Public,
        "signed_in" => Access::SignedIn,
        "organisation" => Access::Organisation,
        "superadmin" => Access::Superadmin,
        "internal" => Access::Internal,
        _ => {
            let Kind::Enum(permissions) = rule.kind() else { return Err("has an unknown access rule".into()) };
            let number = option.get_field(&rule).as_enum_number().unwrap_or(0);
            let value = permissions.get_value(number).filter(|_| number != 0).ok_or("names no permission")?;
            Access::Permission(value.name().trim_start_matches("PERMISSION_").to_lowercase())
        }
    };
    if access.is_scoped() {
        let input = method.input();
        let field = input.get_field_by_name("organisation_id");
        if !field.is_some_and(|f| f.kind() == Kind::String && !f.is_list() && !f.supports_presence()) {
            return Err(format!("is scoped to an organisation, but {} has no `string organisation_id`", input.name()));
        }
        let http = crate::model::option(pool, &method.options(), "google.api.http")?;
        let paths = http.iter().flat_map(|h| ["get", "put", "post", "patch", "delete"].map(|verb| text(h, verb)));
        if paths.filter(|p| !p.is_empty()).any(|p| !p.contains("{organisation_id}")) {
            return Err("is scoped to an organisation, but its path has no {organisation_id}".into());
        }
    }
    Ok(access)
}
