//! Who calls.

use callfairy_core::UserId;
use std::sync::Arc;
use uuid::Uuid;

/// Who calls, as their token proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody said who they are.
    Anonymous,
    User(User),
    /// One of our own services, by its name.
    Service(Arc<str>),
}

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct User {
    pub id: UserId,
    /// The session that the token belongs to.
    pub session_id: Uuid,
}
