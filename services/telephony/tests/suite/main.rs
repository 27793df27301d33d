//! telephony through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod campaigns;
mod contacts;
mod files;
mod import_claims;
mod import_crashes;
mod import_errors;
mod import_refusals;
mod imports;
mod live;
mod pipeline;
mod world;

/// Runs each function twice: on SQLite, called in this process; on PostgreSQL, called over TCP.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let world = $crate::world::World::start(testkit::Database::sqlite("telephony"), false).await;
                    super::$name(&world).await;
                    world.end().await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let world = $crate::world::World::start(testkit::Database::postgres("telephony"), true).await;
                    super::$name(&world).await;
                    world.end().await;
                }
            )+
        }
    };
}
