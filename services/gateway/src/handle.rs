//! One request to a route of the contract, from its headers to the answer.

use crate::client_address::client_address;
use crate::edge::{Matched, RequestId};
use crate::gateway::Gateway;
use crate::input::{Fields, Value};
use crate::problem::Failure;
use crate::routes::{Endpoint, Routes};
use crate::rpc::Call;
use crate::{body, browser, download, events, upload};
use access::{Meta, Origin};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use callfairy_core::{ErrorCode, Problem, Secret};
use matchit::Params;
use percent_encoding::percent_decode_str;
use proto::{Answer, Body};
use runtime::telemetry;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

/// Headers that go along with a raw body.
const MAX_RAW_HEADERS: usize = 50;
/// Bytes of such a header's name and value; longer ones stay behind, as the contract's maps take no more.
const MAX_RAW_NAME: usize = 100;
const MAX_RAW_VALUE: usize = 1_000;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub async fn handle(
    routes: web::Data<Routes>,
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let found = routes.find(request.method(), request.uri().path());
    if let Some(path) = found.path() {
        request.extensions_mut().insert(Matched(path));
    }
    let (endpoint, values) = found.endpoint()?;
    Ok(gateway.run(answer(endpoint, values, &gateway, &request, payload)).await?)
}

async fn answer(
    endpoint: Endpoint,
    values: Params<'_, '_>,
    gateway: &Gateway,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    // Before anything else is looked at. Providers send from few addresses, for everybody.
    let peer = request.peer_addr().map(|peer| peer.ip());
    let address = client_address(peer, request.headers(), &gateway.trusted_proxies);
    if let (Some(address), true) = (address, endpoint.route.body != Body::Raw) {
        gateway.rates.count_address(address)?;
    }
    let token = gateway.authenticate(endpoint.access, request.headers()).await?;
    let meta = meta(request, token, address)?;
    let client = gateway.client(endpoint.service);
    let route = endpoint.route;

    let mut fields = path_fields(&values)?;
    if let (Body::Json, Some((name, _))) = (route.body, query(request).next()) {
        return Err(Problem::field(name, "belongs in the body"));
    }
    fields.add_texts(query(request))?;
    if endpoint.comes_back {
        if query(request).any(|(name, _)| name == browser::FIELD) {
            return Err(Problem::field(browser::FIELD, "belongs in the Cookie header"));
        }
        if let Some(cookie) = browser::cookie(gateway, request.headers()) {
            fields.add(browser::FIELD, Value::Text(cookie.into()));
        }
    }

    if let Call::Upload(call) = endpoint.call {
        let json = upload::receive(request, payload, fields, gateway.limits.upload, |fields, pieces| {
            call(client, &meta, fields, pieces)
        });
        return Ok(of_json(status(endpoint)?, json.await?));
    }
    let content = body::read(request.headers(), payload, gateway.limits.body).await?;
    match route.body {
        Body::None | Body::Json if content.is_empty() => {}
        Body::None | Body::Upload => return Err(Problem::new(ErrorCode::InvalidArgument, "this route takes no body")),
        Body::Json => {
            body::check_json(request)?;
            fields.add_json(&content)?;
        }
        Body::Raw => add_raw(&mut fields, request.headers(), &content),
    }
    match endpoint.call {
        Call::Unary(call) => {
            let json = call(client, &meta, fields).await?;
            Ok(match route.answer {
                Answer::Empty => HttpResponse::build(status(endpoint)?).finish(),
                _ if status(endpoint)?.is_redirection() => browser::send_on(gateway, status(endpoint)?, &json)?,
                _ => of_json(status(endpoint)?, json),
            })
        }
        Call::Download(call) => download::answer(call(client, &meta, fields).await?).await,
        Call::Events(call) => {
            if let Some(id) = request.headers().get(LAST_EVENT_ID) {
                let id = std::str::from_utf8(id.as_bytes());
                let id = id.map_err(|_| Problem::field("Last-Event-ID", "is not UTF-8"))?;
                fields.add("last_event_id", Value::Text(id.into()));
            }
            let replies = call(client, &meta, fields).await?;
            Ok(events::answer(replies, gateway.limits.keep_alive, gateway.shutdown.clone()))
        }
        Call::Upload(_) => Err(Problem::internal()),
    }
}

/// What goes along to the service: made here, so that no header from outside gets in that is not named.
fn meta(request: &HttpRequest, token: Option<Secret>, address: Option<IpAddr>) -> Result<Meta, Problem> {
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let idempotency_key = match (keys.next(), keys.next()) {
        (None, _) => None,
        (Some(key), None) => {
            let key = key.to_str().map_err(|_| Problem::field("Idempotency-Key", "must be visible ASCII"))?;
            Some(key.to_owned())
        }
        (Some(_), Some(_)) => return Err(Problem::field("Idempotency-Key", "is given more than once")),
    };
    Ok(Meta {
        token,
        idempotency_key,
        request_id: Some(RequestId::get(request)),
        trace: telemetry::headers(),
        origin: Origin::new(request.headers().get(USER_AGENT).map(HeaderValue::as_bytes), address),
        ..Meta::default()
    })
}

fn path_fields<'a>(values: &'a Params<'_, '_>) -> Result<Fields<'a>, Problem> {
    let mut fields = Fields::default();
    for (name, value) in values.iter() {
        let value = percent_decode_str(value).decode_utf8().map_err(|_| Problem::field(name, "is not UTF-8"))?;
        fields.add(name, Value::Texts(vec![value]));
    }
    Ok(fields)
}

fn query(request: &HttpRequest) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(request.query_string().as_bytes())
}

/// The body as it came, and its headers, for services that check a signature over both.
fn add_raw<'a>(fields: &mut Fields<'a>, headers: &'a HeaderMap, content: &Bytes) {
    fields.add("body", Value::Text(BASE64_STANDARD.encode(content).into()));
    let mut kept = BTreeMap::<&str, Cow<'a, str>>::new();
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
        let full = kept.len() == MAX_RAW_HEADERS;
        match kept.entry(name.as_str()) {
            // Lines of one name are one list (RFC 9110, 5.3).
            Entry::Occupied(mut known) => *known.get_mut() = format!("{}, {value}", known.get()).into(),
            Entry::Vacant(place) if !full => _ = place.insert(value.into()),
            Entry::Vacant(_) => {}
        }
    }
    kept.retain(|name, value| name.len() <= MAX_RAW_NAME && value.len() <= MAX_RAW_VALUE);
    let headers = kept.into_iter().map(|(name, value)| (name.into(), Value::Text(value))).collect();
    fields.add("headers", Value::Object(headers));
}

fn of_json(status: StatusCode, json: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status).content_type("application/json").body(json)
}

fn status(endpoint: Endpoint) -> Result<StatusCode, Problem> {
    StatusCode::from_u16(endpoint.route.status).map_err(|_| Problem::internal())
}
