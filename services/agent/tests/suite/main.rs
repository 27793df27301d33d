//! agent through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod assigning;
mod at_once;
mod ending;
mod granting;
mod guard;
mod listing;
mod neighbours;
mod recording;
mod reporting;
mod reviewing;
mod serve;
mod world;
