//! What runs without being asked for.

pub mod dispatcher;
pub mod relay;
pub mod sweep;
