//! Every test of a service on both databases and over both kinds of call.

/// Runs each function twice, with the `crate::world::World` of the service's suite: on SQLite, called in this process;
/// on PostgreSQL, called over TCP.
///
/// `World` has `async fn start(database: Database, over_tcp: bool) -> Self` and `async fn end(self)`, which leaves nothing
/// behind.
#[macro_export]
// The world is the suite's own.
#[allow(clippy::crate_in_macro_def)]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = $crate::Database::sqlite(env!("CARGO_PKG_NAME"));
                    let world = crate::world::World::start(database, false).await;
                    super::$name(&world).await;
                    world.end().await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = $crate::Database::postgres(env!("CARGO_PKG_NAME"));
                    let world = crate::world::World::start(database, true).await;
                    super::$name(&world).await;
                    world.end().await;
                }
            )+
        }
    };
}
