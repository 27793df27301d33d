//! Keys that programs send in place of a person's token.

use super::schema::api_keys;
use crate::domain::api_key::Hash;
use access::{OrgScope, PermissionSet};
use callfairy_core::{Id, OrganisationId, Page, Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;

#[derive(Debug)]
pub enum ApiKeyMark {}
pub type ApiKeyId = Id<ApiKeyMark>;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub id: Sql<ApiKeyId>,
    pub organisation_id: Sql<OrganisationId>,
    pub name: String,
    pub prefix: String,
    pub hash: Vec<u8>,
    /// The bits of a [`PermissionSet`].
    pub permissions: i64,
    pub created_by: Sql<UserId>,
    pub created_at: Sql<Timestamp>,
    pub expires_at: Option<Sql<Timestamp>>,
    pub last_used_at: Option<Sql<Timestamp>>,
}

impl ApiKeyRow {
    pub fn permission_set(&self) -> PermissionSet {
        PermissionSet::from_bits(self.permissions.cast_unsigned())
    }
}

pub fn insert(db: &mut Db, row: &ApiKeyRow) -> QueryResult<()> {
    on!(db, |c| diesel::insert_into(api_keys::table).values(row).execute(c))?;
    Ok(())
}

/// Those that were not revoked, newest first: ids are ordered by time.
pub fn page(db: &mut Db, scope: &OrgScope, page: &Page<ApiKeyId>) -> QueryResult<Vec<ApiKeyRow>> {
    on!(db, |c| {
        let mut query = api_keys::table
            .filter(api_keys::organisation_id.eq(Sql(scope.organisation_id())))
            .filter(api_keys::revoked_at.is_null())
            .select(ApiKeyRow::as_select())
            .into_boxed();
        if let Some(id) = page.after {
            query = query.filter(api_keys::id.lt(Sql(id)));
        }
        query.order(api_keys::id.desc()).limit(page.limit()).load(c)
    })
}

/// Answers whether there was such a key.
pub fn revoke(db: &mut Db, scope: &OrgScope, id: ApiKeyId, by: UserId, now: Timestamp) -> QueryResult<bool> {
    let key = api_keys::table
        .find(Sql(id))
        .filter(api_keys::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(api_keys::revoked_at.is_null());
    let revoked = (api_keys::revoked_at.eq(Sql(now)), api_keys::revoked_by.eq(Sql(by)));
    Ok(on!(db, |c| diesel::update(key).set(revoked).execute(c))? == 1)
}

/// Any organisation's key that was not revoked: for the rules.
pub fn find(db: &mut Db, hash: &Hash) -> QueryResult<Option<ApiKeyRow>> {
    on!(db, |c| api_keys::table
        .filter(api_keys::hash.eq(hash.as_slice()))
        .filter(api_keys::revoked_at.is_null())
        .select(ApiKeyRow::as_select())
        .first(c)
        .optional())
}

/// Notes that a key is in use, unless that was noted after `unless_since`; answers whether it did.
pub fn touch(db: &mut Db, id: ApiKeyId, now: Timestamp, unless_since: Timestamp) -> QueryResult<bool> {
    let long_ago = api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(Sql(unless_since)));
    let key = api_keys::table.find(Sql(id)).filter(long_ago);
    Ok(on!(db, |c| diesel::update(key).set(api_keys::last_used_at.eq(Sql(now))).execute(c))? == 1)
}
