//! A call object of Bland's (from GET, or a webhook) in our own terms. Every field is optional, and one of
//! the wrong type counts as absent.

use crate::{ATTEMPT_ID_KEY, AnsweredBy, CALL_ID_KEY, CallDetail, Failure, Outcome, Progress, Speaker, Turn};
use callfairy_core::Timestamp;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// Longer calls are not possible (12 h); a number beyond is no duration.
const MAX_DURATION_SECONDS: f64 = 86_400.0;
/// A dearer call is not believed.
const MAX_PRICE_USD: f64 = 1_000_000.0;

/// `None` if the object names no call.
pub(crate) fn call_detail(raw: Value) -> Option<CallDetail> {
    let provider_call_id = call_id(&raw)?;
    let failure = failure(&raw);
    let progress = progress(&raw);
    let transcript = transcript(&raw);
    let outcome = (progress == Progress::Ended).then(|| outcome(&raw, failure, !transcript.is_empty()));
    Some(CallDetail {
        provider_call_id,
        call_id: metadata_id(&raw, CALL_ID_KEY),
        attempt_id: metadata_id(&raw, ATTEMPT_ID_KEY),
        to: text(&raw, "to"),
        from: text(&raw, "from"),
        progress,
        outcome,
        failure: if outcome.is_some() { failure } else { None },
        answered_by: answered_by(&raw),
        duration: duration(&raw),
        price_micro_usd: price(&raw),
        created_at: time(&raw, "created_at"),
        started_at: time(&raw, "started_at"),
        ended_at: time(&raw, "end_at"),
        transcript,
        transcript_text: text(&raw, "concatenated_transcript"),
        summary: text(&raw, "summary"),
        recording_url: text(&raw, "recording_url"),
        error_message: text(&raw, "error_message"),
        disposition: text(&raw, "disposition_tag"),
        transferred_to: text(&raw, "transferred_to"),
        raw,
    })
}

pub(crate) fn call_id(raw: &Value) -> Option<String> {
    ["call_id", "c_id", "id"].iter().find_map(|key| text(raw, key)).filter(|id| super::answer::is_call_id(id))
}

pub(crate) fn text(raw: &Value, key: &str) -> Option<String> {
    raw[key].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A word of a closed list: in lower case, with one kind of dash.
fn word(raw: &Value, key: &str) -> String {
    text(raw, key).unwrap_or_default().to_ascii_lowercase().replace(['_', ' '], "-")
}

/// Numbers come as numbers and as texts.
fn number(raw: &Value, key: &str) -> Option<f64> {
    let number = match &raw[key] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_start_matches('$').parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

pub(crate) fn time(raw: &Value, key: &str) -> Option<Timestamp> {
    let text = text(raw, key)?;
    let zoned = text.parse::<jiff::Timestamp>().ok();
    // Without an offset it is UTC.
    let utc = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    zoned.or_else(|| utc().map(|zoned| zoned.timestamp())).map(Timestamp::from)
}

/// Our metadata: an object, or that object as text, at the top or among the variables.
fn metadata_id(raw: &Value, key: &str) -> Option<Uuid> {
    [&raw["metadata"], &raw["variables"]["metadata"]].into_iter().find_map(|metadata| {
        let parsed = metadata.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        Uuid::try_parse(parsed.as_ref().unwrap_or(metadata)[key].as_str()?).ok()
    })
}

fn progress(raw: &Value) -> Progress {
    let (status, queue) = (word(raw, "status"), word(raw, "queue_status"));
    let completed = raw["completed"].as_bool();
    let failed = matches!(status.as_str(), "failed" | "busy" | "no-answer" | "canceled" | "cancelled" | "error");
    let done = matches!(queue.as_str(), "complete" | "completed");
    if completed == Some(true) || failed || queue.ends_with("-error") {
        return Progress::Ended;
    }
    // `status` reads completed while the call is still being wrapped up and `completed` is false.
    if completed.is_none() && (done || status == "completed") || done && !raw["end_at"].is_null() {
        return Progress::Ended;
    }
    let answered = matches!(answered_by(raw), Some(AnsweredBy::Human | AnsweredBy::Voicemail));
    match (status.as_str(), queue.as_str()) {
        ("completed" | "in-progress" | "answered" | "ongoing", _) => Progress::InProgress,
        ("ringing", _) => Progress::Ringing,
        _ if answered || done => Progress::InProgress,
        (_, "started") if raw["started_at"].is_null() => Progress::Ringing,
        (_, "started") => Progress::InProgress,
        _ => Progress::Queued,
    }
}

fn outcome(raw: &Value, failure: Option<Failure>, spoken: bool) -> Outcome {
    let failed = if failure == Some(Failure::Busy) { Outcome::Busy } else { Outcome::Failed };
    let by_answer = match answered_by(raw) {
        Some(AnsweredBy::Voicemail) => Some(Outcome::Voicemail),
        Some(AnsweredBy::NoAnswer) => Some(Outcome::NoAnswer),
        Some(AnsweredBy::Human) => Some(Outcome::Completed),
        Some(AnsweredBy::Unknown) | None => None,
    };
    match word(raw, "status").as_str() {
        "busy" => Outcome::Busy,
        "no-answer" => Outcome::NoAnswer,
        "canceled" | "cancelled" => Outcome::Canceled,
        "failed" | "error" => failed,
        // Voicemail counts as completed there, and not here.
        "completed" => by_answer.unwrap_or(Outcome::Completed),
        _ if word(raw, "queue_status").ends_with("-error") => failed,
        _ => by_answer.unwrap_or_else(|| {
            let talked = spoken || duration(raw).is_some_and(|duration| !duration.is_zero());
            if talked { Outcome::Completed } else { failed }
        }),
    }
}

/// By the known endings of `error_message`.
fn failure(raw: &Value) -> Option<Failure> {
    let message = text(raw, "error_message")?.to_ascii_lowercase();
    let message = message.trim_end_matches(['.', '!', ' ']);
    [
        ("not found", Failure::NumberNotFound),
        ("temporarily unavailable", Failure::Unavailable),
        ("busy", Failure::Busy),
        ("blocked call due to spam or number reputation", Failure::CallerBlocked),
    ]
    .into_iter()
    .find_map(|(ending, failure)| message.ends_with(ending).then_some(failure))
}

fn answered_by(raw: &Value) -> Option<AnsweredBy> {
    Some(match word(raw, "answered_by").as_str() {
        "" => return None,
        "human" => AnsweredBy::Human,
        "voicemail" => AnsweredBy::Voicemail,
        "no-answer" => AnsweredBy::NoAnswer,
        _ => AnsweredBy::Unknown,
    })
}

/// `corrected_duration` is in seconds, `call_length` in minutes and rounded.
fn duration(raw: &Value) -> Option<Duration> {
    number(raw, "corrected_duration")
        .or_else(|| number(raw, "call_length").map(|minutes| minutes * 60.0))
        .filter(|seconds| (0.0..=MAX_DURATION_SECONDS).contains(seconds))
        .map(|seconds| Duration::from_millis(whole(seconds * 1_000.0).unsigned_abs()))
}

fn price(raw: &Value) -> Option<i64> {
    number(raw, "price").filter(|price| price.abs() <= MAX_PRICE_USD).map(|price| whole(price * 1_000_000.0))
}

/// The nearest whole number. What comes here is bounded far inside of `i64`.
#[allow(clippy::cast_possible_truncation)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

fn transcript(raw: &Value) -> Vec<Turn> {
    let turns = raw["transcripts"].as_array().into_iter().flatten();
    turns
        .filter_map(|turn| {
            let speaker = match word(turn, "user").as_str() {
                "user" => Speaker::Person,
                "assistant" | "robot" => Speaker::Assistant,
                _ => Speaker::Action,
            };
            Some(Turn { speaker, text: text(turn, "text")?, at: time(turn, "created_at") })
        })
        .collect()
}
