//! The option that says what a valid value looks like.

use crate::model::option;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind};

#[derive(Clone, Debug)]
pub struct Rules {
    pub required: bool,
    pub max_length: u32,
    pub max_items: u32,
    pub range: Option<(i64, i64)>,
    pub format: Format,
    pub secret: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Any,
    Uuid,
    Email,
    Country,
}

/// What holds where nothing is said.
impl Default for Rules {
    fn default() -> Self {
        Self { required: false, max_length: 1_000, max_items: 1_000, range: None, format: Format::Any, secret: false }
    }
}

pub fn read(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<Rules, String> {
    if field.containing_oneof().is_some_and(|o| !o.is_synthetic()) {
        return Err("is part of a oneof, which JSON of ours cannot write: use optional fields".into());
    }
    let default = Rules::default();
    let Some(said) = option(pool, &field.options(), "callfairy.options.v1.rules")? else { return Ok(default) };
    let number = |name: &str| said.get_field_by_name(name).and_then(|v| v.as_u32()).filter(|n| *n > 0);
    let flag = |name: &str| said.get_field_by_name(name).and_then(|v| v.as_bool()).unwrap_or(false);
    let rules = Rules {
        required: flag("required"),
        max_length: number("max_length").unwrap_or(default.max_length),
        max_items: number("max_items").unwrap_or(default.max_items),
        range: range(&said),
        format: format(&said)?,
        secret: flag("secret"),
    };
    let text = field.kind() == Kind::String;
    let whole = matches!(field.kind(), Kind::Uint32 | Kind::Uint64 | Kind::Int32 | Kind::Int64);
    if (number("max_length").is_some() || rules.format != Format::Any || rules.secret) && !text {
        return Err("has a rule for texts, but is none".into());
    }
    if rules.range.is_some() && !whole {
        return Err("has a range, but is not a whole number".into());
    }
    if number("max_items").is_some() && !field.is_list() {
        return Err("has max_items, but is no list".into());
    }
    Ok(rules)
}

fn range(said: &DynamicMessage) -> Option<(i64, i64)> {
    let number = |name: &str| said.get_field_by_name(name).and_then(|v| v.as_i64()).filter(|n| *n != 0);
    match (number("min"), number("max")) {
        (None, None) => None,
        (min, max) => Some((min.unwrap_or(0), max.unwrap_or(i64::MAX))),
    }
}

fn format(said: &DynamicMessage) -> Result<Format, String> {
    match said.get_field_by_name("format").and_then(|v| v.as_enum_number()).unwrap_or(0) {
        0 => Ok(Format::Any),
        1 => Ok(Format::Uuid),
        2 => Ok(Format::Email),
        3 => Ok(Format::Country),
        other => Err(format!("has the unknown format {other}")),
    }
}
