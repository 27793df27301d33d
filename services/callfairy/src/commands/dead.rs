//! `callfairy queue dead`.

use queue::{Queue, Replay};
use runtime::{BoxError, Settings};

pub async fn list(settings: &Settings, limit: usize) -> Result<(), BoxError> {
    let letters = broker(settings)?.dead_letters(limit).await?;
    for letter in &letters {
        let queue = letter.queue.map_or("?", queue::QueueName::as_str);
        println!("{}  {queue}  {}  {}", letter.message.id, letter.reason, body(&letter.message.body));
    }
    println!("{} dead letters", letters.len());
    Ok(())
}

/// Puts one back, or all.
pub async fn replay(settings: &Settings, id: Option<String>) -> Result<(), BoxError> {
    let which = match id {
        Some(id) => Replay::Ids(vec![id.parse().map_err(|_| format!("{id} is not a message's id"))?]),
        None => Replay::All,
    };
    let count = broker(settings)?.replay_dead_letters(which).await?;
    println!("{count} put back into their queues");
    Ok(())
}

fn broker(settings: &Settings) -> Result<Queue, BoxError> {
    if settings.amqp_url.is_none() {
        return Err("the embedded queue keeps no dead letters when its process ends; set AMQP_URL for a broker".into());
    }
    Ok(queue::open(settings.amqp_url.as_ref(), &settings.queue_prefix)?)
}

/// Bodies are ids; anything else is cut.
fn body(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(200).collect()
}
