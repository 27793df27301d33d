//! Numbers that an organisation must not call.

use crate::store::schema::suppressions;
use access::OrgScope;
use callfairy_core::Timestamp;
use db::diesel::prelude::*;
use db::{Db, Sql, diesel, on};

/// Why the number must not be called, if it must not.
pub fn reason(db: &mut Db, scope: &OrgScope, phone_number: &str) -> QueryResult<Option<String>> {
    on!(db, |c| suppressions::table
        .filter(suppressions::organisation_id.eq(Sql(scope.organisation_id())))
        .filter(suppressions::phone_number.eq(phone_number))
        .select(suppressions::reason)
        .first(c)
        .optional())
}

/// From now on the number is not called. A reason that is there already stays.
pub fn add(db: &mut Db, scope: &OrgScope, phone_number: &str, reason: &str, now: Timestamp) -> QueryResult<()> {
    let row = (
        suppressions::organisation_id.eq(Sql(scope.organisation_id())),
        suppressions::phone_number.eq(phone_number),
        suppressions::reason.eq(reason),
        suppressions::created_at.eq(Sql(now)),
    );
    on!(db, |c| diesel::insert_into(suppressions::table).values(row).on_conflict_do_nothing().execute(c)).map(|_| ())
}
