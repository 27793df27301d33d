//! What the contract lets people say, and where: read from the OpenAPI document, which is made from the contract.

use proto::{Route, Rpc, Visit};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;
use testkit::Client;

/// An RPC, as REST has it.
pub struct Operation {
    /// The RPC's name.
    pub name: String,
    pub verb: Method,
    /// Below `/api/v1`, with placeholders in braces.
    pub path: String,
    /// The access option: `permission`, `organisation`, `signed_in` or `superadmin`.
    pub rule: String,
    /// Takes an `Idempotency-Key`.
    pub creates: bool,
    /// Answers events without an end.
    pub streams: bool,
    pub body: Body,
    pub fields: Vec<Field>,
    /// What must be in the query.
    pub required: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    None,
    /// JSON without any field.
    Empty,
    Json,
    Form,
}

/// A place of a request, and what can stand there.
#[derive(Debug, Clone)]
pub struct Field {
    pub place: Place,
    pub takes: Takes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Path(String),
    Query(String),
    /// The names on the way; `[]` is an element of a list, `*` any key of a map.
    Body(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    Id,
    Text,
    /// A whole file.
    File,
    PageToken,
    /// One of a few words; the first of them.
    Word(String),
    Other,
}

impl Operation {
    /// All whose callers have signed in.
    pub async fn of_contract(client: &Client) -> Vec<Self> {
        let document = client.get("//openapi.json").await.expect(200);
        let mut operations = vec![];
        for (path, verbs) in document["paths"].as_object().unwrap() {
            for (verb, told) in verbs.as_object().unwrap() {
                operations.push(Self::read(&document, path, verb, told));
            }
        }
        // What the document does not tell of would be called by nobody here.
        let told: BTreeSet<_> = operations.iter().map(|o| (o.verb.to_string(), o.path.clone())).collect();
        let mut routes = Routes::default();
        proto::each_rpc(&mut routes);
        for route in routes.0 {
            let here = (route.verb.to_uppercase(), below_base(route.path));
            assert!(told.contains(&here), "{here:?} is not in the OpenAPI document");
        }
        operations.retain(|operation| operation.rule != "public");
        operations
    }

    fn read(document: &Value, path: &str, verb: &str, told: &Value) -> Self {
        let (mut fields, mut required, mut creates) = (vec![], vec![], false);
        for parameter in told["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let takes = takes(document, &name, &parameter["schema"]);
            let place = match parameter["in"].as_str().unwrap() {
                "path" => Place::Path(name),
                "query" => Place::Query(name),
                _ => {
                    creates |= name == "Idempotency-Key";
                    continue;
                }
            };
            if let (Place::Query(name), Takes::Word(word), Some(true)) =
                (&place, &takes, parameter["required"].as_bool())
            {
                required.push((name.clone(), word.clone()));
            }
            fields.push(Field { place, takes });
        }
        let content = &told["requestBody"]["content"];
        let (mut body, schema) = match content["multipart/form-data"].get("schema") {
            Some(schema) => (Body::Form, schema),
            None => (Body::Json, &content["application/json"]["schema"]),
        };
        if content.is_null() {
            body = Body::None;
        } else {
            let before = fields.len();
            body_fields(document, schema, &mut vec![], &mut fields);
            if fields.len() == before {
                body = Body::Empty;
            }
        }
        let answers = told["responses"].as_object().unwrap();
        Self {
            name: told["operationId"].as_str().unwrap().to_owned(),
            verb: Method::from_bytes(verb.to_uppercase().as_bytes()).unwrap(),
            path: below_base(path),
            rule: told["x-access"]["rule"].as_str().unwrap().to_owned(),
            creates,
            streams: answers.values().any(|answer| answer["content"].get("text/event-stream").is_some()),
            body,
            fields,
            required,
        }
    }

    /// Whether the path names the organisation that the caller must have access to.
    pub fn is_scoped(&self) -> bool {
        matches!(self.rule.as_str(), "permission" | "organisation")
    }

    pub fn takes(&self, query: &str) -> bool {
        self.fields.iter().any(|field| field.place == Place::Query(query.to_owned()))
    }

    /// The ids in the path, but the organisation's.
    pub fn path_ids(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|field| match (&field.place, &field.takes) {
            (Place::Path(name), Takes::Id) if name != "organisation_id" => Some(name.as_str()),
            _ => None,
        })
    }
}

/// What is not below the prefix is at the root, as the client has it.
fn below_base(path: &str) -> String {
    path.strip_prefix("/api/v1").map_or_else(|| format!("/{path}"), str::to_owned)
}

#[derive(Default)]
struct Routes(Vec<Route>);

impl Visit for Routes {
    fn unary<R: Rpc>(&mut self) {
        self.0.extend(R::ROUTE);
    }

    fn server_streaming<R: Rpc>(&mut self) {
        self.0.extend(R::ROUTE);
    }

    fn client_streaming<R: Rpc>(&mut self) {
        self.0.extend(R::ROUTE);
    }
}

/// Behind references, and without the `null` that optional fields may be.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolve(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    match schema["anyOf"].as_array() {
        Some(any) => resolve(document, any.iter().find(|schema| schema["type"] != "null").unwrap()),
        None => schema,
    }
}

fn takes(document: &Value, name: &str, schema: &Value) -> Takes {
    let schema = resolve(document, schema);
    let is_text = schema["type"] == "string" || schema["type"].as_array().is_some_and(|types| types[0] == "string");
    match (schema["format"].as_str(), schema["enum"][0].as_str()) {
        (Some("uuid"), _) => Takes::Id,
        (_, Some(word)) => Takes::Word(word.to_owned()),
        (Some("date-time"), _) => Takes::Other,
        _ if schema.get("contentMediaType").is_some() => Takes::File,
        _ if is_text && name == "page_token" => Takes::PageToken,
        _ if is_text => Takes::Text,
        _ => Takes::Other,
    }
}

fn body_fields(document: &Value, schema: &Value, at: &mut Vec<String>, fields: &mut Vec<Field>) {
    let schema = resolve(document, schema);
    let mut inside = |name: &str, schema: &Value| {
        at.push(name.to_owned());
        body_fields(document, schema, at, fields);
        at.pop();
    };
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            inside(name, schema);
        }
    } else if schema["items"].is_object() {
        inside("[]", &schema["items"]);
    } else if schema["additionalProperties"].is_object() {
        inside("*", &schema["additionalProperties"]);
    } else {
        let takes = takes(document, at.last().map_or("", String::as_str), schema);
        fields.push(Field { place: Place::Body(at.clone()), takes });
    }
}
