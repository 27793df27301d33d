//! Tokens that are mailed and work once.

use super::schema::single_use_tokens;
use super::user::{Registration, UserRow};
use crate::domain::opaque_token::Hash;
use callfairy_core::{Timestamp, UserId};
use db::{Db, Json, Sql, on};
use diesel::prelude::*;
use std::time::Duration;

/// How long the link that confirms an address works.
pub const VERIFICATION_LIFETIME: Duration = Duration::from_hours(24);

db::text_enum!(
    /// What a token is good for, and nothing else.
    pub enum Purpose {
        Verification = "verification",
    }
);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = single_use_tokens, treat_none_as_default_value = false)]
struct Row {
    hash: Vec<u8>,
    purpose: Purpose,
    user_id: Sql<UserId>,
    email_folded: String,
    registration: Option<Json<Registration>>,
    created_at: Sql<Timestamp>,
    expires_at: Sql<Timestamp>,
    used_at: Option<Sql<Timestamp>>,
}

/// What came of using a token.
#[derive(Debug, PartialEq, Eq)]
pub enum Use {
    /// It was good, for this account, and is used up now.
    Good {
        user: UserId,
        email_folded: String,
        registration: Option<Registration>,
    },
    /// It was used or ran out before.
    Gone,
    Unknown,
}

/// Adds a verification token, with what was written in the registration that it belongs to.
pub fn add_verification(
    db: &mut Db,
    hash: &Hash,
    user: &UserRow,
    registration: Option<Registration>,
    now: Timestamp,
) -> QueryResult<()> {
    let row = Row {
        hash: hash.to_vec(),
        purpose: Purpose::Verification,
        user_id: user.id,
        email_folded: user.email_folded.clone(),
        registration: registration.map(Json),
        created_at: Sql(now),
        expires_at: Sql(now.plus(VERIFICATION_LIFETIME)),
        used_at: None,
    };
    on!(db, |c| diesel::insert_into(single_use_tokens::table).values(&row).execute(c))?;
    Ok(())
}

/// The registration that was mailed last: the one to mail again.
pub fn latest_registration(db: &mut Db, user: UserId) -> QueryResult<Option<Registration>> {
    let latest: Option<Option<Json<Registration>>> = on!(db, |c| single_use_tokens::table
        .filter(single_use_tokens::user_id.eq(Sql(user)))
        .filter(single_use_tokens::purpose.eq(Purpose::Verification))
        .order(single_use_tokens::created_at.desc())
        .select(single_use_tokens::registration)
        .first(c)
        .optional())?;
    Ok(latest.flatten().map(|json| json.0))
}

/// Uses the token up. Of several uses at one time one is good.
pub fn use_up(db: &mut Db, hash: &Hash, purpose: Purpose, now: Timestamp) -> QueryResult<Use> {
    let unused = single_use_tokens::table
        .find(hash.as_slice())
        .filter(single_use_tokens::purpose.eq(purpose))
        .filter(single_use_tokens::used_at.is_null())
        .filter(single_use_tokens::expires_at.gt(Sql(now)));
    let used = on!(db, |c| diesel::update(unused).set(single_use_tokens::used_at.eq(Sql(now))).execute(c))?;
    let row: Option<Row> = on!(db, |c| single_use_tokens::table
        .find(hash.as_slice())
        .filter(single_use_tokens::purpose.eq(purpose))
        .select(Row::as_select())
        .first(c)
        .optional())?;
    Ok(match row {
        None => Use::Unknown,
        Some(_) if used == 0 => Use::Gone,
        Some(row) => Use::Good {
            user: row.user_id.0,
            email_folded: row.email_folded,
            registration: row.registration.map(|json| json.0),
        },
    })
}
