//! What people do with the platform, through its public doors: REST over real sockets, real processes, both stacks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod api_keys;
mod audit_log;
mod bad_input;
mod first_campaign;
mod freshness;
mod invitations;
mod isolation;
mod live_events;
mod readme;
mod restarts;
mod sign_ins;
mod webhooks;
mod world;

/// The same story on both stacks: one process on SQLite with the embedded queue, six on PostgreSQL with RabbitMQ.
#[macro_export]
macro_rules! on_both_stacks {
    ($($story:ident),+ $(,)?) => {
        mod one_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(testkit::Layout::OneProcess).await;
            })+
        }
        mod six_processes {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(testkit::Layout::SixProcesses).await;
            })+
        }
    };
}
