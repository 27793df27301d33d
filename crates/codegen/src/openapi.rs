//! The OpenAPI 3.1 document, from the same descriptors and their comments.

use crate::access::Access;
use crate::messages::enum_value;
use crate::model::{Contract, Rpc, source};
use crate::route::{Answer, Body, Route};
use crate::rules::Format;
use anyhow::{Result, anyhow};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

const ABOUT: &str = "Organisations, their users and agents, contacts, AI phone calls and campaigns. \
    Sign in with `POST /api/v1/auth/login` and send the access token as `Authorization: Bearer …`. \
    Every failure is an `application/problem+json` with a `code`.";

pub fn document(contract: &Contract) -> Result<Value> {
    let (mut paths, mut schemas) = (Map::new(), Schemas { contract, found: Map::new() });
    let mut tags = vec![];
    for rpc in &contract.rpcs {
        let Some(route) = &rpc.route else { continue };
        let tag = json!({"name": rpc.service.name(), "description": source(&rpc.service.parent_file(), rpc.service.path()).1});
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        let item = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        item[route.verb.to_lowercase()] = operation(rpc, route, &mut schemas)?;
    }
    schemas.found.insert("Problem".into(), problem());
    Ok(json!({
        "openapi": "3.1.0",
        "info": {"title": "CallFairy", "version": "1", "description": ABOUT, "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}},
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.found,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A failure (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"}, "instance": {"type": "string", "description": "The request's id, as in the header X-Request-Id."},
            "code": {"type": "string", "description": "A word that stays the same."},
            "errors": {"type": "array", "description": "The bad fields.", "items": {
                "type": "object", "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            }},
            "permission": {"type": "string", "description": "The missing permission."},
            "trace_id": {"type": "string"},
        },
    })
}

fn operation(rpc: &Rpc, route: &Route, schemas: &mut Schemas) -> Result<Value> {
    let (input, output) = (rpc.method.input(), rpc.method.output());
    let taken = |f: &FieldDescriptor| route.placeholders.iter().any(|p| p == f.name());
    let mut parameters: Vec<_> = input.fields().filter(taken).map(|f| parameter(&f, "path", schemas)).collect();
    let mut words = rpc.access.words();
    if rpc.people_only && rpc.access.is_scoped() {
        words.push_str(" API keys are refused.");
    }
    let mut operation = json!({
        "operationId": rpc.method.name(),
        "tags": [rpc.service.name()],
        "summary": source(&rpc.method.parent_file(), rpc.method.path()).1,
        "description": words,
    });
    let body = |content: &str, schema: Value| json!({"required": true, "content": {content: {"schema": schema}}});
    match route.body {
        Body::None => parameters.extend(input.fields().filter(|f| !taken(f)).map(|f| parameter(&f, "query", schemas))),
        Body::Json => {
            let schema = object(input.fields().filter(|f| !taken(f)), schemas);
            operation["requestBody"] = body("application/json", schema);
        }
        Body::Raw => operation["requestBody"] = body("application/json", json!({})),
        Body::Upload => {
            let mut schema =
                object(input.fields().filter(|f| !taken(f) && f.name() != "data" && f.name() != "filename"), schemas);
            schema["properties"]["file"] = json!({"type": "string", "contentMediaType": "application/octet-stream", "description": "The file, as the last part."});
            schema["required"] = json!(["file"]);
            operation["requestBody"] = body("multipart/form-data", schema);
        }
    }
    if route.verb == "POST" && matches!(route.status, 201 | 202) && rpc.access != Access::Public {
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key and body answer the first result again for 24 hours.", "schema": {"type": "string", "maxLength": 200}}));
    }
    let mut success = json!({"description": "Done."});
    match route.answer {
        Answer::Json => success["content"] = json!({"application/json": {"schema": schemas.message(&output)}}),
        Answer::Empty => {}
        Answer::Download => success["content"] = json!({"application/octet-stream": {}}),
        Answer::ServerSentEvents => {
            success["content"] = json!({"text/event-stream": {"schema": schemas.message(&output)}});
        }
    }
    let problem = |description: &str| json!({"description": description, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let mut responses = Map::from_iter([
        (route.status.to_string(), success),
        ("400".into(), problem("A field is missing or not valid.")),
        ("default".into(), problem("Any other failure.")),
    ]);
    if rpc.access != Access::Public {
        responses.insert("401".into(), problem("No valid token."));
        responses.insert("403".into(), problem("Not allowed."));
    }
    if rpc.access.is_scoped() || !route.placeholders.is_empty() {
        responses.insert("404".into(), problem("No such thing, or none that the caller may know of."));
    }
    operation["responses"] = responses.into();
    operation["parameters"] = parameters.into();
    operation["security"] = if rpc.access == Access::Public { json!([]) } else { json!([{"token": []}]) };
    operation["x-access"] = match &rpc.access {
        Access::Permission(key) => json!({"rule": "permission", "permission": key}),
        Access::Public => json!({"rule": "public"}),
        Access::SignedIn => json!({"rule": "signed_in"}),
        Access::Organisation => json!({"rule": "organisation"}),
        Access::Superadmin => json!({"rule": "superadmin"}),
        Access::Internal => return Err(anyhow!("{} is internal and has a route", rpc.method.full_name())),
    };
    Ok(operation)
}

fn parameter(field: &FieldDescriptor, place: &str, schemas: &mut Schemas) -> Value {
    let required = place == "path" || schemas.contract.rules(field).required;
    let schema = schemas.field(field);
    json!({"name": field.name(), "in": place, "required": required, "schema": schema})
}

fn object(fields: impl Iterator<Item = FieldDescriptor>, schemas: &mut Schemas) -> Value {
    let (mut properties, mut required) = (Map::new(), vec![]);
    for field in fields {
        if schemas.contract.rules(&field).required {
            required.push(field.name().to_owned());
        }
        properties.insert(field.name().to_owned(), schemas.field(&field));
    }
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

struct Schemas<'c> {
    contract: &'c Contract,
    found: Map<String, Value>,
}

impl Schemas<'_> {
    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let rules = self.contract.rules(field);
        let mut item = match field.kind() {
            Kind::Message(entry) if field.is_map() => self.kind(&entry.map_entry_value_field().kind()),
            kind => self.kind(&kind),
        };
        if field.kind() == Kind::String {
            match rules.format {
                Format::Any => item["maxLength"] = rules.max_length.into(),
                Format::Uuid => item["format"] = "uuid".into(),
                Format::Email => item["format"] = "email".into(),
                Format::Country => item["pattern"] = "^[A-Z]{2}$".into(),
            }
        }
        if let Some((min, max)) = rules.range {
            item["minimum"] = min.into();
            item["maximum"] = max.into();
        }
        let mut schema = if field.is_map() {
            json!({"type": "object", "additionalProperties": item, "maxProperties": 100})
        } else if field.is_list() {
            json!({"type": "array", "items": item, "maxItems": rules.max_items})
        } else if field.supports_presence() && item.get("$ref").is_some() {
            json!({"anyOf": [item, {"type": "null"}]})
        } else if field.supports_presence() {
            item["type"] = json!([item["type"], "null"]);
            item
        } else {
            item
        };
        let comment = source(&field.parent_message().parent_file(), field.path()).1;
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "integer", "format": "int64"}),
            Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => json!({"type": "integer", "minimum": 0}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp" => {
                json!({"type": "string", "format": "date-time"})
            }
            Kind::Message(m) => self.message(m),
            Kind::Enum(e) => self.enumeration(e),
        }
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.name().to_owned();
        if !self.found.contains_key(&name) {
            self.found.insert(name.clone(), Value::Null); // stops recursion
            let mut schema = object(message.fields(), self);
            let comment = source(&message.parent_file(), message.path()).1;
            if !comment.is_empty() {
                schema["description"] = comment.into();
            }
            self.found.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    fn enumeration(&mut self, e: &EnumDescriptor) -> Value {
        let values: Vec<_> =
            e.values().filter(|v| v.number() != 0).filter_map(|v| enum_value(e.name(), v.name())).collect();
        self.found.insert(e.name().to_owned(), json!({"type": "string", "enum": values}));
        json!({"$ref": format!("#/components/schemas/{}", e.name())})
    }
}
