//! `Validate` for every message that comes in, and a `Debug` that hides secrets.

use crate::model::Contract;
use crate::rpcs::type_path;
use crate::rules::{Format, Rules};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::fmt::{Result, Write};

pub fn rust(contract: &Contract) -> std::result::Result<String, std::fmt::Error> {
    let mut o = String::new();
    for message in contract.reachable(|_| true, false) {
        let path = type_path(&message);
        writeln!(
            o,
            "impl crate::Validate for crate::{path} {{\n#[allow(unused_variables)]\nfn validate(&self, v: &mut crate::Validator) {{"
        )?;
        for field in message.fields() {
            check(&mut o, &field, &contract.rules(&field))?;
        }
        writeln!(o, "}}\n}}")?;
    }
    for message in contract.messages.iter().filter(|m| m.fields().any(|f| contract.rules(&f).secret)) {
        debug(&mut o, contract, message)?;
    }
    Ok(o)
}

/// The field's name in Rust.
fn ident(name: &str) -> String {
    match name {
        "type" | "use" | "match" | "move" | "ref" | "in" | "where" | "async" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

fn check(o: &mut String, field: &FieldDescriptor, rules: &Rules) -> Result {
    let (name, member) = (field.name(), format!("self.{}", ident(field.name())));
    if field.is_map() {
        return writeln!(o, "v.map({name:?}, &{member});");
    }
    if field.is_list() {
        writeln!(o, "if v.list({name:?}, {member}.len(), {}, {}) {{", rules.max_items, rules.required)?;
        let each = match field.kind() {
            Kind::String => format!("v.text(\"\", value, {});", text_rules(rules, false)),
            Kind::Enum(e) => {
                format!("v.enumeration(\"\", *value, false, crate::{}::try_from(*value).is_ok());", enum_path(&e))
            }
            Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp" => {
                "v.time(\"\", Some(value), false);".into()
            }
            Kind::Message(_) => "crate::Validate::validate(value, v);".into(),
            _ => String::new(),
        };
        if !each.is_empty() {
            writeln!(
                o,
                "for (index, value) in {member}.iter().enumerate() {{ v.at({name:?}, index, |v| {{ {each} }}); }}"
            )?;
        }
        return writeln!(o, "}}");
    }
    let optional = field.supports_presence();
    let (open, value, close) = if optional {
        (format!("if let Some(value) = {member} {{ "), "value".to_owned(), " }")
    } else {
        (String::new(), member.clone(), "")
    };
    match field.kind() {
        Kind::String if optional => {
            writeln!(
                o,
                "if let Some(value) = &{member} {{ v.text({name:?}, value, {}); }}",
                text_rules(rules, rules.required)
            )?;
        }
        Kind::String => writeln!(o, "v.text({name:?}, &{member}, {});", text_rules(rules, rules.required))?,
        Kind::Enum(e) => {
            let known = format!("crate::{}::try_from({value}).is_ok()", enum_path(&e));
            writeln!(o, "{open}v.enumeration({name:?}, {value}, {}, {known});{close}", rules.required)?;
        }
        Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp" => {
            writeln!(o, "v.time({name:?}, {member}.as_ref(), {});", rules.required)?;
        }
        Kind::Message(_) => writeln!(o, "v.nested({name:?}, {member}.as_ref(), {});", rules.required)?,
        Kind::Uint32 | Kind::Uint64 | Kind::Int32 | Kind::Int64 => {
            if let Some((min, max)) = rules.range {
                writeln!(o, "{open}v.number({name:?}, i128::from({value}), {min}, {max});{close}")?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn text_rules(rules: &Rules, required: bool) -> String {
    let format = match rules.format {
        Format::Any => "Any",
        Format::Uuid => "Uuid",
        Format::Email => "Email",
        Format::Country => "Country",
    };
    format!(
        "&crate::TextRules {{ required: {required}, max_length: {}, format: crate::TextFormat::{format} }}",
        rules.max_length
    )
}

fn enum_path(e: &prost_reflect::EnumDescriptor) -> String {
    format!("{}::{}", crate::rpcs::module(e.package_name()), e.name())
}

fn debug(o: &mut String, contract: &Contract, message: &MessageDescriptor) -> Result {
    writeln!(o, "impl std::fmt::Debug for crate::{} {{", type_path(message))?;
    writeln!(
        o,
        "fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\nf.debug_struct({:?})",
        message.name()
    )?;
    for field in message.fields() {
        let name = field.name();
        if contract.rules(&field).secret {
            writeln!(o, ".field({name:?}, &format_args!(\"[secret]\"))")?;
        } else {
            writeln!(o, ".field({name:?}, &self.{})", ident(name))?;
        }
    }
    writeln!(o, ".finish()\n}}\n}}")
}
