//! The trace of a request goes on in the work that it caused.

use crate::fake::State;
use crate::world::World;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use proto::jobs::CallJobKind;
use queue::QueueName;
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn telephony_sees_the_trace_of_the_message() {
    let layer = tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::builder().build().tracer("test"));
    // For the whole process: the worker's threads are not this one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    let world = World::start().await;
    let call = world.telephony.queue_call("+14155550101");
    let mut message = World::call_job(CallJobKind::Place, call);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    message.headers.insert("traceparent".to_owned(), parent.to_owned());
    world.publish(QueueName::Call, vec![message]).await;
    World::until("it is accepted", async || world.telephony.state(call) == State::Accepted).await;
    let seen = &world.telephony.traces()[0]["traceparent"];
    assert!(seen.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && seen != parent, "{seen}");
}
