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
    pub name: String,
    pub is_active: bool,
    pub is_superadmin: bool,
}

/// Keeps the report, unless one of the same version or a later one was there before.
pub fn report(db: &mut Db, row: &AccountRow) -> QueryResult<()> {
    // The trait of ON CONFLICT … DO UPDATE … WHERE; it would be in the way of `QueryDsl` elsewhere.
    use diesel::query_dsl::methods::FilterDsl;

    on!(db, |c| diesel::insert_into(accounts::table)
        .values(row)
        .on_conflict(accounts::user_id)
        .do_update()
        .set(row)
        .filter(accounts::version.lt(row.version))
        .execute(c))?;
    Ok(())
}

pub fn find(db: &mut Db, user: UserId) -> QueryResult<Option<Account>> {
    let found: Option<(bool, bool)> = on!(db, |c| accounts::table
        .find(Sql(user))
        .select((accounts::is_active, accounts::is_superadmin))
        .first(c)
        .optional())?;
    Ok(found.map(|(is_active, is_superadmin)| Account { is_active, is_superadmin }))
}

/// Whether each of the users is a superadmin; unknown ones are left out.
pub fn superadmins(db: &mut Db, users: &[UserId]) -> QueryResult<HashMap<UserId, bool>> {
    let rows: Vec<(UserId, bool)> = on!(db, |c| accounts::table
        .filter(accounts::user_id.eq_any(users.iter().copied().map(Sql)))
        .select((accounts::user_id, accounts::is_superadmin))
        .load(c))?;
    Ok(rows.into_iter().collect())
}
