//! What travels.

use crate::{PublishError, QueueName};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A body is an id or a few: 64 KiB is far more than any needs.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// All names and values of a message's headers together; the broker takes them in one frame.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;
/// The longest header name that AMQP can carry.
const MAX_HEADER_NAME_BYTES: usize = 255;
/// How many dead letters one call lists or replays at most.
pub const MAX_DEAD_LETTERS: usize = 1_000;

/// Headers of this prefix belong to the broker and to this crate.
const RESERVED_PREFIX: &str = "x-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names the message in logs and among the dead letters. Not a key against repeats: that is the job's id.
    pub id: Uuid,
    /// At most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// The W3C trace context, passed on unread. At most [`MAX_HEADER_BYTES`]; names that begin with `x-` are dropped.
    pub headers: BTreeMap<String, String>,
}

impl Message {
    /// A message with a new id and no headers.
    pub fn new(body: Vec<u8>) -> Self {
        Self { id: Uuid::now_v7(), body, headers: BTreeMap::new() }
    }

    /// What both backends send: within the limits, without reserved headers.
    pub(crate) fn checked(mut self) -> Result<Self, PublishError> {
        self.headers.retain(|name, _| !is_reserved(name));
        let header_bytes: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let longest_name = self.headers.keys().map(String::len).max().unwrap_or_default();
        if self.body.len() > MAX_BODY_BYTES || header_bytes > MAX_HEADER_BYTES || longest_name > MAX_HEADER_NAME_BYTES {
            return Err(PublishError::TooLarge);
        }
        Ok(self)
    }
}

pub(crate) fn is_reserved(header: &str) -> bool {
    header.starts_with(RESERVED_PREFIX)
}

/// A message that no handler could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub message: Message,
    /// Where it came from; `None` when the message does not tell, and then it cannot be replayed.
    pub queue: Option<QueueName>,
    /// The handler's own words, or `delivery limit reached`.
    pub reason: String,
}

pub(crate) const DELIVERY_LIMIT_REACHED: &str = "delivery limit reached";

/// Which dead letters go back to their queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    All,
    /// Those with these message ids.
    Ids(Vec<Uuid>),
}

impl Replay {
    pub(crate) fn takes(&self, id: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::Ids(ids) => ids.contains(&id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        let with_header = |name: String, value: String| {
            let mut message = Message::new(vec![]);
            message.headers.insert(name, value);
            message.checked().map(|message| message.headers.len())
        };
        assert!(Message::new(vec![0; MAX_BODY_BYTES]).checked().is_ok());
        assert_eq!(Message::new(vec![0; MAX_BODY_BYTES + 1]).checked(), Err(PublishError::TooLarge));
        assert_eq!(with_header("traceparent".into(), "00-".into()), Ok(1));
        assert_eq!(with_header("x-death".into(), "yes".into()), Ok(0));
        assert_eq!(with_header("n".repeat(256), String::new()), Err(PublishError::TooLarge));
        assert_eq!(with_header("tracestate".into(), "v".repeat(MAX_HEADER_BYTES)), Err(PublishError::TooLarge));
    }
}
