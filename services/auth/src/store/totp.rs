//! Authenticator apps and recovery codes. Whoever changes or checks them holds the user's row ([`super::user::lock`]), so
//! of two requests at one time the second one sees what the first one did.

use super::schema::{recovery_codes, totp};
use super::user;
use crate::Error;
use crate::domain::opaque_token::Hash;
use crate::domain::recovery_code;
use crate::domain::totp::{MAX_TRIES, PAUSE, Paused, Proof, TotpSecret};
use crate::vault::{Place, Vault};
use callfairy_core::{Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;

#[derive(Queryable, Selectable)]
#[diesel(table_name = totp)]
struct Row {
    secret: Vec<u8>,
    last_step: i64,
    failures: i32,
    paused_until: Option<Sql<Timestamp>>,
}

/// What came of a code.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// It was good, and is used up.
    Good,
    Wrong,
    /// It was not looked at.
    Paused(Paused),
}

/// Puts a new secret in the place of one that was not confirmed. Wrong codes still count.
pub fn begin(db: &mut Db, vault: &Vault, user: UserId, secret: &TotpSecret) -> Result<(), Error> {
    let sealed = vault.seal(Place::Totp(user.as_bytes()), secret.bytes())?;
    let row = (
        totp::user_id.eq(Sql(user)),
        totp::secret.eq(&sealed),
        totp::last_step.eq(0_i64),
        totp::failures.eq(0),
        totp::paused_until.eq(None::<Sql<Timestamp>>),
    );
    on!(db, |c| diesel::insert_into(totp::table)
        .values(row)
        .on_conflict(totp::user_id)
        .do_update()
        .set((totp::secret.eq(&sealed), totp::last_step.eq(0_i64)))
        .execute(c))?;
    Ok(())
}

/// Whether there is a secret, confirmed or not.
pub fn has_begun(db: &mut Db, user: UserId) -> QueryResult<bool> {
    Ok(find(db, user)?.is_some())
}

/// From now on signing in asks for a code, or takes one of these recovery codes once.
pub fn enable(db: &mut Db, user: UserId, codes: &[Hash], now: Timestamp) -> QueryResult<()> {
    forget_codes(db, user)?;
    let row = |hash: &Hash| (recovery_codes::user_id.eq(Sql(user)), recovery_codes::hash.eq(hash.to_vec()));
    let rows: Vec<_> = codes.iter().map(row).collect();
    on!(db, |c| diesel::insert_into(recovery_codes::table).values(&rows).execute(c))?;
    user::set_totp(db, user, true, now)
}

pub fn disable(db: &mut Db, user: UserId, now: Timestamp) -> QueryResult<()> {
    forget_codes(db, user)?;
    on!(db, |c| diesel::delete(totp::table.find(Sql(user))).execute(c))?;
    user::set_totp(db, user, false, now)
}

/// Uses the code up if it is good, and counts it if it is wrong: commit either.
pub fn check(db: &mut Db, vault: &Vault, user: UserId, proof: &Proof, now: Timestamp) -> Result<Checked, Error> {
    let row = find(db, user)?.ok_or_else(|| Error::Defect(format!("the user {user} has no authenticator app")))?;
    if let Some(Sql(until)) = row.paused_until.filter(|until| until.0 > now) {
        return Ok(Checked::Paused(Paused(until.since(now))));
    }
    let good = match proof {
        Proof::Code(code) => {
            let bytes = vault.open(Place::Totp(user.as_bytes()), &row.secret)?;
            let secret = TotpSecret::from_bytes(&bytes);
            let secret = secret.ok_or_else(|| Error::Defect("a TOTP secret has a wrong length".to_owned()))?;
            let step = secret.step_of(code.expose(), now)?.filter(|step| *step > row.last_step);
            if let Some(step) = step {
                on!(db, |c| diesel::update(totp::table.find(Sql(user))).set(totp::last_step.eq(step)).execute(c))?;
            }
            step.is_some()
        }
        Proof::RecoveryCode(code) => {
            let hash = recovery_code::hash(code.expose());
            let code = recovery_codes::table.find((Sql(user), hash.as_slice()));
            on!(db, |c| diesel::delete(code).execute(c))? == 1
        }
    };
    let failures = if good { 0 } else { row.failures + 1 };
    let paused = failures >= MAX_TRIES;
    let count = (
        totp::failures.eq(if paused { 0 } else { failures }),
        totp::paused_until.eq(paused.then(|| Sql(now.plus(PAUSE)))),
    );
    on!(db, |c| diesel::update(totp::table.find(Sql(user))).set(count).execute(c))?;
    Ok(if good { Checked::Good } else { Checked::Wrong })
}

fn find(db: &mut Db, user: UserId) -> QueryResult<Option<Row>> {
    on!(db, |c| totp::table.find(Sql(user)).select(Row::as_select()).first(c).optional())
}

fn forget_codes(db: &mut Db, user: UserId) -> QueryResult<()> {
    let codes = recovery_codes::table.filter(recovery_codes::user_id.eq(Sql(user)));
    on!(db, |c| diesel::delete(codes).execute(c))?;
    Ok(())
}
