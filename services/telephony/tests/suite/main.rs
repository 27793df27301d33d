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
mod recording;
mod settings;
mod tenants;
mod world;
