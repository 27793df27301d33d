//! telephony's order in the provider's terms.

use proto::jobs;
use proto::telephony::VoicemailAction as Action;
use voice::{Account, CallOrder, Voicemail, VoicemailAction};

/// What the provider is asked for. The error says which id is none.
pub fn order(order: jobs::CallOrder, account: &Account) -> Result<CallOrder, String> {
    let id = |name: &str, text: &str| text.parse().map_err(|_| format!("the order's {name} is no UUID"));
    Ok(CallOrder {
        call_id: id("call_id", &order.call_id)?,
        attempt_id: id("attempt_id", &order.attempt_id)?,
        attempt: order.attempt,
        to: order.phone_number,
        task: order.task,
        first_sentence: order.first_sentence,
        voice: order.voice,
        model: order.model,
        language: order.language,
        max_duration_minutes: order.max_duration,
        record: order.record,
        wait_for_greeting: order.wait_for_greeting,
        voicemail: order.voicemail.map(voicemail),
        metadata: order.metadata.into_iter().collect(),
        webhook_url: Some(order.webhook_url).filter(|url| is_taken(url, account)),
        ..CallOrder::default()
    })
}

/// Bland refuses a call for good whose webhook is not https; without one it is placed, and polled. The simulator, which
/// is within reach of plain http, takes all.
fn is_taken(webhook: &str, account: &Account) -> bool {
    webhook.starts_with("https://") || (!webhook.is_empty() && account.base_url.scheme() == "http")
}

fn voicemail(voicemail: proto::telephony::Voicemail) -> Voicemail {
    let action = match voicemail.action() {
        Action::LeaveMessage => VoicemailAction::LeaveMessage,
        Action::Ignore => VoicemailAction::Ignore,
        Action::Hangup | Action::Unspecified => VoicemailAction::HangUp,
    };
    Voicemail { action, message: voicemail.message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use callfairy_core::Secret;
    use uuid::Uuid;

    fn account(url: &str) -> Account {
        Account { api_key: Secret::new("key"), base_url: url.parse().unwrap() }
    }

    fn full() -> jobs::CallOrder {
        let text = |text: &str| Some(text.to_owned());
        jobs::CallOrder {
            call_id: Uuid::from_u128(1).to_string(),
            attempt_id: Uuid::from_u128(2).to_string(),
            attempt: 3,
            epoch: 4,
            phone_number: "+14155550101".into(),
            task: "Say hello".into(),
            first_sentence: text("Hi"),
            voice: text("maya"),
            model: text("turbo"),
            language: text("en"),
            max_duration: Some(5),
            record: true,
            wait_for_greeting: true,
            voicemail: Some(proto::telephony::Voicemail {
                action: Action::LeaveMessage.into(),
                message: text("Call us"),
            }),
            webhook_url: "https://example.com/hook".into(),
            metadata: [("crm".to_owned(), "7".to_owned())].into(),
        }
    }

    #[test]
    fn carries_all_that_was_ordered() {
        let text = |text: &str| Some(text.to_owned());
        let order = order(full(), &account("https://api.bland.ai")).unwrap();
        assert_eq!((order.call_id, order.attempt_id, order.attempt), (Uuid::from_u128(1), Uuid::from_u128(2), 3));
        assert_eq!((order.to.as_str(), order.task.as_str()), ("+14155550101", "Say hello"));
        assert_eq!((order.first_sentence, order.voice), (text("Hi"), text("maya")));
        assert_eq!((order.model, order.language), (text("turbo"), text("en")));
        assert_eq!((order.max_duration_minutes, order.record, order.wait_for_greeting), (Some(5), true, true));
        let voicemail = Voicemail { action: VoicemailAction::LeaveMessage, message: text("Call us") };
        assert_eq!(order.voicemail, Some(voicemail));
        assert_eq!(order.metadata["crm"], "7");
        assert_eq!(order.webhook_url, text("https://example.com/hook"));
    }

    #[test]
    fn a_webhook_that_the_provider_would_refuse_is_left_out() {
        let webhook = |webhook: &str, provider: &str| {
            order(jobs::CallOrder { webhook_url: webhook.into(), ..full() }, &account(provider)).unwrap().webhook_url
        };
        assert_eq!(webhook("http://127.0.0.1:8080/hook", "https://api.bland.ai"), None);
        assert!(webhook("http://127.0.0.1:8080/hook", "http://127.0.0.1:9000").is_some());
        assert_eq!(webhook("", "http://127.0.0.1:9000"), None);
    }

    #[test]
    fn an_order_without_ids_is_none() {
        let bad = jobs::CallOrder { attempt_id: "7".into(), ..full() };
        assert_eq!(order(bad, &account("https://api.bland.ai")).unwrap_err(), "the order's attempt_id is no UUID");
    }
}
