//! A call as the contract carries it: within the contract's limits, and without what a database cannot store.

use crate::{AnsweredBy, CallDetail, Outcome, Progress, Speaker, Turn};
use proto::jobs::{CallOutcome, CallProgress, CallReport, CallReportTurn};
use serde_json::Value;
use std::time::Duration;

// The contract's limits, in characters. What is longer is cut, or left out where a part of it says nothing.
const MAX_TURNS: usize = 5_000;
const MAX_TURN: usize = 10_000;
const MAX_TRANSCRIPT: usize = 200_000;
const MAX_SUMMARY: usize = 10_000;
const MAX_URL: usize = 2_000;
const MAX_TEXT: usize = 1_000;
/// In bytes.
const MAX_RAW: usize = 256 * 1024;
/// What is left out of the raw answer first when that is too large: it is in fields of its own.
const LARGE_FIELDS: [&str; 2] = ["transcripts", "concatenated_transcript"];

impl From<CallDetail> for CallReport {
    /// The one conversion, for whatever brought the detail: a lookup, or a webhook.
    fn from(call: CallDetail) -> Self {
        Self {
            provider_call_id: cut(call.provider_call_id, MAX_TEXT),
            progress: progress(call.progress).into(),
            outcome: call.outcome.map_or(CallOutcome::Unspecified, outcome).into(),
            answered_by: call.answered_by.map(answered_by).unwrap_or_default().to_owned(),
            duration: call.duration.map(seconds),
            price_micros: call.price_micro_usd,
            turns: call.transcript.into_iter().take(MAX_TURNS).map(turn).collect(),
            transcript: text(call.transcript_text, MAX_TRANSCRIPT),
            summary: text(call.summary, MAX_SUMMARY),
            // Half a URL leads elsewhere.
            recording_url: text(call.recording_url.filter(|url| url.chars().count() <= MAX_URL), MAX_URL),
            error_message: text(call.error_message, MAX_TEXT),
            disposition: text(call.disposition, MAX_TEXT),
            started_at: call.started_at.map(Into::into),
            ended_at: call.ended_at.map(Into::into),
            raw: raw(call.raw),
        }
    }
}

fn progress(progress: Progress) -> CallProgress {
    match progress {
        Progress::Queued => CallProgress::Queued,
        Progress::Ringing => CallProgress::Ringing,
        Progress::InProgress => CallProgress::InProgress,
        Progress::Ended => CallProgress::Ended,
    }
}

fn outcome(outcome: Outcome) -> CallOutcome {
    match outcome {
        Outcome::Completed => CallOutcome::Completed,
        Outcome::NoAnswer => CallOutcome::NoAnswer,
        Outcome::Busy => CallOutcome::Busy,
        Outcome::Failed => CallOutcome::Failed,
        Outcome::Voicemail => CallOutcome::Voicemail,
        Outcome::Canceled => CallOutcome::Canceled,
    }
}

fn answered_by(who: AnsweredBy) -> &'static str {
    match who {
        AnsweredBy::Human => "human",
        AnsweredBy::Voicemail => "voicemail",
        AnsweredBy::NoAnswer => "no_answer",
        AnsweredBy::Unknown => "unknown",
    }
}

fn turn(turn: Turn) -> CallReportTurn {
    let speaker = match turn.speaker {
        Speaker::Person => "user",
        Speaker::Assistant => "assistant",
        Speaker::Action => "action",
    };
    CallReportTurn { speaker: speaker.to_owned(), text: cut(turn.text, MAX_TURN), at: turn.at.map(Into::into) }
}

/// To the nearest.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.saturating_add(Duration::from_millis(500)).as_secs()).unwrap_or(u32::MAX)
}

fn text(text: Option<String>, most: usize) -> String {
    text.map(|text| cut(text, most)).unwrap_or_default()
}

/// Neither text nor jsonb of PostgreSQL holds a NUL, and the contract refuses it.
fn cut(text: String, most: usize) -> String {
    if text.len() <= most && !text.contains('\0') {
        return text;
    }
    text.chars().filter(|c| *c != '\0').take(most).collect()
}

/// As JSON; empty when even without its largest fields it is larger than is kept.
fn raw(mut raw: Value) -> String {
    remove_nul(&mut raw);
    let mut json = raw.to_string();
    if json.len() > MAX_RAW {
        if let Value::Object(fields) = &mut raw {
            fields.retain(|key, _| !LARGE_FIELDS.contains(&key.as_str()));
        }
        json = raw.to_string();
    }
    if json.len() > MAX_RAW { String::new() } else { json }
}

/// Goes as deep as the JSON does, which its parser has bounded.
fn remove_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => text.retain(|c| c != '\0'),
        Value::Array(items) => items.iter_mut().for_each(remove_nul),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains('\0')) {
                *fields =
                    std::mem::take(fields).into_iter().map(|(key, value)| (key.replace('\0', ""), value)).collect();
            }
            fields.values_mut().for_each(remove_nul);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WebhookEvent;
    use crate::bland::parse_webhook;
    use callfairy_core::Timestamp;
    use serde_json::json;

    /// As it comes: the body of a webhook.
    fn report(body: &Value) -> CallReport {
        match parse_webhook(body.to_string().as_bytes()).unwrap() {
            WebhookEvent::PostCall(call) => (*call).into(),
            WebhookEvent::Live(live) => panic!("{live:?}"),
        }
    }

    #[test]
    fn carries_all_that_the_contract_has_a_place_for() {
        let body = json!({
            "call_id": "c-1", "status": "completed", "completed": true, "answered_by": "human",
            "corrected_duration": "61.6", "price": 0.09, "summary": "Spoke.", "disposition_tag": "INTERESTED",
            "recording_url": "https://example.com/r.wav", "error_message": "none", "concatenated_transcript": "user: Hi",
            "transcripts": [
                {"user": "user", "text": "Hi", "created_at": "2026-01-01T00:00:00Z"},
                {"user": "assistant", "text": "Hello"},
                {"user": "agent-action", "text": "Transferred"},
            ],
            "started_at": "2026-01-01T00:00:00Z", "end_at": "2026-01-01T00:01:02.5Z",
        });
        let report = report(&body);
        assert_eq!((report.progress(), report.outcome()), (CallProgress::Ended, CallOutcome::Completed));
        assert_eq!((report.duration, report.price_micros), (Some(62), Some(90_000)));
        let turns: Vec<_> = report.turns.iter().map(|turn| (turn.speaker.as_str(), turn.text.as_str())).collect();
        assert_eq!(turns, [("user", "Hi"), ("assistant", "Hello"), ("action", "Transferred")]);
        let start = Timestamp::from_micros(1_767_225_600_000_000).unwrap();
        assert_eq!((report.turns[0].at, report.started_at), (Some(start.into()), Some(start.into())));
        assert_eq!(report.ended_at, Some(start.plus(Duration::from_millis(62_500)).into()));
        let texts = [
            (&report.provider_call_id, "c-1"),
            (&report.answered_by, "human"),
            (&report.transcript, "user: Hi"),
            (&report.summary, "Spoke."),
            (&report.recording_url, "https://example.com/r.wav"),
            (&report.error_message, "none"),
            (&report.disposition, "INTERESTED"),
        ];
        for (text, expected) in texts {
            assert_eq!(text, expected);
        }
        assert_eq!(serde_json::from_str::<Value>(&report.raw).unwrap(), body);
        assert_eq!(proto::validate(&report), Ok(()));
    }

    #[test]
    fn what_is_not_known_stays_open() {
        let report = report(&json!({"call_id": "c-1", "queue_status": "queued"}));
        assert_eq!((report.progress(), report.outcome()), (CallProgress::Queued, CallOutcome::Unspecified));
        let bare = CallReport {
            provider_call_id: "c-1".into(),
            progress: CallProgress::Queued.into(),
            raw: report.raw.clone(),
            ..CallReport::default()
        };
        assert_eq!(report, bare);
    }

    #[test]
    fn passes_the_contract_however_long_and_odd() {
        let long = format!("\0ä{}", "ö".repeat(300_000));
        let body = json!({
            "call_id": "c-1", "completed": true, "summary": long, "error_message": long, "disposition_tag": long,
            "recording_url": format!("https://example.com/{long}"), "concatenated_transcript": long,
            "transcripts": vec![json!({"user": "user", "text": long}); 2],
        });
        let one = report(&body);
        assert_eq!(proto::validate(&one), Ok(()));
        assert!(one.transcript.starts_with("äö") && one.transcript.chars().count() == MAX_TRANSCRIPT);
        assert_eq!((one.recording_url.as_str(), one.raw.as_str()), ("", ""));
        let many = report(&json!({
            "call_id": "c-1", "transcripts": vec![json!({"user": "user", "text": "Hi"}); MAX_TURNS + 1],
        }));
        assert_eq!((many.turns.len(), proto::validate(&many)), (MAX_TURNS, Ok(())));
    }

    #[test]
    fn the_raw_answer_loses_its_transcript_before_all() {
        let report = report(&json!({
            "call_id": "c-1", "completed": true, "concatenated_transcript": "x".repeat(MAX_RAW),
            "variables": {"a\0": ["b\0"]},
        }));
        assert_eq!(report.raw, r#"{"call_id":"c-1","completed":true,"variables":{"a":["b"]}}"#);
    }
}
