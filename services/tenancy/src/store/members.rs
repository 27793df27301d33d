//! Who is a member of which organisation.

use super::schema::{accounts, members};
use access::OrgScope;
use callfairy_core::{OrganisationId, Page, Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::collections::HashSet;

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = members)]
pub struct MemberRow {
    pub organisation_id: Sql<OrganisationId>,
    pub user_id: Sql<UserId>,
    pub joined_at: Sql<Timestamp>,
    pub added_by: Sql<UserId>,
}

/// A member, for showing.
#[derive(Debug, Clone, Queryable)]
pub struct Member {
    pub user_id: UserId,
    own_name: Option<String>,
    account_name: String,
    pub email: String,
    pub joined_at: Timestamp,
    pub job_title: Option<String>,
    pub phone: Option<String>,
}

/// What the organisation calls a member: `None` leaves it, an empty text removes it.
#[derive(Debug, Default, PartialEq)]
pub struct MemberPatch {
    pub name: Option<String>,
    pub job_title: Option<String>,
    pub phone: Option<String>,
}

impl MemberPatch {
    /// The names of those that it sets.
    pub fn fields(&self) -> Vec<&'static str> {
        let Self { name, job_title, phone } = self;
        let fields = [("name", name.is_some()), ("job_title", job_title.is_some()), ("phone", phone.is_some())];
        fields.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
    }
}

/// The key of a list's row: those who joined first come first.
pub type PageKey = (Timestamp, UserId);

impl Member {
    pub fn page_key(&self) -> PageKey {
        (self.joined_at, self.user_id)
    }

    /// As the organisation has it, else as the account has it.
    pub fn name(&self) -> &str {
        self.own_name.as_deref().unwrap_or(&self.account_name)
    }
}

/// Who is a member stays one, since when and by whom they were. Answers those who were not.
pub fn put(db: &mut Db, rows: Vec<MemberRow>) -> QueryResult<Vec<MemberRow>> {
    let mut new = Vec::new();
    // One by one: there is rarely more than one.
    for row in rows {
        let put = on!(db, |c| diesel::insert_into(members::table).values(&row).on_conflict_do_nothing().execute(c))?;
        if put == 1 {
            new.push(row);
        }
    }
    Ok(new)
}

/// Answers whether there was such a member.
pub fn remove(db: &mut Db, scope: &OrgScope, user: UserId) -> QueryResult<bool> {
    let member = members::table.find((Sql(scope.organisation_id()), Sql(user)));
    Ok(on!(db, |c| diesel::delete(member).execute(c))? == 1)
}

/// Answers whether there is such a member. The patch changes something.
pub fn update(db: &mut Db, scope: &OrgScope, user: UserId, patch: &MemberPatch) -> QueryResult<bool> {
    let member = members::table.find((Sql(scope.organisation_id()), Sql(user)));
    let kept = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let changed = (
        patch.name.as_deref().map(|text| members::name.eq(kept(text))),
        patch.job_title.as_deref().map(|text| members::job_title.eq(kept(text))),
        patch.phone.as_deref().map(|text| members::phone.eq(kept(text))),
    );
    Ok(on!(db, |c| diesel::update(member).set(changed).execute(c))? == 1)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn shown(organisation: OrganisationId) -> _ {
    let organisation: Sql<OrganisationId> = Sql(organisation);
    members::table
        .inner_join(accounts::table.on(accounts::user_id.eq(members::user_id)))
        .filter(members::organisation_id.eq(organisation))
        .select((
            members::user_id,
            members::name,
            accounts::name,
            accounts::email,
            members::joined_at,
            members::job_title,
            members::phone,
        ))
}

pub fn find(db: &mut Db, scope: &OrgScope, user: UserId) -> QueryResult<Option<Member>> {
    let member = shown(scope.organisation_id()).filter(members::user_id.eq(Sql(user)));
    on!(db, |c| member.first(c).optional())
}

pub fn page(db: &mut Db, scope: &OrgScope, page: &Page<PageKey>) -> QueryResult<Vec<Member>> {
    on!(db, |c| {
        let mut query = shown(scope.organisation_id()).into_boxed();
        if let Some((joined_at, user)) = page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(members::joined_at.ge(Sql(joined_at)));
            query = query.filter(members::joined_at.gt(Sql(joined_at)).or(members::user_id.gt(Sql(user))));
        }
        query.order((members::joined_at, members::user_id)).limit(page.limit()).load(c)
    })
}

/// Whether somebody is a member of any organisation: for the rules.
pub fn contains(db: &mut Db, organisation: OrganisationId, user: UserId) -> QueryResult<bool> {
    let member = members::table.find((Sql(organisation), Sql(user)));
    on!(db, |c| diesel::select(diesel::dsl::exists(member)).get_result(c))
}

/// Those of the organisations that the user is a member of.
pub fn joined_among(
    db: &mut Db,
    user: UserId,
    organisations: &[OrganisationId],
) -> QueryResult<HashSet<OrganisationId>> {
    let rows: Vec<OrganisationId> = on!(db, |c| members::table
        .filter(members::user_id.eq(Sql(user)))
        .filter(members::organisation_id.eq_any(organisations.iter().copied().map(Sql)))
        .select(members::organisation_id)
        .load(c))?;
    Ok(rows.into_iter().collect())
}
