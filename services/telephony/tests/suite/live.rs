//! The live stream: everything that happens, in order, nothing passed over.

use crate::pipeline::{Desk, begin};
use crate::world::{DEADLINE, World};
use access::Replies;
use futures_util::StreamExt as _;
use proto::rpc::events::StreamEvents;
use proto::telephony::{CallStatus, Event, StreamEventsRequest};
use std::time::Duration;

testkit::on_both!(what_happens_is_shown, what_commits_late_is_not_passed_over);

async fn open(desk: &Desk<'_>, last_event_id: &str) -> Replies<Event> {
    let (organisation_id, last_event_id) = (desk.organisation.to_string(), last_event_id.to_owned());
    let request = StreamEventsRequest { organisation_id, last_event_id };
    let meta = desk.world.signed_in(desk.user);
    desk.world.telephony.server_streaming::<StreamEvents>(&meta, request).await.unwrap()
}

/// The next event.
async fn next(stream: &mut Replies<Event>) -> Event {
    tokio::time::timeout(DEADLINE, stream.next()).await.expect("something happens").unwrap().unwrap()
}

async fn what_happens_is_shown(world: &World) {
    let (desk, other) = (Desk::new(world), Desk::new(world));
    let mut stream = open(&desk, "").await;
    other.create("+442079460018").await;
    let call = desk.create("+442079460018").await;
    let made = next(&mut stream).await;
    assert_eq!((made.r#type.as_str(), made.call.unwrap().id), ("call", call.id.clone()));
    let order = desk.order(&call.id).await;
    begin(world, &order).await.unwrap();
    let sent = next(&mut stream).await;
    assert_eq!(sent.call.unwrap().status(), CallStatus::Dialing);
    // Whoever comes back misses nothing, and sees nothing twice.
    drop(stream);
    let mut stream = open(&desk, &made.id).await;
    assert_eq!(next(&mut stream).await.id, sent.id);
}

/// SQLite has one writer, so there the order of commits is that of the rows.
async fn what_commits_late_is_not_passed_over(world: &World) {
    if !world.pool.is_postgres() {
        return;
    }
    let desk = Desk::new(world);
    let (first, second) = (desk.create("+442079460018").await, desk.create("+442079460019").await);
    let stream = open(&desk, "").await;
    // Not those of the calls' own beginning.
    let seconds = jiff::Timestamp::now().as_second() - 60;
    let at = callfairy_core::Timestamp::UNIX_EPOCH.plus(Duration::from_secs(seconds.unsigned_abs()));
    let say = |id: &str| {
        let values = format!("'{}', 'call', '{id}', to_timestamp({seconds})", desk.organisation);
        format!("INSERT INTO stream_events (organisation_id, kind, subject_id, at) VALUES ({values})")
    };
    let mut stream = stream
        .filter(move |event| std::future::ready(event.as_ref().is_ok_and(|event| event.at == Some(at.into()))))
        .boxed();
    let (wrote, go_on) = (tokio::sync::oneshot::channel(), std::sync::mpsc::channel::<()>());
    let (mut said, held) = (Some(wrote.0), std::sync::Mutex::new(go_on.1));
    let (pool, late) = (world.pool.clone(), say(&first.id));
    let holder = tokio::spawn(async move {
        pool.write(move |db| -> Result<_, db::Error> {
            db.batch_execute(&late)?;
            said.take().unwrap().send(()).unwrap();
            held.lock().unwrap().recv().unwrap();
            Ok(())
        })
        .await
    });
    wrote.1.await.unwrap();
    // It comes later, and commits first.
    world.sql(&say(&second.id)).await;
    // The stream looks several times, and must not run ahead.
    let ahead = tokio::time::timeout(Duration::from_millis(1_200), stream.next()).await;
    assert!(ahead.is_err(), "{ahead:?}");
    go_on.0.send(()).unwrap();
    holder.await.unwrap().unwrap();
    let seen = [next(&mut stream).await, next(&mut stream).await].map(|event| event.call.unwrap().id);
    assert_eq!(seen, [first.id, second.id]);
}
