//! What auth reported of accounts.

use super::schema::accounts;
use crate::domain::access::Account;
use callfairy_core::UserId;
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::collections::HashMap;

#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = accounts, primary_key(user_id))]
pub struct AccountRow {
    pub user_id: Sql<UserId>,
    pub version: i64,
    pub email: String,
    /// Not unique: reports come in any order.
    pub folded_email: String,
    pub name: String,
    pub is_active: bool,
    pub is_superadmin: bool,
}

/// Keeps the report, unless one of the same version or a later one was there before; answers whether it did.
pub fn report(db: &mut Db, row: &AccountRow) -> QueryResult<bool> {
    // The trait of ON CONFLICT … DO UPDATE … WHERE; it would be in the way of `QueryDsl` elsewhere.
    use diesel::query_dsl::methods::FilterDsl;

    let kept = on!(db, |c| diesel::insert_into(accounts::table)
        .values(row)
        .on_conflict(accounts::user_id)
        .do_update()
        .set(row)
        .filter(accounts::version.lt(row.version))
        .execute(c))?;
    Ok(kept == 1)
}

/// Unknown ones are left out.
pub fn find_all(db: &mut Db, users: &[UserId]) -> QueryResult<HashMap<UserId, Account>> {
    let rows: Vec<(UserId, bool, bool)> = on!(db, |c| accounts::table
        .filter(accounts::user_id.eq_any(users.iter().copied().map(Sql)))
        .select((accounts::user_id, accounts::is_active, accounts::is_superadmin))
        .load(c))?;
    let account = |(user, is_active, is_superadmin)| (user, Account { is_active, is_superadmin });
    Ok(rows.into_iter().map(account).collect())
}

pub fn exists(db: &mut Db, user: UserId) -> QueryResult<bool> {
    on!(db, |c| diesel::select(diesel::dsl::exists(accounts::table.find(Sql(user)))).get_result(c))
}

/// What somebody is called.
pub fn name(db: &mut Db, user: UserId) -> QueryResult<Option<String>> {
    on!(db, |c| accounts::table.find(Sql(user)).select(accounts::name).first(c).optional())
}

/// The active account with an address, as [`crate::domain::email::fold`] gives it. Should a report be missing, so that
/// there are two, the newer one: ids are ordered by time.
pub fn active_with_address(db: &mut Db, folded: &str) -> QueryResult<Option<UserId>> {
    on!(db, |c| accounts::table
        .filter(accounts::folded_email.eq(folded))
        .filter(accounts::is_active)
        .order(accounts::user_id.desc())
        .select(accounts::user_id)
        .first(c)
        .optional())
}
