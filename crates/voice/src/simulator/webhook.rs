//! From a call's acceptance to its last report.

use super::Simulator;
use super::answer::detail;
use super::call::Call;
use super::draw::Draw;
use super::journal::{WEBHOOK_DELIVERED, WEBHOOK_FAILED, WEBHOOK_LOST};
use super::suffix::{WebhookFate, script};
use crate::bland::{SIGNATURE_HEADER, sign};
use crate::http::{MAX_ANSWER_BYTES, describe, read_body};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Bland repeats a report that is not answered with 2xx; how often is not published.
pub const TRIES: u32 = 3;
/// Whoever takes the reports may be starting as well.
pub const TRIES_AFTER_RESTART: u32 = 6;

/// Waits for the call's end, then reports it. Ends early when the simulator does.
pub async fn follow(simulator: Arc<Simulator>, call: Arc<Call>, tries: u32) {
    let ended_and_reported = async {
        tokio::select! {
            () = sleep_until(call.at(call.course().ended)) => {}
            () = call.ends.notified() => {}
        }
        simulator.limits.release();
        report(&simulator, &call, tries).await;
    };
    tokio::select! {
        () = simulator.shutdown.cancelled() => {}
        () = ended_and_reported => {}
    }
}

/// Reports a call that ended before this process began.
pub async fn catch_up(simulator: Arc<Simulator>, call: Arc<Call>) {
    tokio::select! {
        () = simulator.shutdown.cancelled() => {}
        () = report(&simulator, &call, TRIES_AFTER_RESTART) => {}
    }
}

async fn report(simulator: &Simulator, call: &Call, tries: u32) {
    let Some(url) = &call.order.webhook else { return };
    let fate = fate(simulator, call);
    if fate == Some(WebhookFate::Lost) {
        return note(simulator, call, WEBHOOK_LOST).await;
    }
    let late = if fate == Some(WebhookFate::Late) { simulator.behaviour().webhook_late_seconds } else { 0.0 };
    let late = Duration::from_secs_f64(late / call.speed);
    sleep_until(call.at(call.course().settled + late)).await;
    deliver(simulator, call, url, tries).await;
    if fate == Some(WebhookFate::Twice) {
        deliver(simulator, call, url, tries).await;
    }
}

fn fate(simulator: &Simulator, call: &Call) -> Option<WebhookFate> {
    let behaviour = simulator.behaviour();
    if let Some(script) = script(&call.order.to).filter(|_| behaviour.suffixes) {
        return script.webhook;
    }
    let mut draw = Draw::new(simulator.seed, &call.order.to, call.order.attempt, "webhook");
    [
        (behaviour.webhook_lost, WebhookFate::Lost),
        (behaviour.webhook_duplicated, WebhookFate::Twice),
        (behaviour.webhook_late, WebhookFate::Late),
    ]
    .into_iter()
    .find_map(|(probability, fate)| draw.chance(probability).then_some(fate))
}

async fn deliver(simulator: &Simulator, call: &Call, url: &str, tries: u32) {
    let body = detail(call, Instant::now(), &simulator.recordings).to_string();
    let mut wait = simulator.webhook_wait;
    for attempt in 1..=tries {
        match send(simulator, url, body.clone()).await {
            Ok(()) => return note(simulator, call, WEBHOOK_DELIVERED).await,
            Err(error) => tracing::debug!(call_id = %call.id, attempt, error, "a webhook was not taken"),
        }
        if attempt < tries {
            sleep(wait).await;
            wait *= 2;
        }
    }
    note(simulator, call, WEBHOOK_FAILED).await;
}

async fn note(simulator: &Simulator, call: &Call, action: &'static str) {
    if let Err(error) = simulator.note(action, call.id).await {
        tracing::error!(%error, "the journal cannot be written; after a restart a webhook is sent again");
    }
}

async fn send(simulator: &Simulator, url: &str, body: String) -> Result<(), String> {
    // Closed only with the simulator, which never closes it.
    let _permit = simulator.webhooks.acquire().await;
    let mut request = simulator.client.post(url).header("content-type", "application/json");
    if !simulator.webhook_secret.is_empty() {
        request = request.header(SIGNATURE_HEADER, sign(&simulator.webhook_secret, body.as_bytes()));
    }
    let response = request.body(body).send().await.map_err(|error| describe(&error))?;
    let status = response.status();
    // Read to the end, so that the connection can be used again.
    let _ = read_body(response, MAX_ANSWER_BYTES).await;
    if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
}
