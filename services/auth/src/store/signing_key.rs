//! The keys that access tokens are signed with.

use super::one_at_a_time;
use super::schema::signing_keys;
use crate::Error;
use crate::domain::signing_key::{self, KeyPair, PUBLISHED_AFTER_RETIREMENT};
use crate::vault::{Place, Vault};
use callfairy_core::Timestamp;
use db::{Db, Sql, on};
use diesel::prelude::*;
use zeroize::Zeroizing;

#[derive(Insertable)]
#[diesel(table_name = signing_keys)]
struct Row<'a> {
    kid: &'a str,
    public_key: &'a [u8],
    private_key: Vec<u8>,
    created_at: Sql<Timestamp>,
}

/// The key that signs; the first start makes it. Of several starts at one time one makes it.
pub fn current(db: &mut Db, vault: &Vault, now: Timestamp) -> Result<KeyPair, Error> {
    one_at_a_time(db, "signing key")?;
    let newest: Option<(String, Vec<u8>)> = on!(db, |c| signing_keys::table
        .filter(signing_keys::retired_at.is_null())
        .order((signing_keys::created_at.desc(), signing_keys::kid))
        .select((signing_keys::kid, signing_keys::private_key))
        .first(c)
        .optional())?;
    match newest {
        Some((kid, sealed)) => {
            let private = vault.open(Place::SigningKey(&kid), &sealed)?;
            let private = <[u8; signing_key::LENGTH]>::try_from(private.as_slice());
            let private = private.map_err(|_| Error::Undecryptable("a signing key"))?;
            Ok(KeyPair::from_private(Zeroizing::new(private)))
        }
        None => make(db, vault, now),
    }
}

fn make(db: &mut Db, vault: &Vault, now: Timestamp) -> Result<KeyPair, Error> {
    let pair = KeyPair::generate()?;
    let kid = pair.kid();
    let row = Row {
        kid: &kid,
        public_key: pair.public(),
        private_key: vault.seal(Place::SigningKey(&kid), pair.private())?,
        created_at: Sql(now),
    };
    on!(db, |c| diesel::insert_into(signing_keys::table).values(&row).execute(c))?;
    tracing::info!(kid, "made a key that signs access tokens");
    Ok(pair)
}

/// The public keys that verify tokens which may still be good.
pub fn published(db: &mut Db, now: Timestamp) -> QueryResult<Vec<proto::auth::SigningKey>> {
    let long_ago = Sql(now.minus(PUBLISHED_AFTER_RETIREMENT));
    let rows: Vec<(String, Vec<u8>)> = on!(db, |c| signing_keys::table
        .filter(signing_keys::retired_at.is_null().or(signing_keys::retired_at.gt(long_ago)))
        .order((signing_keys::created_at, signing_keys::kid))
        .select((signing_keys::kid, signing_keys::public_key))
        .load(c))?;
    Ok(rows.into_iter().map(|(kid, public)| signing_key::published(kid, &public)).collect())
}
