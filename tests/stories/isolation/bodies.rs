//! Requests that work: the least that each RPC with a body asks for, in each form that it takes.

use super::operations::{Body, Operation, Place, Takes};
use super::words::Words;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is asked for, in the order in which one thing needs another. A text that begins with `$` stands for a new one
/// of its kind, or for the first thing that an RPC has made.
pub fn table() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("AddMember", vec![json!({"email": "$email", "name": "$text"})]),
        ("CreateApiKey", vec![json!({"name": "$text", "permissions": ["view_contacts"]})]),
        (
            "CreateContact",
            vec![json!({
                "name": "$text", "phone_number": "$phone", "email": "$email", "tags": ["$tag"],
                "metadata": {"note": "$text"},
            })],
        ),
        (
            "CreateImport",
            ["skip", "update"].map(|on_duplicate| json!({"file": "$csv", "on_duplicate": on_duplicate})).to_vec(),
        ),
        (
            "CreateAssistant",
            vec![json!({
                "name": "$text", "prompt": "$text", "first_sentence": "$text",
                "voicemail": {"action": "leave_message", "message": "$text"},
            })],
        ),
        (
            "CreateCall",
            vec![
                json!({
                    "phone_number": "$phone", "task": "$text", "metadata": {"note": "$text"}, "scheduled_at": "$later",
                }),
                json!({"contact_id": "$CreateContact", "assistant_id": "$CreateAssistant", "scheduled_at": "$later"}),
            ],
        ),
        (
            "CreateCampaign",
            vec![
                json!({"name": "$text", "task": "$text", "contacts": {"tag": "$tag"}}),
                json!({"name": "$text", "task": "$text", "contacts": {"all": true}}),
                json!({
                    "name": "$text", "assistant_id": "$CreateAssistant", "contacts": {"ids": ["$CreateContact"]},
                }),
            ],
        ),
    ]
}

/// The bodies of one RPC.
pub fn of(operation: &Operation) -> Vec<Value> {
    match operation.body {
        Body::None => return vec![Value::Null],
        Body::Empty => return vec![json!({})],
        // Whoever may not call it is told so, whatever the body says.
        _ if !operation.is_scoped() => return vec![json!({})],
        // Whatever changes a thing may change any of its texts alone.
        Body::Json if operation.verb == "PATCH" => return vec![least_change(operation)],
        Body::Json | Body::Form => {}
    }
    let known = table().into_iter().find(|(name, _)| *name == operation.name);
    let Some((name, bodies)) = known else {
        panic!(
            "isolation needs a body that {} accepts: write its least one into tests/stories/isolation/bodies.rs",
            operation.name
        )
    };
    assert!(!bodies.is_empty(), "{name} has no body");
    bodies
}

fn least_change(operation: &Operation) -> Value {
    let text = operation.fields.iter().find_map(|field| match (&field.place, &field.takes) {
        (Place::Body(way), Takes::Text) if way.len() == 1 => Some(way[0].as_str()),
        _ => None,
    });
    json!({text.unwrap_or_else(|| panic!("{} changes no text", operation.name)): "$text"})
}

/// Whether the body names no other things.
pub fn is_complete(body: &Value) -> bool {
    match body {
        Value::String(text) => !text.starts_with("$Create"),
        Value::Array(items) => items.iter().all(is_complete),
        Value::Object(fields) => fields.values().all(is_complete),
        _ => true,
    }
}

/// The body with words and ids in it.
pub fn fill(body: &Value, words: &Words, made: &BTreeMap<String, String>) -> Value {
    match body {
        Value::String(text) => match text.strip_prefix('$') {
            Some(kind) => json!(made.get(kind).cloned().unwrap_or_else(|| words.say(kind))),
            None => body.clone(),
        },
        Value::Array(items) => items.iter().map(|item| fill(item, words, made)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| (name.clone(), fill(value, words, made));
            Value::Object(fields.iter().map(field).collect())
        }
        _ => body.clone(),
    }
}
