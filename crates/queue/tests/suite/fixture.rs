//! Backends to test, and how to wait.

use callfairy_core::Secret;
use queue::{Message, Outcome, Queue, QueueName, RabbitConfig, RetryPolicy};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// No test takes longer, whatever hangs.
const TEST_DEADLINE: Duration = Duration::from_secs(90);
/// How long a condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(5);

pub const PAUSE: Duration = Duration::from_millis(700);
pub const DELIVERY_LIMIT: u32 = 3;

pub fn policy() -> RetryPolicy {
    RetryPolicy { delivery_limit: DELIVERY_LIMIT, pause_min: PAUSE, pause_max: PAUSE + Duration::from_millis(100) }
}

pub async fn embedded<F: Future<Output = ()> + Send + 'static>(test: fn(Queue) -> F) {
    within_deadline(test(Queue::embedded_with(policy()))).await;
}

pub async fn rabbitmq<F: Future<Output = ()> + Send + 'static>(test: fn(Queue) -> F) {
    let config = config();
    let queue = Queue::rabbitmq(config.clone()).unwrap();
    // Declares the queues. The broker nacks what is published while another connection declares the same queue.
    assert_eq!(queue.dead_letters(1).await, Ok(vec![]));
    with_broker(&config, test(queue)).await;
}

/// A prefix of its own on the test broker.
pub fn config() -> RabbitConfig {
    let prefix = format!("test-{}.", Uuid::now_v7());
    RabbitConfig { url: Secret::new(broker_url()), prefix, policy: policy(), ..RabbitConfig::default() }
}

pub fn broker_url() -> String {
    std::env::var("CALLFAIRY_TEST_AMQP_URL").expect("CALLFAIRY_TEST_AMQP_URL is unset: run the tests with tests/run")
}

/// Runs the test and removes its queues, however it ends.
pub async fn with_broker(config: &RabbitConfig, test: impl Future<Output = ()> + Send + 'static) {
    let ended = tokio::spawn(within_deadline(test)).await;
    Queue::rabbitmq(config.clone()).unwrap().delete().await.unwrap();
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn within_deadline(test: impl Future<Output = ()>) {
    timeout(TEST_DEADLINE, test).await.expect("the test hangs");
}

pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(POLL).await;
    }
}

pub fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|at| Message::new(format!("{at}").into_bytes())).collect()
}

pub async fn publish(queue: &Queue, name: QueueName, messages: Vec<Message>) {
    for result in queue.publish(name, messages).await {
        result.unwrap();
    }
}

/// Until a queue that was just declared, deleted or cut off takes messages again.
pub async fn publish_stubbornly(queue: &Queue, name: QueueName, mut messages: Vec<Message>) {
    let deadline = Instant::now() + DEADLINE;
    while !messages.is_empty() {
        assert!(Instant::now() < deadline, "{} messages were never confirmed", messages.len());
        let results = queue.publish(name, messages.clone()).await;
        let mut results = results.into_iter();
        messages.retain(|_| results.next().is_some_and(|result| result.is_err()));
    }
}

/// A consumer in a task.
pub struct Running {
    pub shutdown: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.task).await.expect("the consumer does not stop").unwrap();
    }
}

pub fn consume<H, F>(queue: &Queue, name: QueueName, prefetch: u16, handler: H) -> Running
where
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let (queue, shutdown) = (queue.clone(), CancellationToken::new());
    let token = shutdown.clone();
    let task = tokio::spawn(async move { queue.consume(name, prefetch, token, handler).await.unwrap() });
    Running { shutdown, task }
}

/// Every delivery, in its order.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<(Instant, Message)>>>);

impl Journal {
    /// Returns how often the message has come, this time included.
    pub fn note(&self, message: &Message) -> usize {
        self.0.lock().unwrap().push((Instant::now(), message.clone()));
        self.times(message.id).len()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn all(&self) -> Vec<(Instant, Message)> {
        self.0.lock().unwrap().clone()
    }

    pub fn times(&self, id: Uuid) -> Vec<Instant> {
        self.all().into_iter().filter(|(_, message)| message.id == id).map(|(time, _)| time).collect()
    }

    pub fn counts(&self) -> HashMap<Uuid, usize> {
        self.all().into_iter().fold(HashMap::new(), |mut counts, (_, message)| {
            *counts.entry(message.id).or_default() += 1;
            counts
        })
    }
}
