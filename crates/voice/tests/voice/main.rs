//! The client and the simulator, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod determinism;
mod faults;
mod lifecycle;
mod operators;
mod raw;
mod restart;
mod support;
mod webhooks;
