//! One leader among several processes: a row with a holder and an end, by the database's clock.

use crate::schema::leases;
use crate::{Db, now, now_plus, on};
use diesel::prelude::*;
use diesel::upsert::excluded;
use std::time::Duration;

/// Takes the lease `name` for `holder`, or prolongs it, until `duration` from now. Answers whether `holder` has it.
/// Call it well before the end, in a transaction of its own; another holder gets it once it has lapsed.
pub fn acquire(db: &mut Db, name: &str, holder: &str, duration: Duration) -> QueryResult<bool> {
    // The trait of ON CONFLICT … DO UPDATE … WHERE; it would be in the way of `QueryDsl` elsewhere.
    use diesel::query_dsl::methods::FilterDsl;

    let row = (leases::name.eq(name), leases::holder.eq(holder), leases::until.eq(now_plus(duration)));
    let taken = on!(db, |c| diesel::insert_into(leases::table)
        .values(row)
        .on_conflict(leases::name)
        .do_update()
        .set((leases::holder.eq(excluded(leases::holder)), leases::until.eq(excluded(leases::until))))
        .filter(leases::holder.eq(excluded(leases::holder)).or(leases::until.le(now())))
        .execute(c))?;
    Ok(taken == 1)
}

/// Gives the lease back before its end, so that another holder need not wait for it.
pub fn release(db: &mut Db, name: &str, holder: &str) -> QueryResult<()> {
    on!(db, |c| diesel::delete(leases::table.find(name).filter(leases::holder.eq(holder))).execute(c))?;
    Ok(())
}
