//! Where a method is found over REST.

use crate::model::{Shape, option, text};
use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor, MethodDescriptor, ReflectMessage};

pub struct Route {
    pub verb: &'static str,
    pub path: String,
    pub placeholders: Vec<String>,
    pub body: Body,
    pub status: u16,
    pub answer: Answer,
}

#[derive(PartialEq, Clone, Copy, Debug)]
pub enum Body {
    /// Everything is in the path and the query.
    None,
    /// A JSON object of all fields that are not in the path.
    Json,
    /// The body as it came goes into the field `body`.
    Raw,
    /// multipart/form-data: fields, then the file as a stream.
    Upload,
}

#[derive(PartialEq, Clone, Copy, Debug)]
pub enum Answer {
    Json,
    /// No content.
    Empty,
    Download,
    ServerSentEvents,
}

pub fn read(pool: &DescriptorPool, method: &MethodDescriptor, shape: Shape) -> Result<Option<Route>, String> {
    let Some(rule) = option(pool, &method.options(), "google.api.http")? else { return Ok(None) };
    let rest = option(pool, &method.options(), "callfairy.options.v1.rest")?;
    let (input, output) = (method.input(), method.output());
    let verbs = ["get", "put", "post", "patch", "delete"];
    let field = rule.descriptor().fields().find(|f| verbs.contains(&f.name()) && rule.has_field(f));
    let field = field.ok_or("has an http option with no path")?;
    let path = text(&rule, field.name());
    let verb = ["GET", "PUT", "POST", "PATCH", "DELETE"]
        .into_iter()
        .find(|v| v.eq_ignore_ascii_case(field.name()))
        .ok_or("has an http option with an unknown verb")?;

    let mut placeholders = vec![];
    for part in path.split('/').filter(|p| p.contains(['{', '}', '*'])) {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')).unwrap_or(part);
        if !input.get_field_by_name(name).is_some_and(|f| is_plain(&f)) {
            return Err(format!("{part} in {path} is not a scalar field of {}", input.name()));
        }
        placeholders.push(name.to_owned());
    }
    let raw = rest.as_ref().and_then(|r| r.get_field_by_name("raw")?.as_bool()).unwrap_or(false);
    let body = match (text(&rule, "body").as_str(), shape, raw) {
        ("*", Shape::ClientStreaming, false) => Body::Upload,
        ("*", _, true) if input.get_field_by_name("body").is_some() && input.get_field_by_name("headers").is_some() => {
            Body::Raw
        }
        ("*", _, false) => Body::Json,
        ("", Shape::Unary | Shape::ServerStreaming, false) => Body::None,
        ("" | "*", ..) => return Err("has a body that does not fit its shape".into()),
        (name, ..) => return Err(format!("has the body {name:?}; only \"*\" is understood")),
    };
    if body != Body::None && matches!(verb, "GET" | "DELETE") {
        return Err(format!("is a {verb}, which takes no body"));
    }
    if body == Body::None {
        no_deep_query(&input)?;
    }
    let answer = match (shape, output.full_name()) {
        (Shape::ServerStreaming, "callfairy.types.v1.Download") => Answer::Download,
        (Shape::ServerStreaming, _) => event_stream(&output)?,
        (_, "callfairy.types.v1.Empty") => Answer::Empty,
        _ => Answer::Json,
    };
    let said = rest.and_then(|r| r.get_field_by_name("status")?.as_i32()).filter(|s| *s != 0);
    let status = match (said, answer) {
        (None, Answer::Empty) => 204,
        (None, _) => 200,
        (Some(status @ 200..=299), Answer::Json) => u16::try_from(status).map_err(|e| e.to_string())?,
        // Sends a browser on, to the answer's `location`.
        (Some(302), Answer::Json) if output.get_field_by_name("location").is_some() => 302,
        (Some(status), _) => return Err(format!("says status {status}, which does not fit its answer")),
    };
    Ok(Some(Route { verb, path, placeholders, body, status, answer }))
}

fn is_plain(field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map() && field.kind().as_message().is_none()
}

fn no_deep_query(input: &MessageDescriptor) -> Result<(), String> {
    for field in input.fields() {
        let time = field.kind().as_message().is_none_or(|m| m.full_name() == "google.protobuf.Timestamp");
        if field.is_map() || !time {
            return Err(format!("{}.{} cannot be written in a query", input.name(), field.name()));
        }
    }
    Ok(())
}

fn event_stream(output: &MessageDescriptor) -> Result<Answer, String> {
    for name in ["id", "type"] {
        output.get_field_by_name(name).ok_or_else(|| format!("streams {}, which has no `{name}`", output.name()))?;
    }
    Ok(Answer::ServerSentEvents)
}
