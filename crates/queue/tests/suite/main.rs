//! The same expectations for both backends, and what only a broker can do wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broker;
mod fixture;
mod handlers;
mod proxy;
mod publishing;
mod shutdown;

/// Runs each test on the embedded queue and on RabbitMQ.
macro_rules! on_both_backends {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::fixture::embedded(super::$test).await;
            })+
        }
        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::fixture::rabbitmq(super::$test).await;
            })+
        }
    };
}
pub(crate) use on_both_backends;
