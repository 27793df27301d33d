//! Addresses whose owners become members as soon as they have active accounts.

use super::members::{self, MemberRow};
use super::schema::invitations;
use callfairy_core::{OrganisationId, Timestamp, UserId};
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::time::Duration;

/// How long an invitation waits for an account.
const WAITS: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = invitations, primary_key(organisation_id, folded_email))]
pub struct InvitationRow {
    pub organisation_id: Sql<OrganisationId>,
    /// As [`crate::domain::email::fold`] gives it.
    pub folded_email: String,
    pub email: String,
    pub name: String,
    pub invited_by: Sql<UserId>,
    pub created_at: Sql<Timestamp>,
    pub expires_at: Sql<Timestamp>,
}

pub fn expires_at(created_at: Timestamp) -> Timestamp {
    created_at.plus(WAITS)
}

/// Puts it in the place of an earlier one to the same address.
pub fn put(db: &mut Db, row: &InvitationRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(invitations::table)
        .values(row)
        .on_conflict((invitations::organisation_id, invitations::folded_email))
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}

/// Until the transaction ends, nobody invites this address, and no account with it is reported. So an invitation and
/// an account that come at the same time do not miss each other.
pub fn lock(db: &mut Db, folded_email: &str) -> QueryResult<()> {
    super::one_at_a_time(db, folded_email)
}

/// Makes the owner of an address a member wherever that address is invited to. Answers the memberships that are new.
pub fn accept(db: &mut Db, user: UserId, folded_email: &str, now: Timestamp) -> QueryResult<Vec<MemberRow>> {
    let waiting = invitations::table
        .filter(invitations::folded_email.eq(folded_email))
        .filter(invitations::expires_at.gt(Sql(now)))
        .select((invitations::organisation_id, invitations::invited_by));
    let rows: Vec<(OrganisationId, UserId)> = on!(db, |c| waiting.load(c))?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let joining = rows.into_iter().map(|(organisation, invited_by)| MemberRow {
        organisation_id: Sql(organisation),
        user_id: Sql(user),
        joined_at: Sql(now),
        added_by: Sql(invited_by),
    });
    let joined = members::put(db, joining.collect())?;
    let done = invitations::table.filter(invitations::folded_email.eq(folded_email));
    on!(db, |c| diesel::delete(done).execute(c))?;
    Ok(joined)
}

/// Those that have waited in vain. For [`db::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = invitations::expires_at.le(Sql(now));
    let last: Option<Timestamp> = on!(db, |c| invitations::table
        .filter(old)
        .order(invitations::expires_at)
        .offset(BATCH - 1)
        .select(invitations::expires_at)
        .first(c)
        .optional())?;
    let until = Sql(last.unwrap_or(now));
    on!(db, |c| diesel::delete(invitations::table.filter(invitations::expires_at.le(until))).execute(c))
}
