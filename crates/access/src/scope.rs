//! The right to touch one organisation's data.

use callfairy_core::OrganisationId;

/// An organisation that somebody was allowed to act in. Every query of an organisation's data asks for one and puts
/// its id into the WHERE clause. Only the guard makes one for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgScope {
    organisation_id: OrganisationId,
}

impl OrgScope {
    pub(crate) const fn new(organisation_id: OrganisationId) -> Self {
        Self { organisation_id }
    }

    pub const fn organisation_id(&self) -> OrganisationId {
        self.organisation_id
    }
}

/// The right of background work, which nobody asked for at this moment: relays, sweeps, dispatchers, and the internal
/// RPCs that workers call. It may act for the organisation that a row belongs to.
#[derive(Debug, Clone, Copy)]
pub struct SystemScope(());

impl SystemScope {
    /// Each use is a place to look at in a review: never on behalf of a caller from outside.
    pub const fn for_background_work() -> Self {
        Self(())
    }

    pub const fn organisation(self, organisation_id: OrganisationId) -> OrgScope {
        OrgScope::new(organisation_id)
    }
}
