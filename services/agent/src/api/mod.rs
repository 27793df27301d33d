//! The RPCs: one RPC, one function.

mod agents;
mod packages;
mod reviews;

use crate::facts::Reporter;
use crate::neighbours::Neighbours;
use callfairy_core::{Clock, Id, Problem};
use db::Pool;
use std::sync::Arc;

/// What every handler works with.
#[derive(Clone)]
pub struct State {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    pub neighbours: Neighbours,
    pub reporter: Reporter,
}

pub struct Agents(pub State);
pub struct Packages;
pub struct Reviews(pub State);

/// An id of a request; the contract's rules have seen that it is one.
fn id<T>(field: &str, text: &str) -> Result<Id<T>, Problem> {
    text.parse().map_err(|_| Problem::field(field, "is not a UUID"))
}

/// As [`id`], where an empty one stands for none.
fn optional_id<T>(field: &str, text: &str) -> Result<Option<Id<T>>, Problem> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}
