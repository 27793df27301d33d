//! From a call's acceptance to its last report.

use super::Simulator;
use super::answer::detail;
use super::call::Call;
use super::draw::Draw;
use super::suffix::{WebhookFate, script};
use crate::bland::{SIGNATURE_HEADER, sign};
use crate::http::{MAX_ANSWER_BYTES, describe, read_body};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Bland repeats a report that is not answered with 2xx; how often is not published.
const TRIES: u32 = 3;

/// Waits for the call's end, then reports it. Ends early when the simulator does.
pub async fn follow(simulator: Arc<Simulator>, call: Arc<Call>) {
    tokio::select! {
        () = simulator.shutdown.cancelled() => {}
        () = report(&simulator, &call) => {}
    }
}

async fn report(simulator: &Simulator, call: &Call) {
    tokio::select! {
        () = sleep_until(call.accepted + call.course().ended) => {}
        () = call.ends.notified() => {}
    }
    simulator.limits.release();
    let Some(url) = &call.order.webhook else { return };
    let fate = fate(simulator, call);
    if fate == Some(WebhookFate::Lost) {
        simulator.journal.did("webhook_lost");
        return;
    }
    let late = if fate == Some(WebhookFate::Late) { simulator.behaviour().webhook_late_seconds } else { 0.0 };
    let late = Duration::from_secs_f64(late / simulator.speed);
    sleep_until(call.accepted + call.course().settled + late).await;
    deliver(simulator, call, url).await;
    if fate == Some(WebhookFate::Twice) {
        deliver(simulator, call, url).await;
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

async fn deliver(simulator: &Simulator, call: &Call, url: &str) {
    let body = detail(call, Instant::now(), &simulator.recordings).to_string();
    let mut wait = simulator.webhook_wait;
    for attempt in 1..=TRIES {
        match send(simulator, url, body.clone()).await {
            Ok(()) => return simulator.journal.did("webhook_delivered"),
            Err(error) => tracing::debug!(call_id = %call.id, attempt, error, "a webhook was not taken"),
        }
        if attempt < TRIES {
            sleep(wait).await;
            wait *= 2;
        }
    }
    simulator.journal.did("webhook_failed");
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
