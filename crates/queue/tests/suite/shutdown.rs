//! Nothing is lost when a consumer ends.

use crate::fixture::{Journal, consume, eventually, messages, publish};
use queue::{Message, Outcome, Queue, QueueName};
use std::sync::Arc;
use tokio::sync::Semaphore;

crate::on_both_backends!(a_shutdown_drains, a_dropped_consumer_gives_back, a_pause_ends_with_the_shutdown);

async fn a_shutdown_drains(queue: Queue) {
    let (started, finished, gate) = (Journal::default(), Journal::default(), Arc::new(Semaphore::new(0)));
    let handler = {
        let (started, finished, gate) = (started.clone(), finished.clone(), gate.clone());
        move |message: Message| {
            started.note(&message);
            let (finished, gate) = (finished.clone(), gate.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                finished.note(&message);
                Outcome::Done
            }
        }
    };
    publish(&queue, QueueName::Call, messages(10)).await;
    let consumer = consume(&queue, QueueName::Call, 3, handler);
    eventually("three started", || started.len() == 3).await;
    consumer.shutdown.cancel();
    gate.add_permits(1);
    eventually("one finished", || finished.len() == 1).await;

    // What was not started comes to another consumer while the first still waits for its handlers.
    let later = Journal::default();
    let noted = later.clone();
    let second = consume(&queue, QueueName::Call, 3, move |message| {
        noted.note(&message);
        async { Outcome::Done }
    });
    eventually("seven delivered to the second", || later.len() == 7).await;
    assert_eq!((started.len(), finished.len()), (3, 1));
    assert!(!consumer.task.is_finished(), "it does not wait for its handlers");

    gate.add_permits(2);
    consumer.stop().await;
    second.stop().await;
    assert_eq!((started.len(), finished.len(), later.len()), (3, 3, 7));
    assert!(finished.counts().keys().all(|id| later.times(*id).is_empty()));
}

async fn a_dropped_consumer_gives_back(queue: Queue) {
    let started = Journal::default();
    let noted = started.clone();
    publish(&queue, QueueName::Mail, messages(5)).await;
    let consumer = consume(&queue, QueueName::Mail, 2, move |message| {
        noted.note(&message);
        std::future::pending()
    });
    eventually("two started", || started.len() == 2).await;
    consumer.task.abort();

    let later = Journal::default();
    let noted = later.clone();
    let second = consume(&queue, QueueName::Mail, 2, move |message| {
        noted.note(&message);
        async { Outcome::Done }
    });
    eventually("all delivered to the second", || later.counts().len() == 5).await;
    second.stop().await;
}

async fn a_pause_ends_with_the_shutdown(queue: Queue) {
    let started = Journal::default();
    let noted = started.clone();
    publish(&queue, QueueName::Import, messages(4)).await;
    let consumer = consume(&queue, QueueName::Import, 2, move |message| {
        noted.note(&message);
        async { Outcome::Retry }
    });
    eventually("all started", || started.counts().len() == 4).await;
    consumer.stop().await;

    let later = Journal::default();
    let noted = later.clone();
    let second = consume(&queue, QueueName::Import, 2, move |message| {
        noted.note(&message);
        async { Outcome::Done }
    });
    eventually("all delivered to the second", || later.counts().len() == 4).await;
    second.stop().await;
    assert_eq!(queue.dead_letters(10).await.unwrap(), []);
}
