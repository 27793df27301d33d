//! What becomes of a message, by what its handler says.

use crate::fixture::{DELIVERY_LIMIT, Journal, PAUSE, consume, eventually, messages, publish};
use queue::{DeadLetter, Message, Outcome, Queue, QueueName, Replay};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

crate::on_both_backends!(
    consumers_share,
    a_retry_comes_back_after_a_pause,
    pauses_do_not_hold_up_others,
    a_panic_is_a_retry,
    poison_goes_to_the_dead_letters_and_back,
    a_refused_message_keeps_its_reason,
    chosen_dead_letters_go_back,
);

/// Neither waits for the other's handler.
async fn consumers_share(queue: Queue) {
    let (journal, gate) = (Journal::default(), Arc::new(Semaphore::new(0)));
    let consumers = [(); 2].map(|()| {
        let (journal, gate) = (journal.clone(), gate.clone());
        consume(&queue, QueueName::Mail, 1, move |message| {
            journal.note(&message);
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Outcome::Done
            }
        })
    });
    for round in 1..=20 {
        publish(&queue, QueueName::Mail, messages(2)).await;
        eventually("two at work", || journal.len() == round * 2).await;
        gate.add_permits(2);
    }
    for consumer in consumers {
        consumer.stop().await;
    }
}

async fn a_retry_comes_back_after_a_pause(queue: Queue) {
    let journal = Journal::default();
    let noted = journal.clone();
    let consumer = consume(&queue, QueueName::Call, 1, move |message| {
        let retry = noted.note(&message) == 1 && message.body == b"0";
        async move { if retry { Outcome::Retry } else { Outcome::Done } }
    });
    let sent = messages(30);
    publish(&queue, QueueName::Call, sent.clone()).await;
    eventually("all delivered, one of them twice", || journal.len() == 31).await;
    consumer.stop().await;

    let times = journal.times(sent[0].id);
    assert!(times[1] - times[0] >= PAUSE, "came back after {:?}", times[1] - times[0]);
    let (_, last) = journal.all().pop().unwrap();
    assert_eq!(last.id, sent[0].id, "the others did not wait");
    assert_eq!(queue.dead_letters(10).await.unwrap(), []);
}

/// Far more messages pause than a consumer has slots.
async fn pauses_do_not_hold_up_others(queue: Queue) {
    let journal = Journal::default();
    let noted = journal.clone();
    let mut sent = messages(300);
    sent.push(Message::new(b"good".to_vec()));
    publish(&queue, QueueName::Import, sent.clone()).await;
    let consumer = consume(&queue, QueueName::Import, 2, move |message| {
        let retry = noted.note(&message) == 1 && message.body != b"good";
        async move { if retry { Outcome::Retry } else { Outcome::Done } }
    });
    let good = sent[300].id;
    eventually("the good one delivered", || !journal.times(good).is_empty()).await;
    let waited = journal.times(good)[0] - journal.all()[0].0;
    assert!(waited < PAUSE * 3, "the good one waited for {waited:?}");
    eventually("the others delivered twice", || journal.len() == 601).await;
    consumer.stop().await;
    assert!(journal.counts().into_iter().all(|(id, count)| count == if id == good { 1 } else { 2 }));
}

async fn a_panic_is_a_retry(queue: Queue) {
    let journal = Journal::default();
    let noted = journal.clone();
    let consumer = consume(&queue, QueueName::Mail, 2, move |message| {
        // Once while the future is made, once while it runs.
        let time = noted.note(&message);
        assert!(time != 1 || message.body != b"0", "expected by the test");
        async move {
            assert!(time != 1 || message.body != b"1", "expected by the test");
            Outcome::Done
        }
    });
    let sent = messages(4);
    publish(&queue, QueueName::Mail, sent.clone()).await;
    eventually("all delivered, two of them twice", || journal.len() == 6).await;
    consumer.stop().await;
    assert_eq!(sent.iter().map(|message| journal.times(message.id).len()).collect::<Vec<_>>(), [2, 2, 1, 1]);
}

async fn poison_goes_to_the_dead_letters_and_back(queue: Queue) {
    let journal = Journal::default();
    let noted = journal.clone();
    let mut poison = Message::new(b"poison".to_vec());
    poison.headers.insert("traceparent".into(), "00-1-2-00".into());
    publish(&queue, QueueName::Webhook, vec![poison.clone()]).await;
    let consumer = consume(&queue, QueueName::Webhook, 4, move |message| {
        let over = noted.note(&message) > DELIVERY_LIMIT as usize + 1;
        async move { if over { Outcome::Done } else { Outcome::Retry } }
    });
    let expected = [DeadLetter {
        message: poison.clone(),
        queue: Some(QueueName::Webhook),
        reason: "delivery limit reached".into(),
    }];
    // Looking leaves them where they are.
    for _ in 0..2 {
        assert_eq!(dead_letters(&queue, 1).await, expected);
    }
    assert_eq!(journal.len(), DELIVERY_LIMIT as usize + 1);

    assert_eq!(queue.replay_dead_letters(Replay::All).await, Ok(1));
    eventually("delivered again", || journal.len() == DELIVERY_LIMIT as usize + 2).await;
    assert_eq!(journal.all().pop().unwrap().1, poison);
    assert_eq!(queue.dead_letters(10).await.unwrap(), []);
    consumer.stop().await;
}

async fn a_refused_message_keeps_its_reason(queue: Queue) {
    let journal = Journal::default();
    let noted = journal.clone();
    let consumer = consume(&queue, QueueName::Recording, 4, move |message| {
        noted.note(&message);
        async { Outcome::Dead("no such recording".into()) }
    });
    let sent = messages(1);
    publish(&queue, QueueName::Recording, sent.clone()).await;
    let letters = dead_letters(&queue, 1).await;
    consumer.stop().await;
    let reason = "no such recording".to_owned();
    assert_eq!(letters, [DeadLetter { message: sent[0].clone(), queue: Some(QueueName::Recording), reason }]);
    assert_eq!(journal.len(), 1);
}

async fn chosen_dead_letters_go_back(queue: Queue) {
    let consumer = consume(&queue, QueueName::Call, 4, |_| async { Outcome::Dead("no".into()) });
    let sent = messages(5);
    publish(&queue, QueueName::Call, sent.clone()).await;
    dead_letters(&queue, 5).await;
    consumer.stop().await;

    assert_eq!(queue.dead_letters(2).await.unwrap().len(), 2);
    let chosen = vec![sent[1].id, sent[3].id];
    assert_eq!(queue.replay_dead_letters(Replay::Ids(chosen.clone())).await, Ok(2));
    let left: Vec<_> = dead_letters(&queue, 3).await.into_iter().map(|letter| letter.message.id).collect();
    assert!(left.len() == 3 && chosen.iter().all(|id| !left.contains(id)), "{left:?}");

    let journal = Journal::default();
    let noted = journal.clone();
    let consumer = consume(&queue, QueueName::Call, 4, move |message| {
        noted.note(&message);
        async { Outcome::Done }
    });
    eventually("the chosen delivered", || journal.len() == 2).await;
    consumer.stop().await;
    assert!(chosen.iter().all(|id| journal.times(*id).len() == 1));
}

/// The dead letters, once there are so many.
async fn dead_letters(queue: &Queue, count: usize) -> Vec<DeadLetter> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let letters = queue.dead_letters(100).await.unwrap();
        if letters.len() >= count {
            return letters;
        }
        assert!(Instant::now() < deadline, "{} dead letters instead of {count}", letters.len());
        sleep(Duration::from_millis(20)).await;
    }
}
