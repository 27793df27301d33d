//! The body of `POST /v1/calls`, checked as strictly as Bland may: what passes here is not refused there for
//! its form.

use crate::{ATTEMPT_ID_KEY, ATTEMPT_KEY, CALL_ID_KEY};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// Bland's default.
const DEFAULT_MAX_MINUTES: f64 = 30.0;
const MAX_MINUTES: f64 = 720.0;
const MAX_SUMMARY_PROMPT: usize = 2_000;
const MAX_KEYWORDS: usize = 20;
const MAX_KEYWORD_LENGTH: usize = 100;

const KEYS: [&str; 30] = [
    "phone_number",
    "task",
    "pathway_id",
    "persona_id",
    "voice",
    "first_sentence",
    "model",
    "language",
    "wait_for_greeting",
    "temperature",
    "interruption_threshold",
    "from",
    "timezone",
    "start_time",
    "transfer_phone_number",
    "transfer_list",
    "max_duration",
    "tools",
    "background_track",
    "noise_cancellation",
    "record",
    "voicemail",
    "summary_prompt",
    "dispositions",
    "request_data",
    "metadata",
    "webhook",
    "webhook_events",
    "keywords",
    "guard_rails",
];
const TEXTS: [&str; 12] = [
    "task",
    "voice",
    "first_sentence",
    "model",
    "language",
    "from",
    "timezone",
    "start_time",
    "transfer_phone_number",
    "summary_prompt",
    "webhook",
    "persona_id",
];
const FLAGS: [&str; 3] = ["wait_for_greeting", "noise_cancellation", "record"];

/// What the simulator keeps of an order, in memory and in the journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub to: String,
    pub from: Option<String>,
    pub first_sentence: Option<String>,
    pub record: bool,
    pub max_duration: Duration,
    /// JSON objects as text, which is smaller.
    pub metadata: String,
    pub request_data: String,
    pub webhook: Option<String>,
    /// Ours, or how often the number was asked for.
    pub attempt: u64,
}

/// Whose call it is, read as far as it can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// The digits.
    pub number: Option<u64>,
    pub attempt_id: Option<Uuid>,
    pub call_id: Option<Uuid>,
    pub attempt: Option<u64>,
}

/// Why an order is refused: the status, the message, its details.
pub type Refusal = (u16, &'static str, Vec<String>);

impl Ids {
    pub fn read(body: &Value) -> Self {
        let metadata = &body["metadata"];
        let uuid = |key: &str| metadata[key].as_str().and_then(|text| Uuid::try_parse(text).ok());
        let attempt = &metadata[ATTEMPT_KEY];
        Self {
            number: body["phone_number"].as_str().and_then(digits),
            attempt_id: uuid(ATTEMPT_ID_KEY),
            call_id: uuid(CALL_ID_KEY),
            attempt: attempt.as_u64().or_else(|| attempt.as_str()?.parse().ok()),
        }
    }
}

/// The number of an E.164 text: `+`, then 7 to 15 digits, the first not 0.
pub fn digits(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+')?;
    let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good && !digits.starts_with('0') { digits.parse().ok() } else { None }
}

impl Order {
    /// `posts` stands in for a missing attempt number.
    pub fn read(body: &Value, ids: Ids, posts: u64) -> Result<Self, Refusal> {
        let Some(fields) = body.as_object() else { return Err((400, "The body is not a JSON object.", Vec::new())) };
        let errors = errors(fields);
        if !errors.is_empty() {
            return Err((400, "Invalid parameters.", errors));
        }
        if fields.contains_key("pathway_id") {
            // The simulator has no pathways.
            return Err((404, "Pathway not found.", Vec::new()));
        }
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        let object = |key: &str| fields.get(key).map_or_else(|| "{}".to_owned(), Value::to_string);
        let minutes = fields.get("max_duration").and_then(Value::as_f64).unwrap_or(DEFAULT_MAX_MINUTES);
        Ok(Self {
            to: text("phone_number").unwrap_or_default(),
            from: text("from"),
            first_sentence: text("first_sentence"),
            record: fields.get("record").and_then(Value::as_bool).unwrap_or_default(),
            max_duration: Duration::from_secs_f64(minutes * 60.0),
            metadata: object("metadata"),
            request_data: object("request_data"),
            webhook: text("webhook"),
            attempt: ids.attempt.unwrap_or(posts),
        })
    }

    pub fn size(&self) -> usize {
        let optional =
            [&self.from, &self.first_sentence, &self.webhook].map(|text| text.as_ref().map_or(0, String::len));
        self.to.len() + self.metadata.len() + self.request_data.len() + optional.iter().sum::<usize>()
    }
}

fn errors(fields: &Map<String, Value>) -> Vec<String> {
    let mut errors = Vec::new();
    let mut check = |good: bool, error: &str| {
        if !good {
            errors.push(error.to_owned());
        }
    };
    let field = |key: &str| fields.get(key).unwrap_or(&Value::Null);
    let number = |key: &str, range: std::ops::RangeInclusive<f64>| {
        field(key).is_null() || field(key).as_f64().is_some_and(|number| range.contains(&number))
    };
    let list = |key: &str| field(key).is_null() || field(key).is_array();

    check(field("phone_number").as_str().and_then(digits).is_some(), "phone_number: must be E.164.");
    let aims = ["task", "pathway_id", "persona_id"];
    check(
        aims.iter().any(|aim| field(aim).as_str().is_some_and(|text| !text.trim().is_empty())),
        "One of task, pathway_id, persona_id is required.",
    );
    for key in fields.keys() {
        check(KEYS.contains(&key.as_str()), &format!("{key}: unknown parameter."));
    }
    for key in TEXTS {
        check(field(key).is_null() || field(key).is_string(), &format!("{key}: must be a string."));
    }
    for key in FLAGS {
        check(field(key).is_null() || field(key).is_boolean(), &format!("{key}: must be a boolean."));
    }
    for key in ["metadata", "request_data"] {
        check(field(key).is_null() || field(key).is_object(), &format!("{key}: must be an object."));
    }
    for key in ["tools", "dispositions", "webhook_events", "guard_rails"] {
        check(list(key), &format!("{key}: must be a list."));
    }
    check(number("temperature", 0.0..=1.0), "temperature: must be from 0 to 1.");
    check(number("max_duration", 1.0..=MAX_MINUTES), "max_duration: must be from 1 to 720 minutes.");
    check(matches!(field("model").as_str(), None | Some("base" | "turbo")), "model: must be base or turbo.");
    let prompt = field("summary_prompt").as_str().unwrap_or_default();
    check(prompt.chars().count() <= MAX_SUMMARY_PROMPT, "summary_prompt: at most 2,000 characters.");
    let voicemail = field("voicemail");
    check(
        voicemail.is_null() || matches!(voicemail["action"].as_str(), Some("hangup" | "leave_message" | "ignore")),
        "voicemail: the action must be hangup, leave_message or ignore.",
    );
    let keywords = field("keywords").as_array().map(Vec::as_slice).unwrap_or_default();
    let short = |word: &Value| word.as_str().is_some_and(|word| word.chars().count() < MAX_KEYWORD_LENGTH);
    check(
        list("keywords") && keywords.len() <= MAX_KEYWORDS && keywords.iter().all(short),
        "keywords: at most 20, each under 100 characters.",
    );
    // Bland takes https alone; a simulator's webhooks stay within the machine.
    let webhook = field("webhook").as_str().map(Url::parse);
    check(
        webhook.is_none_or(|url| url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))),
        "webhook: must be a URL.",
    );
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value) -> Result<Order, Refusal> {
        Order::read(body, Ids::read(body), 1)
    }

    fn with(key: &str, value: Value) -> Value {
        let mut body = json!({"phone_number": "+14155550101", "task": "Say hello"});
        body[key] = value;
        body
    }

    #[test]
    fn takes_what_our_own_client_sends() {
        let order = crate::CallOrder {
            to: "+14155550101".into(),
            task: "Say hello".into(),
            attempt: 3,
            max_duration_minutes: Some(2),
            webhook_url: Some("http://127.0.0.1:1/hook".into()),
            ..crate::CallOrder::default()
        };
        let body = crate::bland::request::body(&order);
        let order = read(&body).unwrap();
        assert_eq!((order.to.as_str(), order.attempt), ("+14155550101", 3));
        assert_eq!(order.max_duration, Duration::from_mins(2));
        assert_eq!(Ids::read(&body).attempt_id, Some(Uuid::nil()));
    }

    #[test]
    fn names_every_bad_field() {
        for (key, value) in [
            ("phone_number", json!("4155550101")),
            ("phone_number", json!("+0155550101")),
            ("record", json!("yes")),
            ("voice", json!(1)),
            ("metadata", json!([])),
            ("tools", json!({})),
            ("temperature", json!(1.1)),
            ("max_duration", json!(0)),
            ("max_duration", json!(721)),
            ("model", json!("enhanced")),
            ("summary_prompt", json!("x".repeat(2_001))),
            ("voicemail", json!({"action": "shout"})),
            ("keywords", json!(vec!["x"; 21])),
            ("keywords", json!(["x".repeat(100)])),
            ("webhook", json!("ftp://example.com")),
            ("surprise", json!(1)),
        ] {
            let (status, _, errors) = read(&with(key, value.clone())).map(|order| order.to).unwrap_err();
            assert!(status == 400 && errors.len() == 1 && errors[0].starts_with(key), "{key} {value}: {errors:?}");
        }
        assert!(read(&json!([])).is_err_and(|(status, ..)| status == 400));
        assert!(read(&with("task", json!(" "))).is_err_and(|(status, ..)| status == 400));
        assert!(read(&with("pathway_id", json!("p"))).is_err_and(|(status, ..)| status == 404));
    }
}
