//! Everything that `db` promises, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod base;
mod contacts;
mod idempotency;
mod lease;
mod migrations;
mod outbox;
mod pool;
mod queries;
mod transactions;

/// Runs each function twice: on a new SQLite file and on a new PostgreSQL database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::base::Base::sqlite()).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::base::Base::postgres()).await;
                }
            )+
        }
    };
}
