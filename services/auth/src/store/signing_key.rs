//! The keys that access tokens are signed with. A key signs from its `signs_from` until its `retired_at`; it is published
//! before the one and after the other.

use super::one_at_a_time;
use super::schema::signing_keys;
use crate::Error;
use crate::domain::signing_key::{self, KeyPair, PUBLISHED_AFTER_RETIREMENT, PUBLISHED_BEFORE_USE};
use crate::vault::{Place, Vault};
use callfairy_core::Timestamp;
use db::purge::BATCH;
use db::{Db, Sql, on};
use diesel::prelude::*;
use zeroize::Zeroizing;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub struct KeyRow {
    pub kid: String,
    public_key: Vec<u8>,
    private_key: Vec<u8>,
    created_at: Sql<Timestamp>,
    pub signs_from: Sql<Timestamp>,
}

impl KeyRow {
    fn make(vault: &Vault, signs_from: Timestamp, now: Timestamp) -> Result<Self, Error> {
        let pair = KeyPair::generate()?;
        let kid = pair.kid();
        Ok(Self {
            public_key: pair.public().to_vec(),
            private_key: vault.seal(Place::SigningKey(&kid), pair.private())?,
            created_at: Sql(now),
            signs_from: Sql(signs_from),
            kid,
        })
    }

    pub fn open(&self, vault: &Vault) -> Result<KeyPair, Error> {
        let private = vault.open(Place::SigningKey(&self.kid), &self.private_key)?;
        let private = <[u8; signing_key::LENGTH]>::try_from(private.as_slice());
        let private = private.map_err(|_| Error::Undecryptable("a signing key"))?;
        Ok(KeyPair::from_private(Zeroizing::new(private)))
    }
}

/// The key that signs; the first start makes it. Of several starts at one time one makes it.
pub fn current(db: &mut Db, vault: &Vault, now: Timestamp) -> Result<KeyRow, Error> {
    one_at_a_time(db, LOCK)?;
    match signing(db, now)? {
        Some(row) => Ok(row),
        None => add(db, KeyRow::make(vault, now, now)?),
    }
}

/// The key that signs, if there is one.
pub fn signing(db: &mut Db, now: Timestamp) -> QueryResult<Option<KeyRow>> {
    let mut rows = unretired(db, now)?;
    let begun = rows.iter().rposition(|row| row.signs_from.0 <= now);
    // Without one, the first to come: by the clock of whoever made it, it may sign.
    let place = begun.or((!rows.is_empty()).then_some(0));
    Ok(place.map(|place| rows.swap_remove(place)))
}

/// Makes the key that signs next, unless one is waiting already: of several rotations at one time one makes it, and the
/// others answer the same.
pub fn rotate(db: &mut Db, vault: &Vault, now: Timestamp) -> Result<(KeyRow, bool), Error> {
    one_at_a_time(db, LOCK)?;
    if let Some(waiting) = unretired(db, now)?.into_iter().find(|row| row.signs_from.0 > now) {
        return Ok((waiting, false));
    }
    let signs_from = now.plus(PUBLISHED_BEFORE_USE);
    let old = signing_keys::table.filter(signing_keys::retired_at.is_null());
    on!(db, |c| diesel::update(old).set(signing_keys::retired_at.eq(Sql(signs_from))).execute(c))?;
    Ok((add(db, KeyRow::make(vault, signs_from, now)?)?, true))
}

/// The public keys that verify tokens which may still be good, or soon will be.
pub fn published(db: &mut Db, now: Timestamp) -> QueryResult<Vec<proto::auth::SigningKey>> {
    let long_ago = Sql(now.minus(PUBLISHED_AFTER_RETIREMENT));
    let rows: Vec<(String, Vec<u8>)> = on!(db, |c| signing_keys::table
        .filter(signing_keys::retired_at.is_null().or(signing_keys::retired_at.gt(long_ago)))
        .order((signing_keys::created_at, signing_keys::kid))
        .select((signing_keys::kid, signing_keys::public_key))
        .load(c))?;
    Ok(rows.into_iter().map(|(kid, public)| signing_key::published(kid, &public)).collect())
}

/// For [`db::purge::run`]: what is published no more verifies nothing, and is not kept to sign with.
pub fn purge(db: &mut Db, now: Timestamp) -> QueryResult<usize> {
    let old = signing_keys::table
        .filter(signing_keys::retired_at.le(Sql(now.minus(PUBLISHED_AFTER_RETIREMENT))))
        .limit(BATCH)
        .select(signing_keys::kid);
    let kids: Vec<String> = on!(db, |c| old.load(c))?;
    on!(db, |c| diesel::delete(signing_keys::table.filter(signing_keys::kid.eq_any(&kids))).execute(c))
}

/// Whoever makes a key holds this.
const LOCK: &str = "signing key";

/// In the order in which they sign.
fn unretired(db: &mut Db, now: Timestamp) -> QueryResult<Vec<KeyRow>> {
    on!(db, |c| signing_keys::table
        .filter(signing_keys::retired_at.is_null().or(signing_keys::retired_at.gt(Sql(now))))
        .order((signing_keys::signs_from, signing_keys::kid))
        .select(KeyRow::as_select())
        .load(c))
}

fn add(db: &mut Db, row: KeyRow) -> Result<KeyRow, Error> {
    on!(db, |c| diesel::insert_into(signing_keys::table).values(&row).execute(c))?;
    tracing::info!(kid = row.kid, signs_from = %row.signs_from.0, "made a key that signs access tokens");
    Ok(row)
}
