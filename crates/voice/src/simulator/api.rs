//! The routes: Bland's own, and those of the simulator.

use super::answer::{detail, has_recording, listed, shape_1, shape_2, shape_3};
use super::behaviour::Behaviour;
use super::call::{Call, Moment};
use super::counts::Count;
use super::journal::STOPPED;
use super::order::digits;
use super::{Simulator, dial, wave};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError};
use tokio::time::Instant;
use uuid::Uuid;

/// Bland's default and most.
const LIST_LIMIT: usize = 1_000;
/// Entries of each kind in a journal's answer, unless asked otherwise.
const JOURNAL_LIMIT: usize = 10_000;

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/v1/calls", web::post().to(dial::place))
        .route("/v1/calls", web::get().to(list))
        .route("/v1/calls/{id}", web::get().to(get))
        .route("/v1/calls/{id}/stop", web::post().to(stop))
        .route("/v1/me", web::get().to(me))
        .route("/v1/voices", web::get().to(voices))
        .route("/recordings/{id}.wav", web::get().to(recording))
        .route("/simulator/journal", web::get().to(journal))
        .route("/simulator/behaviour", web::get().to(behaviour))
        .route("/simulator/behaviour", web::put().to(set_behaviour));
}

/// The key as it is, or as a bearer token.
pub fn is_authorised(request: &HttpRequest, simulator: &Simulator) -> bool {
    let Some(key) = &simulator.api_key else { return true };
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.strip_prefix("Bearer ").unwrap_or(given) == key.expose()
}

pub fn unauthorised() -> (StatusCode, Value) {
    (StatusCode::UNAUTHORIZED, shape_2("AUTH_FAILURE", "The API key is not valid."))
}

/// Runs `answer` for whoever has the key.
fn guarded(request: &HttpRequest, simulator: &Simulator, answer: impl FnOnce() -> (StatusCode, Value)) -> HttpResponse {
    let (status, value) = if is_authorised(request, simulator) { answer() } else { unauthorised() };
    HttpResponse::build(status).json(value)
}

fn no_such_call() -> (StatusCode, Value) {
    (StatusCode::NOT_FOUND, shape_1("Call not found.", &[]))
}

fn call(simulator: &Simulator, id: &str) -> Option<Arc<Call>> {
    simulator.calls.get(Uuid::try_parse(id).ok()?)
}

async fn get(request: HttpRequest, id: Path<String>, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || match call(&simulator, &id) {
        Some(call) => (StatusCode::OK, detail(&call, Instant::now(), &simulator.recordings)),
        None => no_such_call(),
    })
}

async fn stop(request: HttpRequest, id: Path<String>, simulator: Data<Simulator>) -> HttpResponse {
    let now = Instant::now();
    let found = call(&simulator, &id).filter(|_| is_authorised(&request, &simulator));
    if let Some(call) = found.filter(|call| call.moment(now) < Moment::Settling)
        && let Err(error) = simulator.note(STOPPED, call.id).await
    {
        tracing::error!(%error, "the journal cannot be written; no call is stopped");
        return HttpResponse::InternalServerError().json(shape_3("The journal cannot be written."));
    }
    guarded(&request, &simulator, || match call(&simulator, &id) {
        Some(call) if call.stop(now) => {
            (StatusCode::OK, json!({"status": "success", "message": "Call ended successfully."}))
        }
        Some(_) => (StatusCode::BAD_REQUEST, shape_1("SID not found for the given c_id.", &[])),
        None => no_such_call(),
    })
}

#[derive(Deserialize)]
struct Filters {
    from_number: Option<String>,
    to_number: Option<String>,
    from: Option<usize>,
    to: Option<usize>,
    limit: Option<usize>,
    ascending: Option<bool>,
    start_date: Option<String>,
    end_date: Option<String>,
    created_at: Option<String>,
    completed: Option<bool>,
    batch_id: Option<String>,
    answered_by: Option<String>,
}

impl Filters {
    fn take(&self, call: &Value) -> bool {
        let created = call["created_at"].as_str().unwrap_or_default();
        // Dates are UTC here, and compare as texts.
        let date = created.get(..10).unwrap_or_default();
        self.from_number.as_deref().is_none_or(|number| same_number(number, call["from"].as_str()))
            && self.start_date.as_deref().is_none_or(|start| date >= start.get(..10).unwrap_or(start))
            && self.end_date.as_deref().is_none_or(|end| date <= end.get(..10).unwrap_or(end))
            && self.created_at.as_deref().is_none_or(|day| date == day.get(..10).unwrap_or(day))
            && self.completed.is_none_or(|completed| call["completed"] == completed)
            && self.batch_id.is_none()
            && self.answered_by.as_deref().is_none_or(|who| call["answered_by"] == who)
    }
}

/// A plus sign that was not escaped in a query arrives as a space.
fn number(text: &str) -> Option<u64> {
    digits(&format!("+{}", text.trim_start_matches(['+', ' '])))
}

fn same_number(text: &str, other: Option<&str>) -> bool {
    number(text).is_some_and(|digits| other.and_then(number) == Some(digits))
}

async fn list(request: HttpRequest, filters: Query<Filters>, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || {
        let now = Instant::now();
        let found = match &filters.to_number {
            Some(to) => number(to).map_or_else(Vec::new, |number| simulator.calls.list(Some(number))),
            None => simulator.calls.list(None),
        };
        let mut calls: Vec<Value> =
            found.iter().map(|call| listed(call, now)).filter(|call| filters.take(call)).collect();
        if !filters.ascending.unwrap_or_default() {
            calls.reverse();
        }
        let total = calls.len();
        let (from, to) = (filters.from.unwrap_or_default(), filters.to.unwrap_or(usize::MAX));
        let limit = filters.limit.unwrap_or(LIST_LIMIT).min(LIST_LIMIT).min(to.saturating_sub(from));
        let calls: Vec<Value> = calls.into_iter().skip(from).take(limit).collect();
        (StatusCode::OK, json!({"total_count": total, "count": calls.len(), "calls": calls}))
    })
}

async fn me(request: HttpRequest, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || {
        let total = simulator.journal.counts().total.placed;
        let billing = json!({"current_balance": 1_000.0, "refill_to": null});
        (StatusCode::OK, json!({"status": "active", "billing": billing, "total_calls": total}))
    })
}

async fn voices(request: HttpRequest, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || {
        let voice = |id: u128, name: &str, description: &str| json!({"id": Uuid::from_u128(id), "name": name, "description": description, "tags": ["english", "simulated"]});
        let voices = [voice(1, "maya", "A warm voice."), voice(2, "ryan", "A calm voice.")];
        (StatusCode::OK, json!({"voices": voices}))
    })
}

/// Open to whoever has the URL, as Bland's recordings are.
async fn recording(id: Path<String>, simulator: Data<Simulator>) -> HttpResponse {
    match call(&simulator, &id).filter(|call| has_recording(call, Instant::now())) {
        Some(_) => HttpResponse::Ok().content_type(wave::CONTENT_TYPE).body(simulator.tone.clone()),
        None => HttpResponse::NotFound().json(shape_1("Recording not found.", &[])),
    }
}

#[derive(Deserialize)]
struct JournalFilters {
    number: Option<String>,
    attempt: Option<Uuid>,
    call: Option<Uuid>,
    /// Only what was asked for or placed at least so often.
    minimum: Option<u64>,
    limit: Option<usize>,
}

/// `{posts, placed, active, remembered, actions: {word: count}, numbers, attempts, calls: {key: {posts,
/// placed}}, truncated}`.
async fn journal(request: HttpRequest, filters: Query<JournalFilters>, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || {
        let limit = filters.limit.unwrap_or(JOURNAL_LIMIT);
        let minimum = filters.minimum.unwrap_or(1);
        let some = filters.number.is_some() || filters.attempt.is_some() || filters.call.is_some();
        let one = filters.number.as_deref().and_then(number);
        let counts = simulator.journal.counts();
        let mut truncated = false;
        let mut pick = |entries: &mut dyn Iterator<Item = (String, Count)>| {
            let mut picked = Map::new();
            for (key, count) in entries.filter(|(_, count)| count.posts.max(count.placed) >= minimum) {
                if picked.len() == limit {
                    truncated = true;
                    break;
                }
                picked.insert(key, json!(count));
            }
            picked
        };
        let numbers = counts.numbers.iter().filter(|(key, _)| !some || one == Some(**key));
        let numbers = pick(&mut numbers.map(|(key, count)| (format!("+{key}"), *count)));
        let attempts = counts.attempts.iter().filter(|(key, _)| !some || filters.attempt == Some(**key));
        let attempts = pick(&mut attempts.map(|(key, count)| (key.to_string(), *count)));
        let calls = counts.calls.iter().filter(|(key, _)| !some || filters.call == Some(**key));
        let calls = pick(&mut calls.map(|(key, count)| (key.to_string(), *count)));
        let value = json!({
            "posts": counts.total.posts,
            "placed": counts.total.placed,
            "active": simulator.limits.active(),
            "remembered": simulator.calls.count(),
            "actions": counts.actions,
            "numbers": numbers,
            "attempts": attempts,
            "calls": calls,
            "truncated": truncated,
        });
        (StatusCode::OK, value)
    })
}

async fn behaviour(request: HttpRequest, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || (StatusCode::OK, json!(*simulator.behaviour())))
}

/// Replaces all of it: a field that is absent takes its default.
async fn set_behaviour(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    guarded(&request, &simulator, || {
        let read = serde_json::from_slice::<Behaviour>(&body).map_err(|error| error.to_string());
        match read.and_then(|behaviour| behaviour.check().map(|()| behaviour)) {
            Ok(behaviour) => {
                let value = json!(behaviour);
                *simulator.behaviour.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(behaviour);
                (StatusCode::OK, value)
            }
            Err(error) => (StatusCode::BAD_REQUEST, shape_1("Invalid behaviour.", &[error])),
        }
    })
}
