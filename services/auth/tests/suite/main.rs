//! auth through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod eml;
mod facts;
mod mail_server;
mod mailing;
mod passwords;
mod purging;
mod refreshing;
mod registering;
mod signing_in;
mod superadmins;
mod tenancy;
mod tokens;
mod users;
mod verifying;
mod world;
