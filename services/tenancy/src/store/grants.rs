//! What superadmins granted to users directly.

use super::schema::grants;
use access::PermissionSet;
use callfairy_core::{Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;
use proto::Permission;
use std::collections::HashMap;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
pub struct GrantRow {
    pub user_id: Sql<UserId>,
    /// Its number in the contract.
    pub permission: i32,
    pub granted_by: Sql<UserId>,
    pub granted_at: Sql<Timestamp>,
}

impl GrantRow {
    pub fn new(user: UserId, permission: Permission, by: UserId, at: Timestamp) -> Self {
        Self { user_id: Sql(user), permission: permission.into(), granted_by: Sql(by), granted_at: Sql(at) }
    }
}

/// Grants, unless it was granted before; answers whether it did.
pub fn put(db: &mut Db, row: &GrantRow) -> QueryResult<bool> {
    let put = on!(db, |c| diesel::insert_into(grants::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(put == 1)
}

pub fn find(db: &mut Db, user: UserId, permission: Permission) -> QueryResult<GrantRow> {
    let grant = grants::table.find((Sql(user), i32::from(permission)));
    on!(db, |c| grant.select(GrantRow::as_select()).first(c))
}

/// Answers whether it was granted.
pub fn remove(db: &mut Db, user: UserId, permission: Permission) -> QueryResult<bool> {
    let grant = grants::table.find((Sql(user), i32::from(permission)));
    Ok(on!(db, |c| diesel::delete(grant).execute(c))? == 1)
}

/// In the contract's order.
pub fn list(db: &mut Db, user: UserId) -> QueryResult<Vec<GrantRow>> {
    on!(db, |c| grants::table
        .filter(grants::user_id.eq(Sql(user)))
        .order(grants::permission)
        .select(GrantRow::as_select())
        .load(c))
}

/// Those of each of the users who have any.
pub fn of_users(db: &mut Db, users: &[UserId]) -> QueryResult<HashMap<UserId, PermissionSet>> {
    let rows: Vec<(UserId, i32)> = on!(db, |c| grants::table
        .filter(grants::user_id.eq_any(users.iter().copied().map(Sql)))
        .select((grants::user_id, grants::permission))
        .load(c))?;
    let mut sets: HashMap<UserId, PermissionSet> = HashMap::new();
    for (user, number) in rows {
        // One that a newer version knows says nothing here.
        sets.entry(user).or_default().insert(Permission::try_from(number).unwrap_or_default());
    }
    Ok(sets)
}
