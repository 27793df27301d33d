//! Copying a recording from the provider into the object store.

use crate::domain::ids::CallId;
use crate::error::Result;
use crate::store::call_events::Cause;
use crate::store::calls::{self, CallRow};
use crate::store::schema::calls as table;
use crate::store::stream::{self, Subject};
use crate::store::transitions::{Happening, note};
use callfairy_core::OrganisationId;
use db::diesel::prelude::*;
use db::{Db, diesel, on};

/// Where a call's recording lies in the object store.
pub fn key(organisation: OrganisationId, call: CallId) -> String {
    format!("recordings/{organisation}/{call}")
}

/// The call with a recording that is not copied yet.
pub fn find(db: &mut Db, id: CallId) -> Result<Option<CallRow>> {
    Ok(calls::lock(db, id)?.filter(|call| !call.recorded && call.recording_source.is_some()))
}

/// The copy is there.
pub fn stored(db: &mut Db, id: CallId, content_type: &str, size: u64) -> Result<()> {
    let now = db.now()?;
    let Some(call) = find(db, id)? else { return Ok(()) };
    on!(db, |c| diesel::update(table::table.find(call.id))
        .set((
            table::recorded.eq(true),
            table::recording_type.eq(content_type),
            table::recording_size.eq(i64::try_from(size).unwrap_or(i64::MAX)),
        ))
        .execute(c))?;
    note(db, &call, Happening::new(Cause::RecordingStored), now)?;
    Ok(stream::add(db, call.organisation_id.0, Subject::Call(id), now)?)
}

/// There will be none: the provider no longer has it.
pub fn lost(db: &mut Db, id: CallId) -> Result<()> {
    let Some(call) = find(db, id)? else { return Ok(()) };
    let none = table::recording_source.eq(None::<String>);
    on!(db, |c| diesel::update(table::table.find(call.id)).set(none).execute(c))?;
    tracing::warn!(call = %id, "the provider no longer has the recording");
    Ok(())
}
