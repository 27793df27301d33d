//! The dead letters, for operators.

use super::health::Failure;
use super::link::{Link, within};
use super::{Broker, Shared, codec, topology};
use crate::{DeadLetter, DeadLetterError, MAX_DEAD_LETTERS, QueueName, Replay};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};

const OPERATOR: &str = "callfairy operator";

impl Broker {
    pub(crate) async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let reader = Reader::open(&self.shared).await?;
        let found = reader.read(limit, &self.shared).await?;
        reader.link.close().await;
        Ok(found.into_iter().map(|(_, letter)| letter).collect())
    }

    /// A letter is acknowledged after its queue has taken it: a crash in between leaves it in both.
    pub(crate) async fn replay(&self, which: &Replay) -> Result<usize, DeadLetterError> {
        let reader = Reader::open(&self.shared).await?;
        let mut found = reader.read(MAX_DEAD_LETTERS, &self.shared).await?;
        found.retain(|(_, letter)| which.takes(letter.message.id));
        let mut replayed = 0;
        for queue in QueueName::ALL {
            let (deliveries, messages): (Vec<_>, Vec<_>) = found
                .iter()
                .filter(|(_, letter)| letter.queue == Some(queue))
                .map(|(delivery, letter)| (delivery, letter.message.clone()))
                .unzip();
            let published = self.publish(queue, messages).await;
            for (delivery, published) in deliveries.into_iter().zip(published) {
                published?;
                within("acknowledge", delivery.ack(BasicAckOptions::default())).await?;
                replayed += 1;
            }
        }
        reader.link.close().await;
        Ok(replayed)
    }

    /// Removes every queue of this prefix.
    pub(crate) async fn delete(&self) -> Result<(), DeadLetterError> {
        let link = Link::open(&self.shared.config.url, OPERATOR).await?;
        topology::delete(&link.channel().await?, &self.shared).await?;
        link.close().await;
        Ok(())
    }
}

/// A connection that looks at messages; what it does not acknowledge goes back as it closes.
struct Reader {
    link: Link,
    channel: Channel,
}

impl Reader {
    async fn open(shared: &Shared) -> Result<Self, Failure> {
        let link = Link::open(&shared.config.url, OPERATOR).await?;
        let channel = link.channel().await?;
        topology::declare(&channel, shared).await?;
        Ok(Self { link, channel })
    }

    async fn read(&self, limit: usize, shared: &Shared) -> Result<Vec<(Delivery, DeadLetter)>, Failure> {
        let mut found = Vec::new();
        let queue = shared.dead_name();
        while found.len() < limit {
            let get = self.channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
            let Some(message) = within("get", get).await? else { break };
            let letter = codec::dead_letter(&message.delivery, shared);
            found.push((message.delivery, letter));
        }
        Ok(found)
    }
}

impl From<Failure> for DeadLetterError {
    fn from(failure: Failure) -> Self {
        Self::Broker(failure.cause)
    }
}
