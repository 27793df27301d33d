//! The one way in which a call's state changes: legal transitions only, each with its event, its campaign's counters
//! and its place in the live stream, in the transaction that locked the call.

use crate::domain::call_status::CallStatus;
use crate::error::Result;
use crate::store::call_events::{self, CallEventRow, Cause};
use crate::store::calls::CallRow;
use crate::store::campaigns;
use crate::store::schema::calls;
use crate::store::stream::{self, Subject};
use access::SystemScope;
use callfairy_core::Timestamp;
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on};

/// What happened to a call.
#[derive(Debug, Clone)]
pub struct Happening {
    pub cause: Cause,
    pub detail: Option<String>,
    pub attempt: Option<i32>,
}

impl Happening {
    pub fn new(cause: Cause) -> Self {
        Self { cause, detail: None, attempt: None }
    }

    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub fn attempt(self, number: i32) -> Self {
        Self { attempt: Some(number), ..self }
    }
}

/// Moves a locked call to `next`, if it may go there; answers whether it did. What comes late or twice changes nothing.
pub fn advance(db: &mut Db, call: &mut CallRow, next: CallStatus, what: Happening, now: Timestamp) -> Result<bool> {
    if !call.status.may_become(next) {
        return Ok(false);
    }
    let previous = std::mem::replace(&mut call.status, next);
    call.updated_at = Sql(now);
    if next.is_final() {
        call.ended_at = call.ended_at.or(Some(Sql(now)));
        call.needs_review = false;
    }
    on!(db, |c| diesel::update(calls::table.find(call.id))
        .set((
            calls::status.eq(next),
            calls::updated_at.eq(call.updated_at),
            calls::ended_at.eq(call.ended_at),
            calls::needs_review.eq(call.needs_review),
        ))
        .execute(c))?;
    note(db, call, what, now)?;
    if let Some(campaign) = call.campaign_id {
        campaigns::shift(db, campaign.0, previous.bucket(), next.bucket(), 1)?;
    }
    stream::add(db, call.organisation_id.0, Subject::Call(call.id.0), now)?;
    Ok(true)
}

/// Writes an event that leaves the call where it is.
pub fn note(db: &mut Db, call: &CallRow, what: Happening, now: Timestamp) -> Result<()> {
    let scope = SystemScope::for_background_work().organisation(call.organisation_id.0);
    let mut event = CallEventRow::new(&scope, call.id.0, call.status, what.cause, now);
    event.detail = what.detail;
    event.attempt = what.attempt;
    Ok(call_events::insert(db, &[event])?)
}
