//! The gateway over real HTTP, with stand-ins for the services behind it: in this process, and over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod browsers;
mod contract;
mod documentation;
mod edge;
mod events;
mod fakes;
mod files;
mod health;
mod problems;
mod rates;
mod strictness;
mod tokens;
mod traces;
mod uploads;
mod webhooks;
mod world;

/// Each test twice: the services in this process, and over TCP.
#[macro_export]
macro_rules! both_ways {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let world = $crate::world::World::start(false).await;
                super::$test(&world).await;
                world.end().await;
            })*
        }
        mod over_tcp {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let world = $crate::world::World::start(true).await;
                super::$test(&world).await;
                world.end().await;
            })*
        }
    };
}
