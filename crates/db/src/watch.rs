//! What happens on a connection below the closures, whose errors are of the caller's own type.

use crate::error::is_conflict;
use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::result::Error as Diesel;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Sees every statement that fails on one connection.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Seen>);

#[derive(Default)]
struct Seen {
    failure: AtomicBool,
    conflict: AtomicBool,
}

impl Watch {
    pub(crate) fn reset(&self) {
        self.0.failure.store(false, Relaxed);
        self.0.conflict.store(false, Relaxed);
    }

    /// A statement failed since the reset.
    pub(crate) fn saw_failure(&self) -> bool {
        self.0.failure.load(Relaxed)
    }

    /// The database gave the transaction up in favour of another one: a deadlock or a serialisation failure.
    pub(crate) fn saw_conflict(&self) -> bool {
        self.0.conflict.load(Relaxed)
    }
}

impl Instrumentation for Watch {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = event {
            self.0.failure.store(true, Relaxed);
            if let Diesel::DatabaseError(kind, info) = error
                && is_conflict(*kind, info.message())
            {
                self.0.conflict.store(true, Relaxed);
            }
        }
    }
}
