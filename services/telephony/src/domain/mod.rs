//! Parsed types and pure rules: no database, no network, no clock.

pub mod backoff;
pub mod call_status;
pub mod campaign;
pub mod columns;
pub mod contact;
pub mod csv_file;
pub mod formula;
pub mod gate;
pub mod ids;
pub mod import;
pub mod phone;
pub mod report;
pub mod script;
pub mod webhook_token;
