//! A request that is made of parts, and what is told in answer.

use super::operations::{Body, Operation, Place};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Answer, Client};

/// Between the parts of a form.
const BOUNDARY: &str = "part-of-an-isolation-story";

#[derive(Debug, Clone)]
pub struct Request {
    name: String,
    verb: Method,
    path: String,
    query: BTreeMap<String, String>,
    form: bool,
    body: Value,
    pub once: Option<String>,
}

impl Request {
    pub fn new(operation: &Operation, body: Value) -> Self {
        Self {
            name: operation.name.clone(),
            verb: operation.verb.clone(),
            path: operation.path.clone(),
            query: operation.required.iter().cloned().collect(),
            form: operation.body == Body::Form,
            body,
            once: None,
        }
    }

    /// The same with `value` in this place.
    #[must_use]
    pub fn with(mut self, place: &Place, value: &str) -> Self {
        match place {
            Place::Path(name) => self.path = self.path.replace(&format!("{{{name}}}"), value),
            Place::Query(name) => {
                self.query.insert(name.clone(), value.to_owned());
            }
            Place::Body(way) => put(&mut self.body, way, value),
        }
        self
    }

    #[must_use]
    pub fn path(self, name: &str, value: &str) -> Self {
        self.with(&Place::Path(name.to_owned()), value)
    }

    #[must_use]
    pub fn query(self, name: &str, value: &str) -> Self {
        self.with(&Place::Query(name.to_owned()), value)
    }

    pub fn url(&self) -> String {
        let query = self.query.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let query = query.collect::<Vec<_>>().join("&");
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// # Panics
    /// When it is answered that there is no answer.
    pub async fn send(&self, client: &Client) -> Answer {
        let mut request = client.request(self.verb.clone(), &self.url());
        if let Some(key) = &self.once {
            request = request.header("Idempotency-Key", key);
        }
        if self.form {
            let kind = format!("multipart/form-data; boundary={BOUNDARY}");
            request = request.header(CONTENT_TYPE, kind).body(self.multipart());
        } else if !self.body.is_null() {
            request = request.json(&self.body);
        }
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        assert!(answer.status < 500 && answer.status != 429, "{self}: {} {}", answer.status, answer.body);
        answer
    }

    /// The file comes last.
    fn multipart(&self) -> String {
        let fields = self.body.as_object().unwrap();
        let part = |name: &str, more: &str, value: &str| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
        };
        let texts = fields.iter().filter(|(name, _)| *name != "file").flat_map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(|item| part(name, "", item.as_str().unwrap())).collect(),
            value => vec![part(name, "", value.as_str().unwrap())],
        });
        let file = part("file", "; filename=\"a.csv\"\r\nContent-Type: text/csv", fields["file"].as_str().unwrap());
        format!("{}{file}--{BOUNDARY}--\r\n", texts.collect::<String>())
    }

    /// What the body says, and where.
    fn said(&self) -> BTreeMap<String, String> {
        let mut said = BTreeMap::new();
        each_text(&self.body, "", &mut |at, text| {
            said.insert(text.to_owned(), at.to_owned());
        });
        said
    }

    /// What the answer tells: without what differs between any two requests, and with what the request says itself
    /// named by the place where it says so.
    pub fn told(&self, answer: &Answer, known: &Known) -> Told {
        let mut body = answer.body.clone();
        if let (Some(body), 400..) = (body.as_object_mut(), answer.status) {
            body.remove("instance");
            body.remove("trace_id");
        }
        let said = self.said();
        replace_texts(&mut body, &|text| {
            if let Some(name) = known.alike.get(text) {
                return Some(format!("<{name}>"));
            }
            if let (Some(at), false) = (said.get(text), is_time(text)) {
                return Some(format!("<{at}>"));
            }
            let is_new = is_id(text) && !known.ids.contains(text);
            let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            match text {
                _ if is_new => Some("<id>".to_owned()),
                _ if is_time(text) => Some("<time>".to_owned()),
                _ if is_digest => Some("<digest>".to_owned()),
                _ if text.starts_with("cf_") => Some("<key>".to_owned()),
                _ => None,
            }
        });
        Told { status: answer.status, kind: answer.header("content-type").to_owned(), body }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.name, self.verb, self.url())?;
        if self.body.is_null() { Ok(()) } else { write!(f, " {}", self.body) }
    }
}

/// What is the same in all answers.
pub struct Known {
    /// Those of what was there before. All others are new.
    pub ids: BTreeSet<String>,
    /// Texts that make no difference, with what they have in common.
    pub alike: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    kind: String,
    pub body: Value,
}

/// Puts a text where the way leads, into whatever is there.
fn put(value: &mut Value, way: &[String], text: &str) {
    match way {
        [] => *value = json!(text),
        [step, rest @ ..] if step == "[]" => {
            let mut item = Value::Null;
            put(&mut item, rest, text);
            *value = json!([item]);
        }
        [step, rest @ ..] => {
            if !value.is_object() {
                *value = json!({});
            }
            put(&mut value[if step == "*" { "any" } else { step }], rest, text);
        }
    }
}

/// Every text in the value, with the names of the fields that lead to it.
pub fn each_text(value: &Value, at: &str, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => see(at, text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, at, see)),
        Value::Object(fields) => {
            for (name, value) in fields {
                each_text(value, &format!("{at}.{name}"), see);
            }
        }
        _ => {}
    }
}

fn replace_texts(value: &mut Value, replace: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = replace(text) {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_texts(item, replace)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace_texts(value, replace)),
        _ => {}
    }
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

pub fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_time(text: &str) -> bool {
    text.len() >= 20
        && text.ends_with('Z')
        && text.as_bytes()[10] == b'T'
        && text.starts_with(|c: char| c.is_ascii_digit())
}
