//! The RPCs; one function each.

pub mod assistants;
pub mod call_jobs;
pub mod calls;
pub mod campaigns;
pub mod contacts;
pub mod events;
pub mod import_jobs;
pub mod imports;
pub mod webhooks;

mod import_errors;
mod upload;

use callfairy_core::{Id, Problem};

/// Ids in requests.
pub trait Parsed {
    /// The id, of a required field.
    fn id<T>(&self, field: &str) -> Result<Id<T>, Problem>;
    /// The id, unless the field is empty.
    fn optional_id<T>(&self, field: &str) -> Result<Option<Id<T>>, Problem>;
}

impl Parsed for String {
    fn id<T>(&self, field: &str) -> Result<Id<T>, Problem> {
        self.parse().map_err(|_| Problem::field(field, "is not a UUID"))
    }

    fn optional_id<T>(&self, field: &str) -> Result<Option<Id<T>>, Problem> {
        if self.is_empty() { Ok(None) } else { self.id(field).map(Some) }
    }
}
