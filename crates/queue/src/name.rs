//! The queues there are.

use std::fmt;
use std::str::FromStr;

/// Every queue of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Calls that are due.
    Call,
    /// Files of contacts to import.
    Import,
    /// Outgoing webhooks.
    Webhook,
    /// Outgoing mail.
    Mail,
    /// Recordings to copy from the provider.
    Recording,
}

/// The text names no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of call, import, webhook, mail, recording")]
pub struct UnknownQueue;

impl QueueName {
    pub const ALL: [Self; 5] = [Self::Call, Self::Import, Self::Webhook, Self::Mail, Self::Recording];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Import => "import",
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::Recording => "recording",
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QueueName {
    type Err = UnknownQueue;

    fn from_str(text: &str) -> Result<Self, UnknownQueue> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(UnknownQueue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for name in QueueName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("Call".parse::<QueueName>(), Err(UnknownQueue));
    }
}
