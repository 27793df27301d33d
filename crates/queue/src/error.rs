//! What can go wrong.

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is left out, since it holds a password.
    #[error("the broker's URL must look like amqp://user:password@host:5672/vhost or amqps://…")]
    Url,
    #[error("a prefix of queue names has at most 100 of the characters a-z A-Z 0-9 . _ -")]
    Prefix,
    #[error("the pause before a retry must not end before it begins")]
    Pause,
}

/// Why the queue did not take responsibility for a message. The message may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// For good: see [`crate::MAX_BODY_BYTES`] and [`crate::MAX_HEADER_BYTES`].
    #[error("the message is larger than a queue takes")]
    TooLarge,
    /// For now: the queue holds all it may, or the broker refuses more.
    #[error("the queue is full")]
    Full,
    /// For now: the queue was missing; it is declared again before the next attempt.
    #[error("the queue does not exist")]
    Unroutable,
    /// For now: the broker is out of reach or did not answer in time.
    #[error("the broker did not confirm")]
    Unconfirmed,
}

/// For two minutes the broker accepted TCP connections, and none of them became healthy: wrong
/// credentials, queues declared otherwise, or a state of this process that only a restart mends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker answers, but {role} could not connect for {seconds} s: {cause}")]
pub struct ConnectionLost {
    /// Which of the connections: the publisher's, or a queue's consumer.
    pub role: String,
    pub seconds: u64,
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    #[error("prefetch must not be zero")]
    NoPrefetch,
    #[error(transparent)]
    ConnectionLost(#[from] ConnectionLost),
}

/// Dead letters could not be read or moved. What was moved until then stays moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadLetterError {
    #[error("the broker could not be asked: {0}")]
    Broker(String),
    #[error("a dead letter could not go back to its queue: {0}")]
    Publish(#[from] PublishError),
}
