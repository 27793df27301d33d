//! Recordings on their way into the object store.

use crate::fake::{Method, Seen, State, Trouble};
use crate::world::{DEADLINE, Setting, World};
use callfairy_core::ErrorCode;
use futures_util::TryStreamExt;
use proto::jobs::{CallOrder, ReportRecordingRequest};
use uuid::Uuid;
use voice::VoiceProvider;

const KEY: &str = "recordings/organisation/call";

async fn recorded(world: &World) -> ReportRecordingRequest {
    testkit::eventually("the copy is reported", DEADLINE, async || {
        world
            .telephony
            .seen()
            .into_iter()
            .find_map(|seen| if let Seen::Recorded(report) = seen { Some(report) } else { None })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_copied_byte_by_byte() {
    let world = World::start().await;
    let order = CallOrder {
        phone_number: "+14155550101".into(),
        task: "Say hello".into(),
        record: true,
        ..CallOrder::default()
    };
    let call = world.telephony.queue_order(order);
    world.place(call).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    let id = world.telephony.reports().remove(0).provider_call_id;
    let url = testkit::eventually("there is a recording", DEADLINE, async || {
        world.bland.get(&world.account, &id).await.unwrap().unwrap().recording_url
    })
    .await;
    world.telephony.set_recording(call, &url, KEY);
    world.telephony.trouble(Method::GetRecording, &[Trouble::NotReached(ErrorCode::Unavailable)]);
    world.record(call).await;

    let report = recorded(&world).await;
    let original = world.bland.recording(&world.account, &url).await.unwrap();
    let original = original.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    let copy = world.storage.get(KEY).await.unwrap().stream.try_collect::<Vec<_>>().await.unwrap().concat();
    assert!(copy == original && copy.len() > 1_000, "{} bytes of {}", copy.len(), original.len());
    let expected = ReportRecordingRequest {
        call_id: call.to_string(),
        stored: true,
        content_type: "audio/wav".into(),
        size: copy.len() as u64,
    };
    assert_eq!(report, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_no_longer_has_is_reported_as_such() {
    let world = World::start().await;
    let call = Uuid::now_v7();
    let url = world.account.base_url.join("/recordings/0190a6f1-0000-7000-8000-000000000000.wav").unwrap();
    world.telephony.set_recording(call, url.as_str(), KEY);
    world.record(call).await;
    let expected = ReportRecordingRequest { call_id: call.to_string(), ..ReportRecordingRequest::default() };
    assert_eq!(recorded(&world).await, expected);
    assert!(!world.storage.exists(KEY).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_out_of_reach_is_asked_again() {
    let mut world = World::with(Setting { no_provider: true, ..Setting::default() }).await;
    let call = Uuid::now_v7();
    let url = world.account.base_url.join("/recordings/x.wav").unwrap();
    world.telephony.set_recording(call, url.as_str(), KEY);
    world.record(call).await;
    let asked = || world.telephony.seen().iter().filter(|seen| **seen == Seen::AskedRecording).count();
    World::until("the message came back", async || asked() >= 3).await;
    world.stop().await;
    assert!(world.telephony.seen().iter().all(|seen| *seen == Seen::AskedRecording));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_not_allowed_is_for_people_to_look_at() {
    let world = World::start().await;
    let call = Uuid::now_v7();
    world.telephony.set_recording(call, "https://127.0.0.1/recording.wav", KEY);
    world.record(call).await;
    let reasons = world.dead(1).await;
    assert!(reasons[0].starts_with("the recording cannot be copied: refused"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_copy_is_nothing_done() {
    let mut world = World::start().await;
    world.record(Uuid::now_v7()).await;
    world.saw("the question", |seen| *seen == Seen::AskedRecording).await;
    world.stop().await;
    assert_eq!(world.telephony.seen(), [Seen::AskedRecording]);
}
