//! A call's way from the queue to its end: each function is one transaction of it.
//!
//! claim → fence → (one POST by the worker) → outcome of the POST → reports and lookups → end. Whatever is killed
//! between two of them, the sweep finds the call where it stands and knows what is certain: before the fence nothing
//! was sent; behind it, it may have been.

pub mod claim;
pub mod import;
pub mod jobs;
pub mod lapse;
pub mod lookup;
pub mod recording;
pub mod report;
pub mod send;
