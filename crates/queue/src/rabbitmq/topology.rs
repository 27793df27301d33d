//! The queues as the broker holds them.

use super::Shared;
use super::health::Failure;
use super::link::within;
use crate::QueueName;
use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

/// How many messages one queue holds; more are refused, and stay with their sender.
const MAX_MESSAGES: i64 = 1_000_000;
/// How many dead letters are kept; the oldest make room.
const MAX_DEAD: i64 = 100_000;
/// Looking at dead letters counts as a delivery, and some brokers have a limit where none is asked for.
const DEAD_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// Declares everything; safe to repeat. That it succeeds proves little: brokers accept arguments they do not know.
pub(super) async fn declare(channel: &Channel, shared: &Shared) -> Result<(), Failure> {
    let dead = shared.dead_name();
    declare_queue(
        channel,
        &dead,
        [
            ("x-max-length", AMQPValue::LongLongInt(MAX_DEAD)),
            ("x-delivery-limit", AMQPValue::LongLongInt(DEAD_DELIVERY_LIMIT)),
        ],
    )
    .await?;
    for queue in QueueName::ALL {
        declare_queue(
            channel,
            &shared.queue_name(queue),
            [
                ("x-delivery-limit", AMQPValue::LongLongInt(shared.config.policy.delivery_limit.into())),
                ("x-max-length", AMQPValue::LongLongInt(MAX_MESSAGES)),
                // Dead-lettering at least once demands this overflow.
                ("x-overflow", text("reject-publish")),
                ("x-dead-letter-strategy", text("at-least-once")),
                // The default exchange leads to the queue that the key names.
                ("x-dead-letter-exchange", text("")),
                ("x-dead-letter-routing-key", text(&dead)),
            ],
        )
        .await?;
    }
    Ok(())
}

/// Removes everything, with the messages in it.
pub(super) async fn delete(channel: &Channel, shared: &Shared) -> Result<(), Failure> {
    for name in QueueName::ALL.map(|queue| shared.queue_name(queue)).into_iter().chain([shared.dead_name()]) {
        within("delete a queue", channel.queue_delete(name.into(), QueueDeleteOptions::default())).await?;
    }
    Ok(())
}

async fn declare_queue<const N: usize>(
    channel: &Channel,
    name: &str,
    arguments: [(&str, AMQPValue); N],
) -> Result<(), Failure> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    within("declare a queue", channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table)).await?;
    Ok(())
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
