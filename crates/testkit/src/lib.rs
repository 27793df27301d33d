//! What tests share: databases of their own, private servers, a clock they set, people who have signed in, the
//! platform as real processes, and a client of its REST API.
//!
//! Owns: starting and ending what a test needs outside its own process. Everything ends when its value is
//! dropped, also when the test fails. Refuses: knowing what is right; that is the tests' own business. Nothing
//! but tests may depend on it.
//!
//! Its functions panic with the reason when they cannot do their work, as a test would, and everything that
//! waits has a deadline.
//!
//! To add a process to the platform: a [`Program`] with its variables in `platform/layout.rs`.

// A test's way to fail.
#![allow(clippy::panic)]

mod audit_log;
mod both;
mod client;
mod clock;
mod database;
mod eventually;
mod platform;
mod process;
mod servers;
mod token;

pub use audit_log::AuditLog;
pub use client::{Answer, Client, Upload};
pub use clock::FixedClock;
pub use database::Database;
pub use eventually::eventually;
pub use platform::{Credentials, Layout, Platform, Program};
pub use process::Process;
pub use servers::{Server, Servers};
pub use token::{TestKey, claims};

/// The value of a variable that tests/run sets.
#[track_caller]
fn server_variable(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run the tests with tests/run, or name a server of your own"),
    }
}
