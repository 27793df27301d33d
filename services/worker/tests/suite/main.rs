//! The worker between a telephony that a test decides for and the simulated provider, over sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;
mod leave;
mod lookups;
mod messages;
mod placing;
mod recordings;
mod settings;
mod trace;
mod world;
