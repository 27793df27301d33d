use super::detail::call_detail;
use crate::{AnsweredBy, CallDetail, Failure, Outcome, Progress, Speaker};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

fn detail(mut body: Value) -> CallDetail {
    body["call_id"] = "c-1".into();
    call_detail(body).unwrap()
}

fn ends(body: Value) -> Option<Outcome> {
    detail(body).outcome
}

#[test]
fn reads_every_field() {
    let id = Uuid::from_u128(7);
    let body = json!({
        "call_id": "c-1", "to": "+14155550100", "from": "+14155550199", "completed": true, "status": "completed",
        "queue_status": "complete", "answered_by": "human", "call_length": 0.5, "corrected_duration": "31",
        "created_at": "2026-01-02T03:04:05.678Z", "started_at": "2026-01-02 03:04:06", "end_at": "2026-01-02T04:04:37+01:00",
        "price": 0.045, "summary": "Fine", "recording_url": "https://example.com/r.wav", "error_message": null,
        "disposition_tag": "INTERESTED", "transferred_to": "+14155550111", "concatenated_transcript": "all",
        "transcripts": [
            {"id": 1, "created_at": "2026-01-02T03:04:07Z", "text": "Hello?", "user": "user"},
            {"text": "Hi.", "user": "assistant"}, {"text": "Hi!", "user": "robot"},
            {"text": "Transferred", "user": "agent-action"}, {"text": " ", "user": "user"}, 7
        ],
        "metadata": {"callfairy_call_id": id, "callfairy_attempt_id": id, "callfairy_attempt": 1},
        "unheard_of": [1]
    });
    let call = call_detail(body.clone()).unwrap();
    assert_eq!(call.provider_call_id, "c-1");
    assert_eq!((call.call_id, call.attempt_id), (Some(id), Some(id)));
    assert_eq!((call.to.as_deref(), call.from.as_deref()), (Some("+14155550100"), Some("+14155550199")));
    assert_eq!((call.progress, call.outcome, call.failure), (Progress::Ended, Some(Outcome::Completed), None));
    assert_eq!(call.answered_by, Some(AnsweredBy::Human));
    assert_eq!(call.duration, Some(Duration::from_secs(31)));
    assert_eq!(call.price_micro_usd, Some(45_000));
    let time = |time: Option<callfairy_core::Timestamp>| time.unwrap().to_string();
    assert_eq!(time(call.created_at), "2026-01-02T03:04:05.678Z");
    assert_eq!(time(call.started_at), "2026-01-02T03:04:06Z");
    assert_eq!(time(call.ended_at), "2026-01-02T03:04:37Z");
    let speakers: Vec<_> = call.transcript.iter().map(|turn| turn.speaker).collect();
    assert_eq!(speakers, [Speaker::Person, Speaker::Assistant, Speaker::Assistant, Speaker::Action]);
    assert_eq!(time(call.transcript[0].at), "2026-01-02T03:04:07Z");
    assert_eq!(call.transcript_text.as_deref(), Some("all"));
    assert_eq!(call.summary.as_deref(), Some("Fine"));
    assert_eq!(call.recording_url.as_deref(), Some("https://example.com/r.wav"));
    assert_eq!(call.disposition.as_deref(), Some("INTERESTED"));
    assert_eq!(call.transferred_to.as_deref(), Some("+14155550111"));
    assert_eq!(call.raw, body);
}

#[test]
fn completed_in_words_only_is_still_in_progress() {
    let wrapping_up = detail(json!({"status": "completed", "completed": false, "queue_status": "started"}));
    assert_eq!((wrapping_up.progress, wrapping_up.outcome), (Progress::InProgress, None));
    assert_eq!(ends(json!({"status": "completed", "completed": true})), Some(Outcome::Completed));
    assert_eq!(ends(json!({"status": "completed"})), Some(Outcome::Completed));
}

#[test]
fn progress_by_queue_status() {
    let at = |queue: &str, started: Value| {
        detail(json!({"queue_status": queue, "completed": false, "started_at": started})).progress
    };
    for queue in ["new", "queued", "allocated", "", "unheard of"] {
        assert_eq!(at(queue, Value::Null), Progress::Queued, "{queue}");
    }
    assert_eq!(at("started", Value::Null), Progress::Ringing);
    assert_eq!(at("started", "2026-01-02T03:04:05Z".into()), Progress::InProgress);
    assert_eq!(at("complete", Value::Null), Progress::InProgress);
    for queue in ["pre_queue_error", "queue_error", "call_error", "complete_error"] {
        assert_eq!(ends(json!({"queue_status": queue, "completed": false})), Some(Outcome::Failed), "{queue}");
    }
    for queue in ["complete", "completed"] {
        assert_eq!(ends(json!({"queue_status": queue, "answered_by": "human"})), Some(Outcome::Completed), "{queue}");
        let ended =
            json!({"queue_status": queue, "completed": false, "end_at": "2026-01-02T03:04:05Z", "status": "completed"});
        assert_eq!(ends(ended), Some(Outcome::Completed), "{queue}");
    }
    assert_eq!(detail(json!({"status": "ringing"})).progress, Progress::Ringing);
    assert_eq!(detail(json!({"answered_by": "human", "completed": false})).progress, Progress::InProgress);
}

#[test]
fn outcome_by_status() {
    for (status, outcome) in [
        ("completed", Outcome::Completed),
        ("failed", Outcome::Failed),
        ("error", Outcome::Failed),
        ("busy", Outcome::Busy),
        ("no-answer", Outcome::NoAnswer),
        ("no_answer", Outcome::NoAnswer),
        ("canceled", Outcome::Canceled),
        ("cancelled", Outcome::Canceled),
        ("unknown", Outcome::Failed),
    ] {
        assert_eq!(ends(json!({"status": status, "completed": true})), Some(outcome), "{status}");
    }
    for status in ["failed", "busy", "no-answer", "canceled", "error"] {
        assert_eq!(detail(json!({"status": status, "completed": false})).progress, Progress::Ended, "{status}");
    }
}

#[test]
fn who_answered_decides_what_completed_means() {
    let by = |who: &str| ends(json!({"status": "completed", "completed": true, "answered_by": who}));
    assert_eq!(by("voicemail"), Some(Outcome::Voicemail));
    assert_eq!(by("no-answer"), Some(Outcome::NoAnswer));
    assert_eq!(by("human"), Some(Outcome::Completed));
    assert_eq!(by("unknown"), Some(Outcome::Completed));
    assert_eq!(ends(json!({"completed": true, "answered_by": "voicemail"})), Some(Outcome::Voicemail));
    assert_eq!(ends(json!({"completed": true, "status": "unknown", "call_length": 0.2})), Some(Outcome::Completed));
}

#[test]
fn failures_by_message() {
    for (message, failure, outcome) in [
        ("Number not found", Some(Failure::NumberNotFound), Outcome::Failed),
        ("Callee temporarily unavailable.", Some(Failure::Unavailable), Outcome::Failed),
        ("The line is BUSY", Some(Failure::Busy), Outcome::Busy),
        ("Blocked Call due to Spam or Number Reputation", Some(Failure::CallerBlocked), Outcome::Failed),
        ("Something else", None, Outcome::Failed),
    ] {
        let call = detail(json!({"status": "failed", "error_message": message}));
        assert_eq!((call.failure, call.outcome), (failure, Some(outcome)), "{message}");
    }
}

#[test]
fn numbers_in_any_dress() {
    let duration = |body| detail(body).duration;
    assert_eq!(duration(json!({"corrected_duration": "12.5", "call_length": 9})), Some(Duration::from_millis(12_500)));
    assert_eq!(duration(json!({"corrected_duration": 12})), Some(Duration::from_secs(12)));
    assert_eq!(duration(json!({"call_length": 1.5})), Some(Duration::from_secs(90)));
    assert_eq!(duration(json!({"corrected_duration": null, "call_length": "2"})), Some(Duration::from_mins(2)));
    for bad in [json!("NaN"), json!("inf"), json!(-1), json!(1e300), json!({})] {
        assert_eq!(duration(json!({"corrected_duration": bad})), None);
    }
    let price = |value: Value| detail(json!({"price": value})).price_micro_usd;
    assert_eq!(price(json!(0.1)), Some(100_000));
    assert_eq!(price(json!("$0.0225")), Some(22_500));
    assert_eq!(price(json!(1e300)), None);
}

#[test]
fn our_ids_wherever_they_come_back() {
    let id = Uuid::from_u128(9);
    let ours = json!({"callfairy_attempt_id": id});
    for body in [
        json!({"metadata": ours}),
        json!({"metadata": ours.to_string()}),
        json!({"variables": {"metadata": ours}}),
        json!({"metadata": {}, "variables": {"metadata": ours.to_string()}}),
    ] {
        assert_eq!(detail(body.clone()).attempt_id, Some(id), "{body}");
    }
    assert_eq!(detail(json!({"metadata": {"callfairy_attempt_id": "x"}})).attempt_id, None);
}

#[test]
fn nothing_is_required_but_an_id() {
    assert!(call_detail(json!({})).is_none());
    assert!(call_detail(json!({"call_id": "a/b"})).is_none());
    assert!(call_detail(json!(["call_id"])).is_none());
    let call = call_detail(json!({"c_id": "x"})).unwrap();
    assert_eq!((call.progress, call.outcome), (Progress::Queued, None));
    let odd = json!({"call_id": "x", "status": 7, "completed": "yes", "transcripts": {}, "metadata": 3, "price": [], "to": {}});
    assert_eq!(call_detail(odd).unwrap().progress, Progress::Queued);
}
