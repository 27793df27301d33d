//! The contract in Rust: messages by package, a marker type for each RPC, validation, JSON, the OpenAPI document.
//! All of it is generated from `proto/`; by hand is only what the generated code plugs into.
//!
//! Owns: how the contract looks to Rust, and the one mapping between [`callfairy_core::Problem`] and gRPC.
//! Refuses: who may call what (that is `access`), and anything that runs.
//!
//! To add an RPC or a message: write it in `proto/`, build, and follow the compiler: the service's trait in `access`
//! has a new method, the gateway a new route, the OpenAPI document a new operation.

mod json;
mod rpc_kit;
mod status;
mod time;
mod validate;

#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}
#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use generated::*;
pub use json::Timestamp;
pub use rpc_kit::{Access, Answer, Body, PermissionInfo, Route, Rpc, Shape, Visit};
pub use status::{problem, status};
pub use types::Permission;
pub use validate::{TextFormat, TextRules, Validate, Validator, validate};

/// The OpenAPI 3.1 document, as JSON.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
