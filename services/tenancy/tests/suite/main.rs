//! tenancy through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod authority;
mod facts;
mod guard;
mod organisations;
mod serve;
mod world;
