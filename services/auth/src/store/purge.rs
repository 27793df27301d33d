//! What has served its time goes, so that no table grows for ever.

use super::schema::{google_flows, mails, refresh_tokens, sessions, single_use_tokens};
use super::{attempts, signing_key};
use crate::domain::session;
use callfairy_core::Timestamp;
use db::purge::{BATCH, Purge};
use db::{Db, Sql, idempotency, on};
use diesel::prelude::*;
use std::time::Duration;

/// An exchanged token is remembered for this long, so that its reuse ends the session.
const REPLACED_TOKENS_KEPT: Duration = session::IDLE;
/// A session that was ended is remembered for this long.
const REVOKED_SESSIONS_KEPT: Duration = Duration::from_hours(24);
/// A used or expired token is answered with "gone" for this long, then with "unknown".
const SINGLE_USE_TOKENS_KEPT: Duration = Duration::from_hours(7 * 24);
const MAILS_KEPT: Duration = Duration::from_hours(7 * 24);

pub const ALL: [Purge; 9] = [
    successors,
    replaced_tokens,
    old_sessions,
    old_single_use_tokens,
    old_mails,
    old_flows,
    attempts::purge,
    signing_key::purge,
    idempotency::purge,
];

/// Encrypted successors that nobody can ask for any more.
fn successors(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = refresh_tokens::table
        .filter(refresh_tokens::successor.is_not_null())
        .filter(refresh_tokens::replaced_at.lt(Sql(now.minus(session::GRACE))))
        .limit(BATCH)
        .select(refresh_tokens::hash);
    let hashes: Vec<Vec<u8>> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::update(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(&hashes)))
        .set(refresh_tokens::successor.eq(None::<Vec<u8>>))
        .execute(c))
}

fn replaced_tokens(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = refresh_tokens::table
        .filter(refresh_tokens::replaced_at.le(Sql(now.minus(REPLACED_TOKENS_KEPT))))
        .limit(BATCH)
        .select(refresh_tokens::hash);
    let hashes: Vec<Vec<u8>> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(&hashes))).execute(c))
}

/// Their refresh tokens go with them.
fn old_sessions(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let revoked = sessions::revoked_at.le(Sql(now.minus(REVOKED_SESSIONS_KEPT)));
    let old = sessions::table
        .filter(sessions::expires_at.nullable().le(Sql(now)).or(revoked))
        .limit(BATCH)
        .select(sessions::id);
    let ids: Vec<crate::domain::ids::SessionId> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(sessions::table.filter(sessions::id.eq_any(ids.into_iter().map(Sql)))).execute(c))
}

fn old_single_use_tokens(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = single_use_tokens::table
        .filter(single_use_tokens::expires_at.le(Sql(now.minus(SINGLE_USE_TOKENS_KEPT))))
        .limit(BATCH)
        .select(single_use_tokens::hash);
    let hashes: Vec<Vec<u8>> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(single_use_tokens::table.filter(single_use_tokens::hash.eq_any(&hashes))).execute(c))
}

fn old_mails(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = mails::table.filter(mails::created_at.le(Sql(now.minus(MAILS_KEPT)))).limit(BATCH).select(mails::id);
    let ids: Vec<crate::domain::ids::MailId> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(mails::table.filter(mails::id.eq_any(ids.into_iter().map(Sql)))).execute(c))
}

fn old_flows(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old =
        google_flows::table.filter(google_flows::expires_at.le(Sql(now))).limit(BATCH).select(google_flows::state);
    let states: Vec<Vec<u8>> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(google_flows::table.filter(google_flows::state.eq_any(&states))).execute(c))
}
