//! Accounts.

use super::schema::users;
use crate::domain::email::Email;
use crate::relay;
use callfairy_core::{Page, Timestamp, UserId};
use db::{Db, Sql, on, outbox};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct UserRow {
    pub id: Sql<UserId>,
    pub email: String,
    pub email_folded: String,
    search_text: String,
    pub name: String,
    pub company: Option<String>,
    pub job_title: Option<String>,
    pub phone: Option<String>,
    pub password_hash: String,
    pub is_superadmin: bool,
    pub is_active: bool,
    pub email_verified_at: Option<Sql<Timestamp>>,
    pub version: i64,
    pub created_at: Sql<Timestamp>,
    pub updated_at: Sql<Timestamp>,
    pub totp_enabled_at: Option<Sql<Timestamp>>,
}

impl UserRow {
    /// An account that nobody has proven to own yet.
    pub fn new(email: &Email, registration: &Registration, now: Timestamp) -> Self {
        let Registration { name, company, job_title, phone, password_hash } = registration.clone();
        Self {
            id: Sql(UserId::new()),
            email: email.given.clone(),
            email_folded: email.folded.clone(),
            search_text: search_text(&name, &email.given),
            name,
            company,
            job_title,
            phone,
            password_hash,
            is_superadmin: false,
            is_active: true,
            email_verified_at: None,
            version: 1,
            created_at: Sql(now),
            updated_at: Sql(now),
            totp_enabled_at: None,
        }
    }

    pub fn is_verified(&self) -> bool {
        self.email_verified_at.is_some()
    }

    /// Whether signing in asks for a code.
    pub fn has_totp(&self) -> bool {
        self.totp_enabled_at.is_some()
    }

    /// Whether its owner can sign in.
    pub fn counts(&self) -> bool {
        self.is_active && self.is_verified()
    }
}

/// Says who, never their password's hash.
impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow").field("id", &self.id).field("version", &self.version).finish_non_exhaustive()
    }
}

/// What somebody wrote when registering.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub name: String,
    pub company: Option<String>,
    pub job_title: Option<String>,
    pub phone: Option<String>,
    pub password_hash: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("name", &self.name).finish_non_exhaustive()
    }
}

fn search_text(name: &str, email: &str) -> String {
    format!("{}\n{}", db::fold(name), db::fold(email))
}

pub fn find(db: &mut Db, id: UserId) -> QueryResult<Option<UserRow>> {
    on!(db, |c| users::table.find(Sql(id)).select(UserRow::as_select()).first(c).optional())
}

/// The account, which nobody else changes or signs in to until the transaction ends. SQLite has one writer anyway.
pub fn lock(db: &mut Db, id: UserId) -> QueryResult<Option<UserRow>> {
    let row = users::table.find(Sql(id));
    match db {
        Db::Postgres(c) => row.select(UserRow::as_select()).for_update().first(c).optional(),
        Db::Sqlite(c) => row.select(UserRow::as_select()).first(c).optional(),
    }
}

/// `folded` as [`Email::folded`].
pub fn find_by_email(db: &mut Db, folded: &str) -> QueryResult<Option<UserRow>> {
    on!(db, |c| users::table.filter(users::email_folded.eq(folded)).select(UserRow::as_select()).first(c).optional())
}

/// Unknown ids are left out.
pub fn find_all(db: &mut Db, ids: &[UserId]) -> QueryResult<Vec<UserRow>> {
    let ids = ids.iter().copied().map(Sql);
    on!(db, |c| users::table.filter(users::id.eq_any(ids)).select(UserRow::as_select()).load(c))
}

/// Answers whether it was put in: not if the address is known.
pub fn insert(db: &mut Db, row: &UserRow) -> QueryResult<bool> {
    let inserted = on!(db, |c| diesel::insert_into(users::table)
        .values(row)
        .on_conflict(users::email_folded)
        .do_nothing()
        .execute(c))?;
    Ok(inserted == 1)
}

/// The same password's other hash, unless the password was changed meanwhile.
pub fn hash_anew(db: &mut Db, id: UserId, old: &str, new: &str) -> QueryResult<()> {
    let unchanged = users::table.find(Sql(id)).filter(users::password_hash.eq(old));
    on!(db, |c| diesel::update(unchanged).set(users::password_hash.eq(new)).execute(c)).map(|_| ())
}

pub fn has_superadmin(db: &mut Db) -> QueryResult<bool> {
    on!(db, |c| diesel::select(diesel::dsl::exists(users::table.filter(users::is_superadmin))).get_result(c))
}

/// Whether anybody can operate the platform.
pub fn has_active_superadmin(db: &mut Db) -> QueryResult<bool> {
    let able = users::table
        .filter(users::is_superadmin)
        .filter(users::is_active)
        .filter(users::email_verified_at.is_not_null());
    on!(db, |c| diesel::select(diesel::dsl::exists(able)).get_result(c))
}

/// The address is proven. The registration whose link was followed is the one that counts. Answers whether that
/// changed anything: an account that was verified before stays as it is.
pub fn verify(
    db: &mut Db,
    id: UserId,
    email: &str,
    registration: Option<Registration>,
    now: Timestamp,
) -> QueryResult<bool> {
    let unverified = users::table.find(Sql(id)).filter(users::email_verified_at.is_null());
    let verified =
        (users::email_verified_at.eq(Sql(now)), users::version.eq(users::version + 1), users::updated_at.eq(Sql(now)));
    let changed = on!(db, |c| diesel::update(unverified).set(verified).execute(c))?;
    if changed == 0 {
        return Ok(false);
    }
    if let Some(Registration { name, company, job_title, phone, password_hash }) = registration {
        let owned = (
            users::search_text.eq(search_text(&name, email)),
            users::name.eq(name),
            users::company.eq(company),
            users::job_title.eq(job_title),
            users::phone.eq(phone),
            users::password_hash.eq(password_hash),
        );
        on!(db, |c| diesel::update(users::table.find(Sql(id))).set(owned).execute(c))?;
    }
    report(db, id)?;
    Ok(true)
}

/// New values of an account: `None` leaves the old one, an empty text removes it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Not empty.
    pub name: Option<String>,
    pub company: Option<String>,
    pub job_title: Option<String>,
    pub phone: Option<String>,
    pub is_active: Option<bool>,
    pub is_superadmin: Option<bool>,
}

/// Changes an account, and answers what it is now; `None` if there is no such account.
pub fn change(db: &mut Db, id: UserId, changes: &Changes, now: Timestamp) -> QueryResult<Option<UserRow>> {
    let Some(old) = lock(db, id)? else { return Ok(None) };
    let name = changes.name.as_ref().unwrap_or(&old.name);
    let new = |change: &Option<String>, old: Option<String>| match change {
        Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        None => old,
    };
    let changed = (
        users::name.eq(name),
        users::search_text.eq(search_text(name, &old.email)),
        users::company.eq(new(&changes.company, old.company)),
        users::job_title.eq(new(&changes.job_title, old.job_title)),
        users::phone.eq(new(&changes.phone, old.phone)),
        users::is_active.eq(changes.is_active.unwrap_or(old.is_active)),
        users::is_superadmin.eq(changes.is_superadmin.unwrap_or(old.is_superadmin)),
        users::version.eq(users::version + 1),
        users::updated_at.eq(Sql(now)),
    );
    on!(db, |c| diesel::update(users::table.find(Sql(id))).set(changed).execute(c))?;
    report(db, id)?;
    find(db, id)
}

pub fn set_password(db: &mut Db, id: UserId, password_hash: &str, now: Timestamp) -> QueryResult<()> {
    let new = (users::password_hash.eq(password_hash), users::updated_at.eq(Sql(now)));
    on!(db, |c| diesel::update(users::table.find(Sql(id))).set(new).execute(c))?;
    Ok(())
}

/// From now on signing in asks for a code, or no longer.
pub fn set_totp(db: &mut Db, id: UserId, enabled: bool, now: Timestamp) -> QueryResult<()> {
    let new = (users::totp_enabled_at.eq(enabled.then_some(Sql(now))), users::updated_at.eq(Sql(now)));
    on!(db, |c| diesel::update(users::table.find(Sql(id))).set(new).execute(c))?;
    Ok(())
}

/// Lets the authority on access know of a change, in the change's own transaction.
pub fn report(db: &mut Db, id: UserId) -> QueryResult<()> {
    let payload = serde_json::json!({ "user_id": id });
    outbox::add(db, outbox::Outgoing::new(relay::ACCOUNT_FACT, payload).about(id))?;
    Ok(())
}

/// The key of a list of users: newest first.
pub type Key = (Timestamp, UserId);

/// Which users a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of the name or the address; empty: all.
    pub search: String,
    pub is_active: Option<bool>,
}

pub fn list(db: &mut Db, filter: &Filter, page: &Page<Key>) -> QueryResult<Vec<UserRow>> {
    let search = db::fold(filter.search.trim());
    on!(db, |c| {
        let mut query = users::table.into_boxed();
        if !search.is_empty() {
            query = query.filter(users::search_text.like(db::contains(&search)).escape('\\'));
        }
        if let Some(is_active) = filter.is_active {
            query = query.filter(users::is_active.eq(is_active));
        }
        if let Some((at, id)) = page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(users::created_at.le(Sql(at)));
            query = query.filter(users::created_at.lt(Sql(at)).or(users::id.lt(Sql(id))));
        }
        query
            .order((users::created_at.desc(), users::id.desc()))
            .limit(page.limit())
            .select(UserRow::as_select())
            .load(c)
    })
}
