//! How far a process knows the changes of access.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The header by which processes tell each other.
const HEADER: http::HeaderName = http::HeaderName::from_static("x-callfairy-access");

/// The number of the latest change of access that a process has heard of, from tenancy or in the answer of a service that
/// has. Every request to a service and every answer of one carries it: who has seen the effect of a change never meets
/// a process that answers as before it. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct LatestChange(Arc<AtomicI64>);

impl LatestChange {
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    /// There was this change.
    pub fn raise(&self, number: i64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }

    /// There were no more.
    pub(crate) fn lower(&self, number: i64) {
        self.0.store(number, Ordering::Release);
    }

    /// Says it to whoever gets a request or an answer with these headers.
    pub(crate) fn tell(&self, headers: &mut http::HeaderMap) {
        let number = self.get();
        if number > 0 {
            headers.insert(HEADER, number.into());
        }
    }

    /// What an answer's headers tell.
    pub(crate) fn hear(&self, headers: &http::HeaderMap) {
        if let Some(number) = read(headers) {
            self.raise(number);
        }
    }
}

pub(crate) fn read(headers: &http::HeaderMap) -> Option<i64> {
    headers.get(&HEADER)?.to_str().ok()?.parse().ok().filter(|number| *number > 0)
}
