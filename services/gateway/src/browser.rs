//! What is for browsers alone: they are sent on to another place, and show a cookie when they come back.
//!
//! The cookie is for this one walk, lives as long as it, and signs nobody in: tokens are never in cookies.

use crate::gateway::Gateway;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use callfairy_core::Problem;
use proto::Rpc;
use proto::rpc::google_sign_in::FinishGoogleSignIn;
use serde_json::{Map, Value};
use std::fmt::Display;

/// The request's field that the cookie goes into, and the answer's that it comes from.
pub const FIELD: &str = "cookie";

const NAME: &str = "callfairy_sign_in";
/// Where there is TLS: browsers then take it from no other host, and send it nowhere else.
const NAME_BEHIND_TLS: &str = "__Host-callfairy_sign_in";
/// Seconds; the walk takes no longer.
const MAX_AGE: u32 = 600;

/// Whether the request has the cookie.
pub fn comes_back<R: Rpc>() -> bool {
    R::GRPC_PATH == FinishGoogleSignIn::GRPC_PATH
}

/// The cookie that the browser shows.
pub fn cookie<'h>(gateway: &Gateway, headers: &'h HeaderMap) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name(gateway))
        .map(|(_, value)| value)
}

/// Sends the browser to the answer's `location`, with its `cookie`, which nothing on a page can read.
pub fn send_on(gateway: &Gateway, status: StatusCode, answer: &[u8]) -> Result<HttpResponse, Problem> {
    let mut answer: Map<String, Value> = serde_json::from_slice(answer).map_err(defect)?;
    let mut response = HttpResponse::build(status);
    if let Some(Value::String(value)) = answer.remove(FIELD) {
        let secure = if gateway.is_behind_tls { "; Secure" } else { "" };
        let name = name(gateway);
        // `Lax`: it is shown when another site's link leads back here.
        let cookie = format!("{name}={value}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax{secure}");
        response.append_header((SET_COOKIE, cookie));
    }
    let Some(Value::String(location)) = answer.get("location") else { return Err(defect("it says nowhere to go")) };
    response.append_header((LOCATION, location.as_str()));
    Ok(response.json(answer))
}

fn name(gateway: &Gateway) -> &'static str {
    if gateway.is_behind_tls { NAME_BEHIND_TLS } else { NAME }
}

fn defect(why: impl Display) -> Problem {
    tracing::error!(%why, "a browser cannot be sent on");
    Problem::internal()
}
