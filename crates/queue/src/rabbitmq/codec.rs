//! Messages as AMQP carries them.

use super::Shared;
use crate::message::{DELIVERY_LIMIT_REACHED, is_reserved};
use crate::{DeadLetter, Message, QueueName};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use std::collections::BTreeMap;
use uuid::Uuid;

const PERSISTENT: u8 = 2;
/// What a dead letter that a handler refused carries; the broker adds its own to those it gave up.
const DEAD_QUEUE: &str = "x-dead-queue";
const DEAD_REASON: &str = "x-dead-reason";
const BROKERS_DEAD_QUEUE: &str = "x-first-death-queue";
const BROKERS_DEAD_REASON: &str = "x-first-death-reason";
const RETURNS: &str = "x-delivery-count";
/// Longer reasons are cut.
const MAX_REASON_BYTES: usize = 1024;

pub(super) fn properties(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.to_string().into())
        .with_headers(headers)
}

pub(super) fn id(properties: &BasicProperties) -> Option<Uuid> {
    properties.message_id().as_ref().and_then(|id| Uuid::try_parse(id.as_str()).ok())
}

/// `None` for what this crate did not send.
pub(super) fn message(delivery: &Delivery) -> Option<Message> {
    let id = id(&delivery.properties)?;
    let headers = all_headers(&delivery.properties).into_iter().filter(|(name, _)| !is_reserved(name)).collect();
    Some(Message { id, body: delivery.data.clone(), headers })
}

/// How often the broker counts that the message came back.
pub(super) fn returns(properties: &BasicProperties) -> i64 {
    let count = properties.headers().as_ref().and_then(|headers| headers.inner().get(RETURNS));
    count.and_then(AMQPValue::as_long_long_int).unwrap_or_default()
}

/// The message as it goes to the dead letters.
pub(super) fn bury(mut message: Message, queue: QueueName, reason: &str) -> Message {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)];
    message.headers.insert(DEAD_QUEUE.into(), queue.to_string());
    message.headers.insert(DEAD_REASON.into(), reason.into());
    message
}

pub(super) fn dead_letter(delivery: &Delivery, shared: &Shared) -> DeadLetter {
    let headers = all_headers(&delivery.properties);
    let queue = match (headers.get(DEAD_QUEUE), headers.get(BROKERS_DEAD_QUEUE)) {
        (Some(ours), _) => Some(ours.as_str()),
        (None, theirs) => theirs.and_then(|name| name.strip_prefix(shared.config.prefix.as_str())),
    };
    let reason = match (headers.get(DEAD_REASON), headers.get(BROKERS_DEAD_REASON).map(String::as_str)) {
        (Some(ours), _) => ours.clone(),
        (None, Some("delivery_limit")) => DELIVERY_LIMIT_REACHED.into(),
        (None, theirs) => theirs.unwrap_or("unknown").into(),
    };
    DeadLetter {
        queue: queue.and_then(|name| name.parse().ok()),
        reason,
        message: message(delivery).unwrap_or_else(|| Message {
            id: Uuid::nil(),
            body: delivery.data.clone(),
            headers: BTreeMap::new(),
        }),
    }
}

fn all_headers(properties: &BasicProperties) -> BTreeMap<String, String> {
    let table = properties.headers().as_ref().map(FieldTable::inner);
    let texts = table.into_iter().flatten().filter_map(|(name, value)| match value {
        AMQPValue::LongString(text) => Some((name.to_string(), text.to_string())),
        _ => None,
    });
    texts.collect()
}
