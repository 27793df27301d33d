//! What a broker and the way to it do wrong.

use crate::fixture::{
    Journal, broker_url, config, consume, eventually, messages, publish, publish_stubbornly, with_broker,
};
use crate::proxy::Proxy;
use callfairy_core::Secret;
use lapin::options::QueueDeleteOptions;
use queue::{Message, Outcome, PublishError, Queue, QueueName, RabbitConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_is_declared_again() {
    let config = config();
    with_broker(&config.clone(), async move {
        let queue = Queue::rabbitmq(config.clone()).unwrap();
        let journal = Journal::default();
        let noted = journal.clone();
        let consumer = consume(&queue, QueueName::Call, 10, move |message| {
            noted.note(&message);
            async { Outcome::Done }
        });
        publish(&queue, QueueName::Call, messages(1)).await;
        eventually("delivered", || journal.len() == 1).await;
        delete_queue(&config, QueueName::Call).await;
        publish_stubbornly(&queue, QueueName::Call, messages(50)).await;
        eventually("delivered again", || journal.counts().len() == 51).await;
        consumer.stop().await;
    })
    .await;
}

/// The broker does not tell a consumer of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_deleted_and_declared_at_once_is_consumed_again() {
    let config = config();
    with_broker(&config.clone(), async move {
        let queue = Queue::rabbitmq(config.clone()).unwrap();
        let journal = Journal::default();
        let noted = journal.clone();
        let consumer = consume(&queue, QueueName::Call, 10, move |message| {
            noted.note(&message);
            async { Outcome::Done }
        });
        publish(&queue, QueueName::Call, messages(1)).await;
        eventually("delivered", || journal.len() == 1).await;
        delete_queue(&config, QueueName::Call).await;
        // Asking for dead letters declares all queues.
        assert_eq!(queue.dead_letters(1).await.unwrap(), []);
        publish(&queue, QueueName::Call, messages(50)).await;
        eventually("delivered again", || journal.counts().len() == 51).await;
        consumer.stop().await;
    })
    .await;
}

/// An unroutable message is reported, and no other: the batches share a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_unroutable_messages_are_reported() {
    let config = config();
    with_broker(&config.clone(), async move {
        let queue = Queue::rabbitmq(config.clone()).unwrap();
        publish(&queue, QueueName::Call, messages(1)).await;
        for _ in 0..10 {
            delete_queue(&config, QueueName::Mail).await;
            let mut unroutable = 0;
            let batches = (0..40).map(|at| {
                let (queue, name) = (queue.clone(), if at % 4 == 3 { QueueName::Mail } else { QueueName::Call });
                async move { (name, queue.publish(name, messages(5)).await) }
            });
            for (name, results) in batches.collect::<JoinSet<_>>().join_all().await {
                unroutable += results.iter().filter(|result| **result == Err(PublishError::Unroutable)).count();
                match name {
                    QueueName::Call => assert_eq!(results, [Ok(()); 5]),
                    _ => assert!(results.iter().all(|result| *result == results[0]), "{results:?}"),
                }
            }
            assert!(unroutable > 0);
            publish_stubbornly(&queue, QueueName::Mail, messages(1)).await;
        }
    })
    .await;
}

/// All connections are cut again and again while messages flow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_connections_break() {
    survives(6, Proxy::cut).await;
}

/// All connections fall silent, as when a machine on the way vanishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_connections_fall_silent() {
    survives(1, Proxy::silence).await;
}

async fn survives(times: usize, harm: fn(&Proxy)) {
    const BATCHES: usize = 40;
    const BATCH: usize = 50;
    let direct = config();
    with_broker(&direct.clone(), async move {
        let mut url = url::Url::parse(&broker_url()).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5672));
        let proxy = Proxy::start(target).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.address.port())).unwrap();
        // Every broken connection counts as a delivery of what was on its way.
        let mut config = RabbitConfig { url: Secret::new(url.as_str()), ..direct };
        config.policy.delivery_limit = 1_000;

        let queue = Queue::rabbitmq(config).unwrap();
        let watch = CancellationToken::new();
        let watching = tokio::spawn({
            let (queue, watch) = (queue.clone(), watch.clone());
            async move { queue.run(watch).await }
        });
        let journal = Journal::default();
        let noted = journal.clone();
        let consumer = consume(&queue, QueueName::Call, 20, move |message| {
            noted.note(&message);
            async {
                tokio::task::yield_now().await;
                Outcome::Done
            }
        });
        let confirmed = Arc::new(AtomicUsize::new(0));
        let publishing = tokio::spawn({
            let (queue, confirmed) = (queue.clone(), confirmed.clone());
            async move {
                let mut sent = Vec::new();
                for _ in 0..BATCHES {
                    let batch = messages(BATCH);
                    sent.extend(batch.iter().map(|message| message.id));
                    publish_stubbornly(&queue, QueueName::Call, batch).await;
                    confirmed.fetch_add(BATCH, Ordering::SeqCst);
                }
                sent
            }
        });
        for time in 1..=times {
            let progress = BATCHES * BATCH * time / (times + 1);
            eventually("published on", || confirmed.load(Ordering::SeqCst) >= progress).await;
            eventually("consumed on", || journal.counts().len() * 2 >= progress).await;
            harm(&proxy);
        }
        let sent = publishing.await.unwrap();
        eventually("all consumed", || {
            let counts = journal.counts();
            sent.iter().all(|id| counts.contains_key(id))
        })
        .await;
        eventually("connected", || queue.is_connected()).await;
        consumer.stop().await;
        watch.cancel();
        assert_eq!(watching.await.unwrap(), Ok(()));
    })
    .await;
}

#[tokio::test]
async fn publishing_without_a_broker_ends() {
    let publish_deadline = Duration::from_millis(500);
    let config = RabbitConfig { url: Secret::new("amqp://127.0.0.1:1"), publish_deadline, ..RabbitConfig::default() };
    let queue = Queue::rabbitmq(config).unwrap();
    let results = queue.publish(QueueName::Call, vec![Message::new(vec![1])]).await;
    assert_eq!(results, [Err(PublishError::Unconfirmed)]);
    assert!(!queue.is_connected());
}

async fn delete_queue(config: &RabbitConfig, name: QueueName) {
    let connection =
        lapin::Connection::connect(config.url.expose(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = format!("{}{name}", config.prefix);
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "OK".into()).await.unwrap();
}
