//! `POST /v1/calls`: each request counted, journaled, and then answered by what it meets.

use super::Simulator;
use super::answer::{do_not_call, queued, shape_1, shape_2, shape_3};
use super::api::{is_authorised, unauthorised};
use super::behaviour::AccountState;
use super::call::Call;
use super::fault::{AfterAccept, BeforeAccept, faults};
use super::journal::Line;
use super::limits::Exceeded;
use super::order::{Ids, Order};
use super::plan::Plan;
use super::socket::drop_connection;
use super::suffix::script;
use super::webhook::{TRIES, follow};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use callfairy_core::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What is done with a request: the word for the journal, and the rest.
type Verdict = (&'static str, Effect);

enum Effect {
    Answer(StatusCode, Value),
    Drop,
    Call(Box<Call>, Option<AfterAccept>),
}

pub async fn place(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let now = (Instant::now(), simulator.clock.now());
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let ids = Ids::read(&body);
    let (action, effect) = decide(&simulator, is_authorised(&request, &simulator), &body, ids, now);
    simulator.journal.did(action);
    let made = if let Effect::Call(call, _) = &effect { Some(&**call) } else { None };
    let line = Line::request(now.1, body["phone_number"].as_str(), ids, action, made);
    // The line comes before every effect: a call that is made is always in the journal.
    if let Err(error) = simulator.journal.write(&line).await {
        tracing::error!(%error, "the journal cannot be written; no call is made");
        if matches!(effect, Effect::Call(..)) {
            simulator.limits.release();
        }
        return HttpResponse::InternalServerError().json(shape_3("The journal cannot be written."));
    }
    match effect {
        Effect::Answer(status, value) => HttpResponse::build(status).json(value),
        Effect::Drop => dropped(&request),
        Effect::Call(call, fault) => {
            let call = Arc::new(*call);
            simulator.calls.insert(&call);
            let simulator = simulator.into_inner();
            simulator.spawn(follow(Arc::clone(&simulator), Arc::clone(&call), TRIES));
            match fault {
                None => HttpResponse::Ok().json(queued(&call)),
                Some(AfterAccept::Drop) => dropped(&request),
                Some(AfterAccept::Error) => HttpResponse::InternalServerError().json(shape_3("Internal server error")),
                Some(AfterAccept::Garble) => {
                    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"success","call_id":""#)
                }
                Some(AfterAccept::Slow) => {
                    let wait = Duration::from_secs_f64(simulator.behaviour().slow_seconds);
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = simulator.shutdown.cancelled() => {}
                    }
                    HttpResponse::Ok().json(queued(&call))
                }
            }
        }
    }
}

fn dropped(request: &HttpRequest) -> HttpResponse {
    drop_connection(request);
    HttpResponse::ServiceUnavailable().finish()
}

fn decide(simulator: &Simulator, authorised: bool, body: &Value, ids: Ids, now: (Instant, Timestamp)) -> Verdict {
    let behaviour = simulator.behaviour();
    let (posts, all_posts) = simulator.journal.counts().post(ids);
    let refuse = |action, status, value| (action, Effect::Answer(status, value));
    let limited = |value| refuse("rate_limited", StatusCode::TOO_MANY_REQUESTS, value);

    if !authorised {
        let (status, value) = unauthorised();
        return refuse("unauthorised", status, value);
    }
    match behaviour.account {
        AccountState::Active => {}
        AccountState::Flagged => {
            return refuse("flagged", StatusCode::FORBIDDEN, shape_1("Your account has been flagged.", &[]));
        }
        AccountState::NoBalance => {
            return refuse("no_balance", StatusCode::PAYMENT_REQUIRED, shape_1("Insufficient balance.", &[]));
        }
    }
    if behaviour.burst_every > 0 && (all_posts - 1) % behaviour.burst_every < behaviour.burst_length {
        return refuse("burst", StatusCode::SERVICE_UNAVAILABLE, shape_3("Service unavailable"));
    }
    let order = match Order::read(body, ids, posts) {
        Ok(order) => order,
        Err((status, message, errors)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return refuse("invalid", status, shape_1(message, &errors));
        }
    };

    let script = script(&order.to).filter(|_| behaviour.suffixes);
    let (before, after) = faults(&behaviour, script, simulator.seed, &order.to, posts);
    let listed = || refuse("do_not_call", StatusCode::BAD_REQUEST, do_not_call());
    match before {
        None => {}
        Some(BeforeAccept::DoNotCall) => return listed(),
        Some(BeforeAccept::Blacklisted) => {
            let value = shape_1("This number is blacklisted.", &[]);
            return refuse("blacklisted", StatusCode::TOO_MANY_REQUESTS, value);
        }
        Some(BeforeAccept::RateLimited) => return limited(shape_3("Rate limit exceeded")),
        Some(BeforeAccept::Error) => {
            return refuse("error", StatusCode::INTERNAL_SERVER_ERROR, shape_3("Internal server error"));
        }
        Some(BeforeAccept::Drop) => return ("dropped", Effect::Drop),
    }
    let plan = Plan::draw(&behaviour, script, simulator.seed, &order.to, order.attempt, order.max_duration);
    let Some(plan) = plan else { return listed() };

    // One lock from the look to the note, so that two requests at once do not both pass the rule.
    let mut counts = simulator.journal.counts();
    let rule = Duration::from_secs_f64(behaviour.same_number_seconds);
    if counts.since_last(ids, now.1).is_some_and(|since| since < rule) {
        let message = format!("Calls can only be sent every {} seconds to the same number.", rule.as_secs());
        return refuse("too_soon", StatusCode::TOO_MANY_REQUESTS, shape_1(&message, &[]));
    }
    match simulator.limits.take(behaviour.plan, simulator.elapsed(now.0)) {
        Ok(()) => {}
        Err(Exceeded::Concurrent) => {
            return limited(shape_2("CALL_RL_PLAN_CONCURRENCY", "Too many calls at once for your plan."));
        }
        Err(Exceeded::PerHour) => return limited(shape_3("Rate limit exceeded")),
        Err(Exceeded::PerDay) => {
            return limited(shape_2("CALL_RL_PLAN_DAILY_MINUTES", "Your plan's calls for today are used up."));
        }
    }
    counts.place(ids, now.1);
    drop(counts);
    let action = match after {
        None => "accepted",
        Some(AfterAccept::Drop) => "accepted_then_dropped",
        Some(AfterAccept::Error) => "accepted_then_error",
        Some(AfterAccept::Garble) => "accepted_then_garbled",
        Some(AfterAccept::Slow) => "accepted_slowly",
    };
    let call = Call::new(order, plan, now, simulator.speed);
    (action, Effect::Call(Box::new(call), after))
}
