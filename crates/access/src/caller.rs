//! Who calls.

use crate::PermissionSet;
use callfairy_core::{OrganisationId, UserId};
use std::sync::Arc;
use uuid::Uuid;

/// Who calls, as their token proves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Nobody said who they are.
    Anonymous,
    User(User),
    /// A program of an organisation, by its key.
    ApiKey(ApiKey),
    /// One of our own services, by its name.
    Service(Arc<str>),
}

/// A key that works at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKey {
    pub id: Uuid,
    /// The only one where it opens anything.
    pub organisation_id: OrganisationId,
    pub permissions: PermissionSet,
}

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct User {
    pub id: UserId,
    /// The session that the token belongs to.
    pub session_id: Uuid,
}
