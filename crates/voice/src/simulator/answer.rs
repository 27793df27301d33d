//! Bland's answers, as JSON.

use super::call::{Call, Moment};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The number that calls come from when the order names none.
const DEFAULT_FROM: &str = "+14155550000";
const USD_PER_MINUTE: f64 = 0.09;

/// The three shapes of errors.
pub fn shape_1(message: &str, errors: &[String]) -> Value {
    if errors.is_empty() {
        json!({"status": "error", "message": message})
    } else {
        json!({"status": "error", "message": message, "errors": errors})
    }
}

pub fn shape_2(code: &str, message: &str) -> Value {
    json!({"data": null, "errors": [{"error": code, "message": message}]})
}

pub fn shape_3(error: &str) -> Value {
    json!({"error": error})
}

pub fn do_not_call() -> Value {
    json!({"status": "DNC Error", "message": "This number is on the do-not-call list."})
}

pub fn queued(call: &Call) -> Value {
    json!({"status": "success", "message": "Call successfully queued.", "call_id": call.id, "batch_id": null})
}

/// What a list says of a call: no transcript, and no metadata.
pub fn listed(call: &Call, now: Instant) -> Value {
    let moment = call.moment(now);
    let course = call.course();
    let ended = moment >= Moment::Settling;
    let answered = course.ending.is_answered() && moment >= Moment::Talking;
    let (status, answered_by, error_message) = course.ending.words();
    let time = |after: Duration| call.created_at.plus(after).to_string();
    let talked = if ended { course.talked } else { Duration::ZERO };
    json!({
        "call_id": call.id,
        "to": call.order.to,
        "from": call.order.from.as_deref().unwrap_or(DEFAULT_FROM),
        "inbound": false,
        "batch_id": null,
        "created_at": call.created_at.to_string(),
        "started_at": answered.then(|| time(course.talking)),
        "end_at": ended.then(|| time(course.ended)),
        "completed": moment == Moment::Over,
        "call_length": ended.then_some(minutes(talked)),
        "corrected_duration": ended.then(|| talked.as_secs().to_string()),
        "queue_status": match moment {
            Moment::Queued => "queued",
            Moment::Over if status == "failed" => "call_error",
            Moment::Over => "complete",
            _ => "started",
        },
        "status": match moment {
            Moment::Queued => None,
            Moment::Ringing | Moment::Talking => Some("unknown"),
            // The word comes before the facts, as there.
            Moment::Settling if !course.ending.is_answered() => Some("unknown"),
            _ => Some(status),
        },
        "answered_by": if moment == Moment::Over || answered { answered_by } else { None },
        "error_message": if moment == Moment::Over { error_message } else { None },
    })
}

/// All that is known of a call. `recordings`: the base of their URLs.
pub fn detail(call: &Call, now: Instant, recordings: &str) -> Value {
    let mut detail = listed(call, now);
    let course = call.course();
    let over = call.moment(now) == Moment::Over;
    let talked = over && !course.talked.is_zero();
    let turns = if talked { turns(call) } else { Vec::new() };
    let text: Vec<String> = turns.iter().map(|(speaker, text)| format!("{speaker}: {text}")).collect();
    let transferred = talked && call.plan.disposition == "TRANSFERRED";
    let metadata: Value = serde_json::from_str(&call.order.metadata).unwrap_or_default();
    let fields = json!({
        "record": call.order.record,
        "recording_url": has_recording(call, now).then(|| format!("{recordings}/{}.wav", call.id)),
        "summary": talked.then_some("The assistant spoke with the called party."),
        "price": if over { (minutes(course.talked) * USD_PER_MINUTE * 1_000.0).round() / 1_000.0 } else { 0.0 },
        "call_ended_by": talked.then_some("ASSISTANT"),
        "disposition_tag": if over && !call.plan.disposition.is_empty() { Some(&call.plan.disposition) } else { None },
        "variables": serde_json::from_str::<Value>(&call.order.request_data).unwrap_or_default(),
        "metadata": metadata,
        "analysis": null,
        "concatenated_transcript": text.join(" \n "),
        "transcripts": turns.iter().enumerate().map(|(index, (speaker, text))| json!({
            "id": index + 1,
            "created_at": call.created_at.plus(course.talking).to_string(),
            "text": text,
            "user": speaker,
        })).collect::<Vec<_>>(),
        "transferred_to": transferred.then_some("+14155550001"),
        "pathway_id": null,
    });
    if let (Value::Object(detail), Value::Object(fields)) = (&mut detail, fields) {
        detail.extend(fields);
    }
    detail
}

/// Whether there is a recording to be had.
pub fn has_recording(call: &Call, now: Instant) -> bool {
    call.order.record && call.moment(now) == Moment::Over && !call.course().talked.is_zero()
}

fn minutes(duration: Duration) -> f64 {
    (duration.as_secs_f64() / 60.0 * 100.0).round() / 100.0
}

fn turns(call: &Call) -> Vec<(&'static str, &str)> {
    let greeting = call.order.first_sentence.as_deref().unwrap_or("Hello, do you have a moment?");
    let mut turns = vec![("assistant", greeting)];
    turns.extend_from_slice(match call.plan.disposition.as_ref() {
        "DO_NOT_CONTACT" => &[
            ("user", "Please take me off your list and do not call again."),
            ("assistant", "Of course. We will not call again. Goodbye."),
        ],
        "TRANSFERRED" => &[("user", "I would like to talk to a person."), ("agent-action", "Transferred the call.")],
        "NO_ANSWER" => &[("user", "Please leave a message after the tone.")],
        "CALL_BACK_SCHEDULED" => &[("user", "Not now. Tomorrow at ten?"), ("assistant", "Tomorrow at ten, then.")],
        "INTERESTED" => &[("user", "Yes, that suits me."), ("assistant", "Thank you. Goodbye.")],
        _ => &[("user", "No, thank you."), ("assistant", "I understand. Goodbye.")],
    });
    turns
}
