//! What is published arrives, and what cannot be is refused.

use crate::fixture::{Journal, consume, eventually, messages, publish};
use queue::{MAX_BODY_BYTES, Message, Outcome, PublishError, Queue, QueueName};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

crate::on_both_backends!(delivers_everything_once, queues_do_not_mix, refuses_what_is_too_large);

async fn delivers_everything_once(queue: Queue) {
    const PREFETCH: u16 = 20;
    let mut sent = messages(1_000);
    for message in &mut sent {
        message.headers.insert("traceparent".into(), format!("00-{}-00", message.id.simple()));
    }
    let (journal, at_work, most) = (Journal::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (journal, at_work, most) = (journal.clone(), at_work.clone(), most.clone());
        move |message: Message| {
            most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let (journal, at_work) = (journal.clone(), at_work.clone());
            async move {
                tokio::task::yield_now().await;
                journal.note(&message);
                at_work.fetch_sub(1, Ordering::SeqCst);
                Outcome::Done
            }
        }
    };
    publish(&queue, QueueName::Call, sent.clone()).await;
    let consumer = consume(&queue, QueueName::Call, PREFETCH, handler);
    eventually("all delivered", || journal.len() >= sent.len()).await;
    consumer.stop().await;

    let mut received: Vec<_> = journal.all().into_iter().map(|(_, message)| message).collect();
    received.sort_by_key(|message| message.id);
    sent.sort_by_key(|message| message.id);
    assert_eq!(received, sent);
    let most = most.load(Ordering::SeqCst);
    assert!(most > 1 && most <= PREFETCH.into(), "{most} handlers at once");
    assert!(queue.is_connected());
}

async fn queues_do_not_mix(queue: Queue) {
    let journals = QueueName::ALL.map(|name| (name, Journal::default()));
    let consumers = journals.clone().map(|(name, journal)| {
        consume(&queue, name, 5, move |message| {
            journal.note(&message);
            async { Outcome::Done }
        })
    });
    for name in QueueName::ALL {
        publish(&queue, name, vec![Message::new(name.as_str().into())]).await;
    }
    eventually("all delivered", || journals.iter().all(|(_, journal)| journal.len() == 1)).await;
    for consumer in consumers {
        consumer.stop().await;
    }
    for (name, journal) in journals {
        let bodies: Vec<_> = journal.all().into_iter().map(|(_, message)| message.body).collect();
        assert_eq!(bodies, [name.as_str().as_bytes()]);
    }
}

async fn refuses_what_is_too_large(queue: Queue) {
    let batch = [10, MAX_BODY_BYTES + 1, MAX_BODY_BYTES].map(|size| Message::new(vec![7; size]));
    let results = queue.publish(QueueName::Import, batch.to_vec()).await;
    assert_eq!(results, [Ok(()), Err(PublishError::TooLarge), Ok(())]);

    let journal = Journal::default();
    let noted = journal.clone();
    let consumer = consume(&queue, QueueName::Import, 1, move |message| {
        noted.note(&message);
        async { Outcome::Done }
    });
    eventually("two delivered", || journal.len() == 2).await;
    consumer.stop().await;
    let sizes: Vec<_> = journal.all().into_iter().map(|(_, message)| message.body.len()).collect();
    assert_eq!(sizes, [10, MAX_BODY_BYTES]);
}

#[tokio::test]
async fn the_embedded_queue_is_bounded() {
    let queue = Queue::embedded();
    let results = queue.publish(QueueName::Mail, messages(100_002)).await;
    assert!(results[..100_000].iter().all(Result::is_ok));
    assert_eq!(results[100_000..], [Err(PublishError::Full), Err(PublishError::Full)]);
    assert_eq!(queue.publish(QueueName::Call, messages(1)).await, [Ok(())]);
}
