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
/// How long the link that sets a new password works.
pub const RESET_LIFETIME: Duration = Duration::from_mins(10);
/// How long an invitation works: nobody waits at the mailbox for it, so it outlasts a weekend and a few days off, as
/// invitations into organisations do.
pub const INVITATION_LIFETIME: Duration = Duration::from_hours(7 * 24);

db::text_enum!(
    /// What a token is good for, and nothing else.
    pub enum Purpose {
        Verification = "verification",
        PasswordReset = "password_reset",
        Invitation = "invitation",
    }
);

impl Purpose {
    const fn lifetime(self) -> Duration {
        match self {
            Self::Verification => VERIFICATION_LIFETIME,
            Self::PasswordReset => RESET_LIFETIME,
            Self::Invitation => INVITATION_LIFETIME,
        }
    }
}

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

impl Row {
    fn into_use(self) -> Use {
        Use::Good {
            user: self.user_id.0,
            email_folded: self.email_folded,
            registration: self.registration.map(|json| json.0),
        }
    }
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
    add(db, hash, user, Purpose::Verification, registration, now)
}

/// Adds a token that sets a new password.
pub fn add_reset(db: &mut Db, hash: &Hash, user: &UserRow, now: Timestamp) -> QueryResult<()> {
    add(db, hash, user, Purpose::PasswordReset, None, now)
}

/// Adds a token that takes over an account which was made for its owner.
pub fn add_invitation(db: &mut Db, hash: &Hash, user: &UserRow, now: Timestamp) -> QueryResult<()> {
    add(db, hash, user, Purpose::Invitation, None, now)
}

fn add(
    db: &mut Db,
    hash: &Hash,
    user: &UserRow,
    purpose: Purpose,
    registration: Option<Registration>,
    now: Timestamp,
) -> QueryResult<()> {
    let row = Row {
        hash: hash.to_vec(),
        purpose,
        user_id: user.id,
        email_folded: user.email_folded.clone(),
        registration: registration.map(Json),
        created_at: Sql(now),
        expires_at: Sql(now.plus(purpose.lifetime())),
        used_at: None,
    };
    on!(db, |c| diesel::insert_into(single_use_tokens::table).values(&row).execute(c))?;
    Ok(())
}

/// All tokens of the user for this purpose are used up.
pub fn void(db: &mut Db, user: UserId, purpose: Purpose, now: Timestamp) -> QueryResult<()> {
    let unused = single_use_tokens::table
        .filter(single_use_tokens::user_id.eq(Sql(user)))
        .filter(single_use_tokens::purpose.eq(purpose))
        .filter(single_use_tokens::used_at.is_null());
    on!(db, |c| diesel::update(unused).set(single_use_tokens::used_at.eq(Sql(now))).execute(c))?;
    Ok(())
}

/// What using the token would come to now. It stays as it is.
pub fn look_at(db: &mut Db, hash: &Hash, purpose: Purpose, now: Timestamp) -> QueryResult<Use> {
    Ok(match find(db, hash, purpose)? {
        None => Use::Unknown,
        Some(row) if row.used_at.is_some() || row.expires_at.0 <= now => Use::Gone,
        Some(row) => row.into_use(),
    })
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
    Ok(match find(db, hash, purpose)? {
        None => Use::Unknown,
        Some(_) if used == 0 => Use::Gone,
        Some(row) => row.into_use(),
    })
}

fn find(db: &mut Db, hash: &Hash, purpose: Purpose) -> QueryResult<Option<Row>> {
    on!(db, |c| single_use_tokens::table
        .find(hash.as_slice())
        .filter(single_use_tokens::purpose.eq(purpose))
        .select(Row::as_select())
        .first(c)
        .optional())
}
