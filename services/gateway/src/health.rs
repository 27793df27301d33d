//! Whether the process lives, and whether it can do its work.
//!
//! Ready means that every service answers an RPC. auth must answer with its signing keys, without which no token can be
//! verified; the others are called without a token, and their refusal is the answer that is looked for: it costs them
//! no query, and whether their databases work, their own `/readyz` tells. What an answer takes is bounded by
//! [`Health`]'s limit for a check.

use crate::gateway::Gateway;
use crate::routes::page;
use access::{Client, Meta};
use actix_web::{HttpResponse, web};
use callfairy_core::{ErrorCode, Problem};
use proto::Rpc;
use proto::rpc::access::ListPermissions;
use proto::rpc::agents::ListAgents;
use proto::rpc::contacts::ListContacts;
use proto::rpc::keys::ListSigningKeys;
use runtime::health::Health;
use serde_json::json;

pub fn mount(app: &mut web::ServiceConfig) {
    app.service(page("/healthz", live)).service(page("/readyz", ready));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(gateway: web::Data<Gateway>) -> HttpResponse {
    let failing = gateway.run(checks(&gateway).failing()).await;
    if failing.is_empty() {
        HttpResponse::Ok().json(json!({ "status": "ok" }))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({ "status": "unavailable", "failing": failing }))
    }
}

fn checks(gateway: &Gateway) -> Health {
    let clients = gateway.clients.clone();
    let (auth, tenancy, agent, telephony) = (clients.auth, clients.tenancy, clients.agent, clients.telephony);
    Health::new()
        .check("auth", move || call::<ListSigningKeys>(auth.clone()))
        .check("tenancy", move || refuses::<ListPermissions>(tenancy.clone()))
        .check("agent", move || refuses::<ListAgents>(agent.clone()))
        .check("telephony", move || refuses::<ListContacts>(telephony.clone()))
}

async fn call<R: Rpc>(client: Client) -> Result<(), Problem> {
    client.unary::<R>(&Meta::default(), R::Request::default()).await.map(drop)
}

async fn refuses<R: Rpc>(client: Client) -> Result<(), Problem> {
    match call::<R>(client).await {
        Err(problem) if problem.code == ErrorCode::Unauthenticated => Ok(()),
        answer => answer,
    }
}
