//! What the other services report, and what they ask.

use super::Authority;
use super::access::relation;
use super::members::record_joined;
use crate::domain::email;
use crate::store::ended_sessions::SessionId;
use crate::store::{accounts, assignments, ended_sessions, invitations, organisations, snapshots};
use crate::{Error, Result, reviews};
use access::{AsOf, Call, PermissionSet};
use audit::{Action, Actor, Entry};
use callfairy_core::{Problem, User, UserId};
use db::{Db, Sql};
use proto::rpc::authority as rpc;
use proto::tenancy::{AccessChanges, AccessSnapshot, GetRolesResponse, UserRole};
use proto::types::Empty;
use std::time::Duration;

impl access::Authority for Authority {
    async fn report_account(&self, call: Call<rpc::ReportAccount>) -> Result<Empty, Problem> {
        let fact = call.request;
        let row = accounts::AccountRow {
            user_id: Sql(super::id("user_id", &fact.user_id)?),
            version: fact.version,
            folded_email: email::fold(&fact.email),
            email: fact.email,
            name: fact.name,
            is_active: fact.is_active,
            is_superadmin: fact.is_superadmin,
        };
        let ended: Vec<SessionId> = super::ids("ended_sessions", &fact.ended_sessions)?;
        let now = self.0.clock.now();
        let report = move |db: &mut Db| -> Result<()> {
            invitations::lock(db, &row.folded_email)?;
            let is_news = accounts::report(db, &row)?;
            if is_news && row.is_active {
                let joined = invitations::accept(db, row.user_id.0, &row.folded_email, now)?;
                record_joined(db, &Entry::new(Actor::System, Action::MemberAdded), &joined, now)?;
            }
            if is_news && !row.is_active {
                reviews::of_user(db, row.user_id.0)?;
            }
            Ok(ended_sessions::add(db, &ended, now)?)
        };
        self.0.of_everyone().write(report).await?;
        Ok(Empty {})
    }

    async fn report_assignment(&self, call: Call<rpc::ReportAssignment>) -> Result<Empty, Problem> {
        let fact = call.request;
        let permissions: PermissionSet = fact.permissions().collect();
        let row = assignments::AssignmentRow {
            assignment_id: Sql(super::id("assignment_id", &fact.assignment_id)?),
            version: fact.version,
            user_id: Sql(super::id("user_id", &fact.user_id)?),
            organisation_id: Sql(super::id("organisation_id", &fact.organisation_id)?),
            is_active: fact.is_active,
            permissions: permissions.bits().cast_signed(),
        };
        let report = move |db: &mut Db| -> Result<()> {
            assignments::report(db, &row)?;
            // Assigned at the moment in which one end of it was deactivated.
            let (user, organisation) = (row.user_id.0, row.organisation_id.0);
            let is_inactive = |is_active: Option<bool>| is_active == Some(false);
            let account = accounts::find_all(db, &[user])?.get(&user).map(|account| account.is_active);
            let standing = organisations::find_standing(db, organisation)?.map(|standing| standing.is_active);
            if row.is_active && (is_inactive(account) || is_inactive(standing)) {
                reviews::of_user(db, user)?;
            }
            Ok(())
        };
        self.0.pool.write(report).await?;
        Ok(Empty {})
    }

    async fn get_access(&self, call: Call<rpc::GetAccess>) -> Result<AccessSnapshot, Problem> {
        let user = super::id("user_id", &call.request.user_id)?;
        let organisation = match call.request.organisation_id.as_str() {
            "" => None,
            id => Some(super::id("organisation_id", id)?),
        };
        let session = match call.request.session_id.as_str() {
            "" => None,
            id => Some(super::id("session_id", id)?),
        };
        let read = move |db: &mut Db| Ok::<_, Error>(snapshots::as_of_now(db, user, session, organisation)?);
        let AsOf { number, value: snapshot } = self.0.of_everyone().read(read).await?;
        Ok(AccessSnapshot {
            user_is_active: snapshot.user_is_active,
            is_superadmin: snapshot.is_superadmin,
            organisation_exists: snapshot.organisation_exists,
            relation: relation(snapshot.relation).into(),
            permissions: snapshot.permissions.bits(),
            as_of: number,
        })
    }

    async fn get_roles(&self, call: Call<rpc::GetRoles>) -> Result<GetRolesResponse, Problem> {
        let users: Vec<UserId> = super::ids::<User>("user_ids", &call.request.user_ids)?;
        let roles = move |db: &mut Db| -> Result<_> {
            let facts = snapshots::facts_of(db, &users)?;
            let known = facts.into_iter().filter(|(_, facts)| facts.account.is_some());
            let roles = known.map(|(user, facts)| UserRole { user_id: user.to_string(), role: facts.role().into() });
            Ok(GetRolesResponse { roles: roles.collect() })
        };
        Ok(self.0.pool.read(roles).await?)
    }

    async fn follow_access(&self, call: Call<rpc::FollowAccess>) -> Result<AccessChanges, Problem> {
        let wait = Duration::from_millis(call.request.wait_milliseconds.into());
        let told = self.0.changes_after(call.request.after, wait).await?;
        let subjects = told.subjects.iter().flatten().map(ToString::to_string).collect();
        Ok(AccessChanges { head: told.head, subjects, forget_all: told.subjects.is_none() })
    }
}
