//! From the outbox to the queue.

use db::outbox::OutboxRow;
use queue::{Message, Queue, QueueName};
use std::collections::BTreeMap;

/// Publishes a batch: one result for each row, in order.
pub async fn publish(queue: Queue, rows: Vec<OutboxRow>) -> Vec<Result<(), String>> {
    let mut results: Vec<Result<(), String>> = rows.iter().map(|row| Err(format!("no queue {}", row.topic))).collect();
    let mut by_queue = BTreeMap::<QueueName, Vec<(usize, Message)>>::new();
    for (index, row) in rows.into_iter().enumerate() {
        if let Ok(name) = row.topic.parse() {
            let message =
                Message { id: row.id.uuid(), body: row.payload.to_string().into_bytes(), headers: row.headers };
            by_queue.entry(name).or_default().push((index, message));
        }
    }
    for (name, messages) in by_queue {
        let (indices, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        for (index, result) in indices.into_iter().zip(queue.publish(name, messages).await) {
            results[index] = result.map_err(|error| error.to_string());
        }
    }
    results
}
