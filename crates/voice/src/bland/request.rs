//! An order as the body of `POST /v1/calls`.

use crate::{ATTEMPT_ID_KEY, ATTEMPT_KEY, CALL_ID_KEY, CallOrder, VoicemailAction};
use serde_json::{Map, Value, json};

/// Only what the order sets: an unknown or empty key may be refused with 400.
pub(crate) fn body(order: &CallOrder) -> Value {
    let mut metadata: Map<String, Value> =
        order.metadata.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    metadata.insert(CALL_ID_KEY.to_owned(), order.call_id.to_string().into());
    metadata.insert(ATTEMPT_ID_KEY.to_owned(), order.attempt_id.to_string().into());
    metadata.insert(ATTEMPT_KEY.to_owned(), order.attempt.into());

    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("phone_number", order.to.clone().into());
    set("task", order.task.clone().into());
    set("record", order.record.into());
    set("wait_for_greeting", order.wait_for_greeting.into());
    set("metadata", metadata.into());
    for (key, value) in [
        ("from", &order.from),
        ("first_sentence", &order.first_sentence),
        ("voice", &order.voice),
        ("model", &order.model),
        ("language", &order.language),
        ("timezone", &order.timezone),
        ("summary_prompt", &order.summary_prompt),
        ("webhook", &order.webhook_url),
    ] {
        if let Some(value) = value {
            set(key, value.clone().into());
        }
    }
    if let Some(minutes) = order.max_duration_minutes {
        set("max_duration", minutes.into());
    }
    if let Some(voicemail) = &order.voicemail {
        let action = match voicemail.action {
            VoicemailAction::HangUp => "hangup",
            VoicemailAction::LeaveMessage => "leave_message",
            VoicemailAction::Ignore => "ignore",
        };
        set(
            "voicemail",
            match &voicemail.message {
                Some(message) => json!({"action": action, "message": message}),
                None => json!({"action": action}),
            },
        );
    }
    if !order.dispositions.is_empty() {
        set("dispositions", json!(order.dispositions));
    }
    if !order.tools.is_empty() {
        set("tools", order.tools.clone().into());
    }
    if !order.request_data.is_empty() {
        set("request_data", json!(order.request_data));
    }
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Voicemail;
    use uuid::Uuid;

    #[test]
    fn sends_only_what_the_order_sets() {
        let order =
            CallOrder { to: "+14155550100".into(), task: "Say hello".into(), attempt: 2, ..CallOrder::default() };
        let nil = Uuid::nil().to_string();
        assert_eq!(
            body(&order),
            json!({
                "phone_number": "+14155550100", "task": "Say hello", "record": false, "wait_for_greeting": false,
                "metadata": {"callfairy_call_id": nil, "callfairy_attempt_id": nil, "callfairy_attempt": 2},
            })
        );
    }

    #[test]
    fn sends_everything_the_order_sets() {
        let text = |text: &str| Some(text.to_owned());
        let order = CallOrder {
            from: text("+1"),
            first_sentence: text("Hi"),
            voice: text("maya"),
            model: text("turbo"),
            language: text("en"),
            timezone: text("Europe/Berlin"),
            max_duration_minutes: Some(5),
            record: true,
            wait_for_greeting: true,
            voicemail: Some(Voicemail { action: VoicemailAction::LeaveMessage, message: text("Call us") }),
            summary_prompt: text("Short"),
            dispositions: vec!["YES".into()],
            tools: vec![json!({"name": "t"})],
            request_data: [("name".to_owned(), "Ada".to_owned())].into(),
            // Nobody passes for another call.
            metadata: [("crm".to_owned(), "7".to_owned()), (ATTEMPT_ID_KEY.to_owned(), "forged".to_owned())].into(),
            webhook_url: text("https://example.com/w"),
            ..CallOrder::default()
        };
        let body = body(&order);
        for (pointer, value) in [
            ("/from", json!("+1")),
            ("/first_sentence", json!("Hi")),
            ("/voice", json!("maya")),
            ("/model", json!("turbo")),
            ("/language", json!("en")),
            ("/timezone", json!("Europe/Berlin")),
            ("/max_duration", json!(5)),
            ("/record", json!(true)),
            ("/wait_for_greeting", json!(true)),
            ("/voicemail", json!({"action": "leave_message", "message": "Call us"})),
            ("/summary_prompt", json!("Short")),
            ("/dispositions", json!(["YES"])),
            ("/tools", json!([{"name": "t"}])),
            ("/request_data", json!({"name": "Ada"})),
            ("/metadata/crm", json!("7")),
            ("/metadata/callfairy_attempt_id", json!(Uuid::nil().to_string())),
            ("/webhook", json!("https://example.com/w")),
        ] {
            assert_eq!(body.pointer(pointer), Some(&value), "{pointer}");
        }
    }
}
