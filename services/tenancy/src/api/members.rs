//! The people of an organisation.

use super::Members;
use crate::Result;
use crate::domain::access::{Organisation, Standing, UserFacts, in_organisation, standing};
use crate::domain::email;
use crate::domain::explanation::{Explanation, explain};
use crate::domain::text::line;
use crate::relay;
use crate::store::invitations::{self, InvitationId, InvitationRow};
use crate::store::members::{self as store, Member as ListedMember, MemberPatch, MemberRow};
use crate::store::{accounts, organisations, snapshots};
use access::{Call, OrgScope};
use audit::{Action, Entry, Subject};
use callfairy_core::{Page, Problem, Timestamp, UserId};
use db::{Db, Sql, idempotency};
use proto::auth::{MembershipNews, SendMembershipMailRequest};
use proto::rpc::members as rpc;
use proto::tenancy::{AccessExplanation, ListMembersResponse, Member, UpdateMemberRequest};
use proto::types::{Detail, Empty};

impl access::Members for Members {
    async fn list_members(&self, call: Call<rpc::ListMembers>) -> Result<ListMembersResponse, Problem> {
        let scope = *call.scope();
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let list = move |db: &mut Db| -> Result<_> {
            let mut rows = store::page(db, &scope, &page)?;
            let next_page_token = page.cut(&mut rows, ListedMember::page_key);
            let users: Vec<UserId> = rows.iter().map(|row| row.user_id).collect();
            let (facts, organisation) =
                (snapshots::facts_of(db, &users)?, organisations::find_standing(db, scope.organisation_id())?);
            let member = |row: ListedMember| {
                let facts = facts.get(&row.user_id).copied().unwrap_or_default();
                message(row, &facts, organisation)
            };
            Ok(ListMembersResponse { members: rows.into_iter().map(member).collect(), next_page_token })
        };
        Ok(self.0.of(&scope).read(list).await?)
    }

    async fn add_member(&self, call: Call<rpc::AddMember>) -> Result<Detail, Problem> {
        let (once, now, scope) = (call.once_key(), self.0.clock.now(), *call.scope());
        let invited = Entry::of(&call, Action::MemberInvited).within(scope.organisation_id());
        let added = Entry::of(&call, Action::MemberAdded);
        let trace = call.trace().clone();
        let row = InvitationRow {
            id: Sql(InvitationId::new()),
            organisation_id: Sql(scope.organisation_id()),
            folded_email: email::fold(&call.request.email),
            invited_by: Sql(call.user()?.id),
            name: line("name", &call.request.name)?,
            email: call.request.email,
            created_at: Sql(now),
            expires_at: Sql(invitations::expires_at(now)),
        };
        let add = move |db: &mut Db| -> Result<_> {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                // Invited in any case, so that nothing but the list tells who has an account.
                invitations::lock(db, &row.folded_email)?;
                invitations::put(db, &row)?;
                audit::record(db, &invited, now)?;
                let news = if let Some(user) = accounts::active_with_address(db, &row.folded_email)? {
                    let joined = invitations::accept(db, user, &row.folded_email, now)?;
                    record_joined(db, &added, &joined, now)?;
                    let is_new = joined.iter().any(|joined| joined.organisation_id.0 == row.organisation_id.0);
                    is_new.then_some(MembershipNews::Added)
                } else {
                    Some(MembershipNews::Invited)
                };
                if let Some(news) = news {
                    let mail = relay::mail(&mail(db, &scope, &row, news)?, &trace);
                    db::outbox::add(db, mail)?;
                }
                Ok(Detail { detail: "whoever owns this address becomes a member with an active account".to_owned() })
            })
        };
        Ok(self.0.of(&scope).write(add).await?)
    }

    async fn update_member(&self, call: Call<rpc::UpdateMember>) -> Result<Member, Problem> {
        let (scope, user, now) = (*call.scope(), super::id("user_id", &call.request.user_id)?, self.0.clock.now());
        let entry = Entry::of(&call, Action::MemberChanged).about(Subject::User, user).within(scope.organisation_id());
        let UpdateMemberRequest { name, job_title, phone, .. } = call.request;
        let own = |field, text: Option<String>| text.map(|text| line(field, &text)).transpose();
        let patch = MemberPatch {
            name: own("name", name)?,
            job_title: own("job_title", job_title)?,
            phone: own("phone", phone)?,
        };
        let entry = entry.with("fields", patch.fields());
        let update = move |db: &mut Db| -> Result<_> {
            if patch != MemberPatch::default() && store::update(db, &scope, user, &patch)? {
                audit::record(db, &entry, now)?;
            }
            let row = store::find(db, &scope, user)?.ok_or_else(Problem::not_found)?;
            let organisation = organisations::find_standing(db, scope.organisation_id())?;
            Ok(message(row, &snapshots::facts(db, user)?, organisation))
        };
        Ok(self.0.of(&scope).write(update).await?)
    }

    async fn remove_member(&self, call: Call<rpc::RemoveMember>) -> Result<Empty, Problem> {
        let (scope, user) = (*call.scope(), super::id("user_id", &call.request.user_id)?);
        let entry = Entry::of(&call, Action::MemberRemoved).about(Subject::User, user).within(scope.organisation_id());
        let now = self.0.clock.now();
        let remove = move |db: &mut Db| -> Result<_> {
            let removed = store::remove(db, &scope, user)?;
            if removed {
                audit::record(db, &entry, now)?;
            }
            Ok(removed)
        };
        let removed = self.0.of(&scope).write(remove).await?;
        if removed { Ok(Empty {}) } else { Err(Problem::not_found()) }
    }

    async fn explain_access(&self, call: Call<rpc::ExplainAccess>) -> Result<AccessExplanation, Problem> {
        let (scope, user) = (*call.scope(), super::id("user_id", &call.request.user_id)?);
        let (permission, is_superadmin) = (call.request.permission(), call.is_superadmin());
        let explanation = move |db: &mut Db| -> Result<_> {
            let id = scope.organisation_id();
            let organisation = organisations::find_standing(db, id)?.ok_or_else(Problem::not_found)?;
            let (facts, is_member) = (snapshots::facts(db, user)?, store::contains(db, id, user)?);
            // Of strangers the organisation is told nothing, not even that they exist.
            let is_stranger = !is_member && !matches!(standing(&facts, organisation, is_member), Standing::Agent(_));
            if is_stranger && !is_superadmin {
                return Err(Problem::not_found().into());
            }
            Ok(explain(&facts, organisation, is_member, permission))
        };
        let Explanation { allowed, because } = self.0.of(&scope).read(explanation).await?;
        Ok(AccessExplanation { allowed, because })
    }
}

/// With a copy of all that it says: the invitation is gone when it is accepted.
fn mail(db: &mut Db, scope: &OrgScope, row: &InvitationRow, news: MembershipNews) -> Result<SendMembershipMailRequest> {
    let organisation = organisations::find(db, scope)?.ok_or_else(Problem::not_found)?;
    Ok(SendMembershipMailRequest {
        id: row.id.to_string(),
        news: news.into(),
        email: row.email.clone(),
        name: row.name.clone(),
        organisation_name: organisation.name,
        invited_by_name: accounts::name(db, row.invited_by.0)?.unwrap_or_default(),
        expires_at: Some(row.expires_at.0.into()),
    })
}

fn message(row: ListedMember, facts: &UserFacts, organisation: Option<Organisation>) -> Member {
    let snapshot = in_organisation(facts, organisation, true);
    Member {
        user_id: row.user_id.to_string(),
        name: row.name().to_owned(),
        email: row.email,
        role: facts.role().into(),
        joined_at: Some(row.joined_at.into()),
        permissions: snapshot.permissions.iter().map(Into::into).collect(),
        job_title: row.job_title,
        phone: row.phone,
    }
}

/// Records who became a member, and by whose invitation.
pub(super) fn record_joined(db: &mut Db, entry: &Entry, joined: &[MemberRow], now: Timestamp) -> Result<()> {
    for row in joined {
        let entry = entry.clone().about(Subject::User, row.user_id.0).within(row.organisation_id.0);
        audit::record(db, &entry.with("invited_by", row.added_by.0), now)?;
    }
    Ok(())
}
