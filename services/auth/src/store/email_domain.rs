//! The domains whose addresses may make accounts.

use super::schema::allowed_email_domains;
use crate::domain::email::Email;
use crate::domain::email_domain::EmailDomain;
use callfairy_core::{Page, Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::dsl::exists;
use diesel::prelude::*;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = allowed_email_domains)]
pub struct AllowedRow {
    pub domain: String,
    pub created_at: Sql<Timestamp>,
    pub created_by: Sql<UserId>,
}

/// The key of a list of domains: by name.
pub type Key = String;

/// Whether the address may make an account. While no domain is on the list, every one may.
pub fn allows(db: &mut Db, email: &Email) -> QueryResult<bool> {
    if let Some(domain) = EmailDomain::of(email) {
        let listed = allowed_email_domains::table.find(domain.as_str());
        if on!(db, |c| diesel::select(exists(listed)).get_result(c))? {
            return Ok(true);
        }
    }
    let is_shut: bool =
        on!(db, |c| diesel::select(exists(allowed_email_domains::table.select(allowed_email_domains::domain)))
            .get_result(c))?;
    Ok(!is_shut)
}

/// Puts it on the list, where it may be already; answers how it stands there, and whether it is new.
pub fn allow(db: &mut Db, domain: &EmailDomain, by: UserId, now: Timestamp) -> QueryResult<(AllowedRow, bool)> {
    let row = AllowedRow { domain: domain.as_str().to_owned(), created_at: Sql(now), created_by: Sql(by) };
    let added = on!(db, |c| diesel::insert_into(allowed_email_domains::table)
        .values(&row)
        .on_conflict(allowed_email_domains::domain)
        .do_nothing()
        .execute(c))?;
    let listed = allowed_email_domains::table.find(domain.as_str());
    Ok((on!(db, |c| listed.select(AllowedRow::as_select()).first(c))?, added == 1))
}

/// Answers whether it was on the list.
pub fn disallow(db: &mut Db, domain: &EmailDomain) -> QueryResult<bool> {
    let listed = allowed_email_domains::table.find(domain.as_str());
    Ok(on!(db, |c| diesel::delete(listed).execute(c))? == 1)
}

pub fn list(db: &mut Db, page: &Page<Key>) -> QueryResult<Vec<AllowedRow>> {
    on!(db, |c| {
        let mut query = allowed_email_domains::table.into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(allowed_email_domains::domain.gt(after));
        }
        query.order(allowed_email_domains::domain).limit(page.limit()).select(AllowedRow::as_select()).load(c)
    })
}
