//! A request that comes again with the same idempotency key has its effect once and is answered the same.

use crate::purge::BATCH;
use crate::schema::idempotency;
use crate::{Db, Sql, on};
use callfairy_core::{ErrorCode, OnceKey, Problem, Timestamp};
use diesel::prelude::*;
use diesel::result::Error as Diesel;
use diesel::upsert::excluded;
use prost::Message;
use std::time::Duration;

/// How long a key is remembered.
pub const KEPT: Duration = Duration::from_hours(24);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It was done now; this is its response.
    Done(Vec<u8>),
    /// It had been done before; this is the response of that time.
    Repeated(Vec<u8>),
    /// The key was used before, for another request. Nothing was done.
    KeyReused,
}

impl Once {
    /// The response, of now or of that time.
    pub fn response(self) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Done(response) | Self::Repeated(response) => Ok(response),
            Self::KeyReused => Err(Problem::new(
                ErrorCode::IdempotencyKeyReused,
                "this idempotency key was used before, with another request",
            )),
        }
    }
}

/// Answers what `f` answers, or answered when this request came first. As [`once`].
pub fn answer<M, E>(
    db: &mut Db,
    request: &OnceKey,
    now: Timestamp,
    f: impl FnOnce(&mut Db) -> Result<M, E>,
) -> Result<M, E>
where
    M: Message + Default,
    E: From<Diesel> + From<Problem>,
{
    let once = once(db, request, now, |db| f(db).map(|message| message.encode_to_vec()))?;
    M::decode(once.response()?.as_slice()).map_err(|error| {
        tracing::error!(%error, scope = request.scope, "a remembered answer cannot be read");
        Problem::internal().into()
    })
}

/// Runs `f` once for each scope and key in 24 hours. Call it inside [`Pool::write`](crate::Pool::write): the response is
/// kept by the commit that keeps the effect. Without a key, `f` just runs.
///
/// Requests with the same key at the same time wait for each other. When `f` fails, nothing is remembered.
pub fn once<E>(
    db: &mut Db,
    request: &OnceKey,
    now: Timestamp,
    f: impl FnOnce(&mut Db) -> Result<Vec<u8>, E>,
) -> Result<Once, E>
where
    E: From<Diesel>,
{
    let OnceKey { scope, key: Some(key), request_hash } = request else { return f(db).map(Once::Done) };
    db.transaction(|db| {
        if !remember(db, scope, key, request_hash, now)? {
            let (hash, response) = recall(db, scope, key)?;
            return Ok(if hash == request_hash { Once::Repeated(response) } else { Once::KeyReused });
        }
        let response = f(db)?;
        on!(db, |c| diesel::update(idempotency::table.find((scope, key)))
            .set(idempotency::response.eq(&response))
            .execute(c))?;
        Ok(Once::Done(response))
    })
}

/// Puts the key in, or takes over one that has run out; answers whether it did. Waits for another transaction that
/// is doing so, and locks a row that it leaves alone, so that it can be read next.
fn remember(db: &mut Db, scope: &str, key: &str, request_hash: &[u8; 32], now: Timestamp) -> QueryResult<bool> {
    // The trait of ON CONFLICT … DO UPDATE … WHERE; it would be in the way of `QueryDsl` elsewhere.
    use diesel::query_dsl::methods::FilterDsl;

    let row = (
        idempotency::scope.eq(scope),
        idempotency::key.eq(key),
        idempotency::request_hash.eq(request_hash.as_slice()),
        idempotency::response.eq(&[] as &[u8]),
        idempotency::created_at.eq(Sql(now)),
    );
    let put = on!(db, |c| diesel::insert_into(idempotency::table)
        .values(row)
        .on_conflict((idempotency::scope, idempotency::key))
        .do_update()
        .set((
            idempotency::request_hash.eq(excluded(idempotency::request_hash)),
            idempotency::response.eq(excluded(idempotency::response)),
            idempotency::created_at.eq(excluded(idempotency::created_at)),
        ))
        .filter(idempotency::created_at.le(Sql(now.minus(KEPT))))
        .execute(c))?;
    Ok(put == 1)
}

fn recall(db: &mut Db, scope: &str, key: &str) -> QueryResult<(Vec<u8>, Vec<u8>)> {
    on!(db, |c| idempotency::table
        .find((scope, key))
        .select((idempotency::request_hash, idempotency::response))
        .first(c))
}

/// Forgets keys that are older than 24 hours, about [`BATCH`] of them; answers how many. For [`crate::purge::run`].
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = now.minus(KEPT);
    let last: Option<Timestamp> = on!(db, |c| idempotency::table
        .filter(idempotency::created_at.le(Sql(old)))
        .order(idempotency::created_at)
        .offset(BATCH - 1)
        .select(idempotency::created_at)
        .first(c)
        .optional())?;
    let until = Sql(last.unwrap_or(old));
    on!(db, |c| diesel::delete(idempotency::table.filter(idempotency::created_at.le(until))).execute(c))
}
