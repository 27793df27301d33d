//! Who signs in with an account elsewhere, and which account here is theirs.

use super::schema::{identities, users};
use super::user::UserRow;
use callfairy_core::{Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::dsl::exists;
use diesel::prelude::*;

/// The account of whom the issuer knows by this id.
pub fn find(db: &mut Db, issuer: &str, subject: &str) -> QueryResult<Option<UserRow>> {
    on!(db, |c| identities::table
        .find((issuer, subject))
        .inner_join(users::table)
        .select(UserRow::as_select())
        .first(c)
        .optional())
}

/// Whether somebody whom this issuer knows has the account.
pub fn has_one(db: &mut Db, issuer: &str, user: UserId) -> QueryResult<bool> {
    let theirs = identities::table.filter(identities::user_id.eq(Sql(user))).filter(identities::issuer.eq(issuer));
    on!(db, |c| diesel::select(exists(theirs)).get_result(c))
}

pub fn add(db: &mut Db, issuer: &str, subject: &str, user: UserId, now: Timestamp) -> QueryResult<()> {
    let row = (
        identities::issuer.eq(issuer),
        identities::subject.eq(subject),
        identities::user_id.eq(Sql(user)),
        identities::created_at.eq(Sql(now)),
    );
    on!(db, |c| diesel::insert_into(identities::table).values(row).execute(c))?;
    Ok(())
}
