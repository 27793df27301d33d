//! The messages, by prost, with the rules of our JSON as serde attributes.

use crate::model::{Contract, snake};
use crate::{OPTIONS, ROOT};
use prost_reflect::{Kind, MessageDescriptor};
use prost_types::FileDescriptorSet;
use std::path::Path;

const DERIVE: &str = "#[derive(serde::Serialize, serde::Deserialize)]";

/// `CALL_STATUS_NO_ANSWER` of `CallStatus` is `no_answer`.
pub fn enum_value(enumeration: &str, value: &str) -> Option<String> {
    let prefix = snake(enumeration).to_uppercase();
    Some(value.strip_prefix(&prefix)?.strip_prefix('_')?.to_lowercase())
}

/// What the JSON rules cannot write.
pub fn check(contract: &Contract, faults: &mut Vec<String>) {
    for e in &contract.enums {
        for value in e.values().filter(|v| enum_value(e.name(), v.name()).is_none()) {
            faults.push(format!("{}: {} lacks the enum's prefix", e.full_name(), value.name()));
        }
    }
    for field in contract.messages.iter().flat_map(|m| m.fields().collect::<Vec<_>>()) {
        let kind = match field.kind() {
            Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        match kind {
            Kind::Enum(_) | Kind::Bytes if field.is_map() => {
                faults.push(format!("{}: maps of enums or bytes have no JSON rule", field.full_name()));
            }
            Kind::Message(m) if m.package_name() == "google.protobuf" && m.name() != "Timestamp" => {
                faults.push(format!("{}: {} has no JSON rule", field.full_name(), m.full_name()));
            }
            _ => {}
        }
    }
}

pub fn write(contract: &Contract, mut descriptors: FileDescriptorSet, out: &Path) -> std::io::Result<()> {
    // The options are for the build only; prost wants to see the well-known types, and does not write them.
    let ours = |package: &str| package.starts_with(ROOT) && package != OPTIONS;
    descriptors.file.retain(|f| ours(f.package()) || f.name() == "google/protobuf/timestamp.proto");
    let mut config = prost_build::Config::new();
    config.out_dir(out).include_file("messages.rs");
    // Maps in a stable order; times as our own type, which has a JSON form.
    config.btree_map(["."]).extern_path(".google.protobuf.Timestamp", "crate::json::Timestamp");
    add_json_rules(contract, &mut config);
    let with_secrets = contract.messages.iter().filter(|m| m.fields().any(|f| contract.rules(&f).secret));
    config.skip_debug(with_secrets.map(MessageDescriptor::full_name)); // `validation` writes one that hides them
    config.compile_fds(descriptors)
}

/// Paths have no leading dot on purpose: prost then matches them exactly, not everything below them.
fn add_json_rules(contract: &Contract, config: &mut prost_build::Config) {
    for e in &contract.enums {
        config.enum_attribute(e.full_name(), DERIVE);
        for value in e.values() {
            let path = format!("{}.{}", e.full_name(), value.name());
            let json = enum_value(e.name(), value.name()).unwrap_or_default();
            // Zero means that nothing was said; nobody can say it.
            let skip = if value.number() == 0 { ", skip_deserializing" } else { "" };
            config.field_attribute(path, format!("#[serde(rename = {json:?}{skip})]"));
        }
    }
    for message in &contract.messages {
        config.message_attribute(message.full_name(), format!("{DERIVE}\n#[serde(default, deny_unknown_fields)]"));
        for field in message.fields().filter(|f| !f.is_map()) {
            let rule = match field.kind() {
                Kind::Enum(e) => {
                    let module = e.package_name().replace('.', "::");
                    format!("#[serde(with = \"crate::json::EnumAs::<crate::pb::{module}::{}>\")]", e.name())
                }
                Kind::Bytes => "#[serde(with = \"crate::json::base64\")]".into(),
                _ => continue,
            };
            config.field_attribute(format!("{}.{}", message.full_name(), field.name()), rule);
        }
    }
}
