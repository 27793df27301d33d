//! A call's history: written once, never changed.

use crate::domain::call_status::CallStatus;
use crate::domain::ids::{CallEventId, CallId};
use crate::store::schema::call_events;
use access::OrgScope;
use callfairy_core::{Id, OrganisationId, Page, Timestamp};
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on};

db::text_enum!(
    /// What made an event happen.
    pub enum Cause {
        Accepted = "accepted",
        Released = "released",
        Claimed = "claimed",
        HeldBack = "held_back",
        Blocked = "blocked",
        ClaimReleased = "claim_released",
        LeaseExpired = "lease_expired",
        Sent = "sent",
        ProviderAccepted = "provider_accepted",
        ProviderRefused = "provider_refused",
        NotDialed = "not_dialed",
        OutcomeUnknown = "outcome_unknown",
        ProviderEvent = "provider_event",
        LookedUp = "looked_up",
        NeedsReview = "needs_review",
        RecordingStored = "recording_stored",
        CampaignCancelled = "campaign_cancelled",
    }
);

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = call_events, treat_none_as_default_value = false)]
pub struct CallEventRow {
    pub id: Sql<CallEventId>,
    pub organisation_id: Sql<OrganisationId>,
    pub call_id: Sql<CallId>,
    pub status: CallStatus,
    pub cause: Cause,
    pub detail: Option<String>,
    pub attempt: Option<i32>,
    pub at: Sql<Timestamp>,
}

impl CallEventRow {
    pub fn new(scope: &OrgScope, call: CallId, status: CallStatus, cause: Cause, now: Timestamp) -> Self {
        Self {
            id: Sql(Id::new()),
            organisation_id: Sql(scope.organisation_id()),
            call_id: Sql(call),
            status,
            cause,
            detail: None,
            attempt: None,
            at: Sql(now),
        }
    }
}

pub fn insert(db: &mut Db, rows: &[CallEventRow]) -> QueryResult<()> {
    for rows in rows.chunks(2_000) {
        on!(db, |c| diesel::insert_into(call_events::table).values(rows).execute(c))?;
    }
    Ok(())
}

/// A page, oldest first.
pub fn page(db: &mut Db, scope: &OrgScope, call: CallId, page: &Page<CallEventId>) -> QueryResult<Vec<CallEventRow>> {
    on!(db, |c| {
        let mut query = call_events::table
            .filter(call_events::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(call_events::call_id.eq(Sql(call)))
            .order(call_events::id)
            .limit(page.limit())
            .select(CallEventRow::as_select())
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(call_events::id.gt(Sql(after)));
        }
        query.load(c)
    })
}
