//! Addresses whose owners become members as soon as they have active accounts.

use super::members::{self, MemberRow};
use super::schema::invitations;
use access::OrgScope;
use callfairy_core::{Id, OrganisationId, Page, Timestamp, UserId};
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::time::Duration;

/// How long an invitation waits for an account.
const WAITS: Duration = Duration::from_hours(7 * 24);

/// Names the ids of invitations.
#[derive(Debug)]
pub enum InvitationMark {}
pub type InvitationId = Id<InvitationMark>;

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = invitations, primary_key(organisation_id, folded_email))]
pub struct InvitationRow {
    pub id: Sql<InvitationId>,
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

/// Those that wait, newest first: ids are ordered by time.
pub fn page(
    db: &mut Db,
    scope: &OrgScope,
    page: &Page<InvitationId>,
    now: Timestamp,
) -> QueryResult<Vec<InvitationRow>> {
    on!(db, |c| {
        let mut query = invitations::table
            .filter(invitations::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(invitations::expires_at.gt(Sql(now)))
            .select(InvitationRow::as_select())
            .into_boxed();
        if let Some(id) = page.after {
            query = query.filter(invitations::id.lt(Sql(id)));
        }
        query.order(invitations::id.desc()).limit(page.limit()).load(c)
    })
}

/// Takes it away, and answers whether it waited until now. An account that is reported meanwhile has made a member of its
/// owner, or never will.
pub fn withdraw(db: &mut Db, scope: &OrgScope, id: InvitationId, now: Timestamp) -> QueryResult<bool> {
    let waiting = invitations::table
        .filter(invitations::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(invitations::id.eq(Sql(id)))
        .filter(invitations::expires_at.gt(Sql(now)));
    let address: Option<String> = on!(db, |c| waiting.select(invitations::folded_email).first(c).optional())?;
    let Some(address) = address else { return Ok(false) };
    lock(db, &address)?;
    Ok(on!(db, |c| diesel::delete(waiting).execute(c))? == 1)
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
