//! Messages between processes, or within one: publish, consume, retry, dead letters.
//!
//! Owns: the closed list of queues ([`QueueName`]), what a message is, and two backends behind one
//! handle ([`Queue`]): RabbitMQ, and an embedded one that lives in this process.
//!
//! Refuses: to be the record of anything. A queue rings a doorbell; the job itself is a row in a
//! database. Messages carry ids, delivery is at least once, so every handler is idempotent by job id,
//! and what a queue loses (a wiped broker, an embedded queue whose process stopped) the services'
//! sweeps ring again. It also refuses delays of more than a few seconds: those live in the job's row.
//!
//! To add a queue: a variant in [`QueueName`]; it is declared at the next connection.
//!
//! ```
//! # use queue::{Message, Outcome, Queue, QueueName};
//! # use tokio_util::sync::CancellationToken;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let queue = Queue::embedded();
//! let confirmed = queue.publish(QueueName::Call, vec![Message::new(b"job 7".to_vec())]).await;
//! assert_eq!(confirmed, [Ok(())]);
//!
//! let shutdown = CancellationToken::new();
//! let stop = shutdown.clone();
//! let consumed = queue.consume(QueueName::Call, 16, shutdown, move |message: Message| {
//!     stop.cancel();
//!     async move { if message.body.is_empty() { Outcome::Dead("no job".into()) } else { Outcome::Done } }
//! });
//! assert_eq!(consumed.await, Ok(()));
//! # });
//! ```

mod embedded;
mod error;
mod handle;
mod handler;
mod message;
mod name;
mod open;
mod policy;
mod rabbitmq;

pub use error::{ConfigError, ConnectionLost, ConsumeError, DeadLetterError, PublishError};
pub use handle::Queue;
pub use handler::{Outcome, SHUTDOWN_DEADLINE};
pub use message::{DeadLetter, MAX_BODY_BYTES, MAX_DEAD_LETTERS, MAX_HEADER_BYTES, Message, Replay};
pub use name::QueueName;
pub use open::open;
pub use policy::{DELIVERY_LIMIT, RetryPolicy};
pub use rabbitmq::RabbitConfig;
