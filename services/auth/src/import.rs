//! Accounts that come from another system.

use crate::Error;
use crate::domain::email::Email;
use crate::domain::password_hash;
use crate::store::user::{self, Registration, UserRow};
use audit::{Action, Actor, Entry};
use callfairy_core::{Problem, Timestamp};
use db::{Db, Pool, Sql};
use serde::Deserialize;

/// Accounts that one transaction makes.
const BATCH: usize = 500;
/// Of a name, in characters.
const MAX_NAME: usize = 200;

/// An account as Django's table has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DjangoUser {
    pub email: String,
    #[serde(default)]
    pub name: String,
    /// `pbkdf2_sha256$…`, `argon2$argon2id$…`, or an unusable one: `!…` or nothing.
    pub password: HashedPassword,
    /// `superadmin`, `agent` or `user`. Who manages which organisation is assigned anew: a role follows from that.
    pub role: DjangoRole,
    pub is_active: bool,
    pub date_joined: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DjangoRole {
    SuperAdmin,
    Agent,
    User,
}

/// Not for logs: with enough time a password comes out of its hash.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct HashedPassword(String);

impl std::fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashedPassword")
    }
}

/// What became of the accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersImported {
    pub made: usize,
    /// Addresses that have an account already; it stays as it is.
    pub known: Vec<String>,
    /// The place in the list, counted from 1, and what is wrong with it.
    pub refused: Vec<(usize, String)>,
}

/// Makes the accounts, whose addresses count as verified: their owners signed in with them before. Running it again makes
/// those that are missing. With `only_check` nothing is made, and `made` tells how many would be, known ones included.
///
/// tenancy hears of them from a running auth within seconds. Passwords are hashed our way at their first sign-in.
pub async fn import_users(
    pool: &Pool,
    users: Vec<DjangoUser>,
    only_check: bool,
    now: Timestamp,
) -> Result<UsersImported, Error> {
    let (mut result, mut rows) = (UsersImported::default(), Vec::with_capacity(users.len()));
    for (at, user) in users.into_iter().enumerate() {
        match row(&user, now) {
            Ok(row) => rows.push(row),
            Err(problem) => result.refused.push((at + 1, problem.detail)),
        }
    }
    if only_check {
        result.made = rows.len();
        return Ok(result);
    }
    for batch in rows.chunks(BATCH) {
        let batch = batch.to_vec();
        let insert = move |db: &mut Db| {
            let mut known = vec![];
            for row in &batch {
                if user::insert(db, row)? {
                    user::report(db, row.id.0)?;
                } else {
                    known.push(row.email.clone());
                }
            }
            let made = batch.len() - known.len();
            if made > 0 {
                let entry = Entry::new(Actor::System, Action::UsersImported);
                audit::record(db, &entry.with("count", made as u64), now)?;
            }
            Ok::<_, Error>((made, known))
        };
        let (made, known) = pool.write(insert).await?;
        result.made += made;
        result.known.extend(known);
    }
    Ok(result)
}

fn row(user: &DjangoUser, now: Timestamp) -> Result<UserRow, Problem> {
    let email = Email::parse(&user.email)?;
    let hash = password_hash::of_django(&user.password.0);
    let password_hash = hash.map_err(|error| Problem::field("password", error.to_string()))?;
    // Some never said what they are called.
    let name = if user.name.trim().is_empty() { email.local_part() } else { user.name.trim() };
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::field("name", format!("is longer than {MAX_NAME} characters, or more than a line")));
    }
    if user.date_joined > now {
        return Err(Problem::field("date_joined", "lies ahead"));
    }
    let registration =
        Registration { name: name.to_owned(), company: None, job_title: None, phone: None, password_hash };
    let mut row = UserRow::new(&email, &registration, now);
    row.created_at = Sql(user.date_joined);
    row.is_superadmin = user.role == DjangoRole::SuperAdmin;
    row.is_active = user.is_active;
    row.email_verified_at = Some(Sql(user.date_joined));
    Ok(row)
}
