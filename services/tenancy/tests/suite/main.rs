//! tenancy through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod api_keys;
mod audit_log;
mod authority;
mod changes;
mod deactivation;
mod ended_sessions;
mod explaining;
mod facts;
mod granting;
mod guard;
mod invitations;
mod inviting;
mod members;
mod organisations;
mod post;
mod recording;
mod renaming;
mod reviews;
mod serve;
mod settings;
mod tenants;
mod world;
