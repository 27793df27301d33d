//! Agent assignments.

use super::{Agents, State};
use crate::domain::packages::{self, DEFAULT};
use crate::facts;
use crate::neighbours::Names;
use crate::store::assignments::{self, AssignmentId, AssignmentRow, Filter};
use crate::{Error, Result};
use access::{Call, PermissionSet};
use audit::{Action, Entry, Subject};
use callfairy_core::{OrganisationId, Page, Problem, Timestamp, UserId};
use db::{Db, Sql, idempotency};
use proto::agent::{Agent, ListAgentsResponse, RevokeAgentResponse};
use proto::rpc::agents as rpc;

/// How often an assignment is tried, when another one of the same user or organisation commits first each time.
const ATTEMPTS: u32 = 5;
const FIRST_VERSION: i64 = 1;

impl access::Agents for Agents {
    async fn list_agents(&self, call: Call<rpc::ListAgents>) -> Result<ListAgentsResponse, Problem> {
        let request = call.request;
        let page = Page::parse(request.page_size, &request.page_token)?;
        let filter = Filter {
            active: request.active.unwrap_or(true),
            user: super::optional_id("user_id", &request.user_id)?,
            organisation: super::optional_id("organisation_id", &request.organisation_id)?,
        };
        let list = move |db: &mut Db| -> Result<_> {
            let mut rows = assignments::page(db, filter, &page)?;
            let next_page_token = page.cut(&mut rows, AssignmentRow::page_key);
            Ok((rows, next_page_token))
        };
        let State { pool, neighbours, .. } = &self.0;
        let (rows, next_page_token) = pool.read(list).await?;
        let names = neighbours.names(&rows).await?;
        Ok(ListAgentsResponse { agents: rows.iter().map(|row| message(row, &names)).collect(), next_page_token })
    }

    async fn assign_agent(&self, call: Call<rpc::AssignAgent>) -> Result<Agent, Problem> {
        let once = call.once_key();
        let list: Vec<_> = call.request.permissions().collect();
        let asked = packages::asked(call.request.package(), &list)?;
        let wanted = Wanted {
            user: super::id("user_id", &call.request.user_id)?,
            organisation: super::id("organisation_id", &call.request.organisation_id)?,
            permissions: asked.or_else(|| packages::permissions(DEFAULT)).unwrap_or_default(),
            by: call.user()?.id,
        };
        let assigned = Entry::of(&call, Action::AgentAssigned).with("permissions", wanted.permissions);
        let replaced = Entry::of(&call, Action::AgentReplaced);
        let State { pool, clock, neighbours, reporter } = &self.0;
        let (clock, names) = (clock.clone(), neighbours.assignable(wanted.user, wanted.organisation).await);
        let assign = move |db: &mut Db| -> Result<_> {
            let mut touched = Vec::new();
            let agent = idempotency::answer(db, &once, clock.now(), |db| -> Result<_> {
                // Asked before, looked at only now: what was done for this key, was done.
                let names = names.as_ref().map_err(Problem::clone)?;
                let now = clock.now();
                let (ended, row) = replace(db, wanted, now)?;
                for old in &ended {
                    audit::record(db, &about(&replaced, old).with("replaced_by", row.id.0), now)?;
                }
                audit::record(db, &about(&assigned, &row), now)?;
                touched = ended.iter().chain([&row]).map(|row| row.id.0).collect();
                facts::enqueue(db, &touched)?;
                Ok(message(&row, names))
            })?;
            if touched.is_empty() {
                // Answered as the first time, which may have ended before tenancy was told.
                touched.push(super::id("id", &agent.id)?);
            }
            Ok((agent, touched))
        };
        let (agent, touched) = pool.write(assign).await?;
        reporter.try_report(&touched).await;
        Ok(agent)
    }

    async fn get_agent(&self, call: Call<rpc::GetAgent>) -> Result<Agent, Problem> {
        let id = super::id("id", &call.request.id)?;
        let find = move |db: &mut Db| Ok::<_, Error>(assignments::find(db, id)?.ok_or_else(Problem::not_found)?);
        let row = self.0.pool.read(find).await?;
        self.shown(&row).await
    }

    async fn revoke_agent(&self, call: Call<rpc::RevokeAgent>) -> Result<RevokeAgentResponse, Problem> {
        let (id, by) = (super::id("id", &call.request.id)?, call.user()?.id);
        let entry = Entry::of(&call, Action::AgentRevoked);
        let State { pool, clock, neighbours, reporter } = &self.0;
        let now = clock.now();
        let revoke = move |db: &mut Db| -> Result<_> {
            let row = assignments::lock(db, id)?.ok_or_else(Problem::not_found)?;
            if !row.is_active() {
                return Ok(row);
            }
            facts::enqueue(db, &[id])?;
            audit::record(db, &about(&entry, &row), now)?;
            Ok(assignments::revoke(db, id, Some(by), now)?)
        };
        let row = pool.write(revoke).await?;
        // Without it tenancy would answer the role of before. Who gets an error may ask again: it has been revoked.
        reporter.report(id).await?;
        let role = neighbours.role(row.user_id.0).await?;
        Ok(RevokeAgentResponse { agent: Some(self.shown(&row).await?), role: role.into() })
    }

    async fn grant_permission(&self, call: Call<rpc::GrantPermission>) -> Result<Agent, Problem> {
        let key = call.request.key();
        packages::check_grantable("key", key)?;
        let with = move |set: PermissionSet| set.union([key].into_iter().collect());
        let entry = Entry::of(&call, Action::PermissionGranted).with("permission", key);
        self.change(&call.request.id, entry, with).await
    }

    async fn revoke_permission(&self, call: Call<rpc::RevokePermission>) -> Result<Agent, Problem> {
        let key = call.request.key();
        let without = move |mut set: PermissionSet| {
            set.remove(key);
            set
        };
        let entry = Entry::of(&call, Action::PermissionRevoked).with("permission", key);
        self.change(&call.request.id, entry, without).await
    }

    async fn set_package(&self, call: Call<rpc::SetPackage>) -> Result<Agent, Problem> {
        let list: Vec<_> = call.request.permissions().collect();
        let asked = packages::asked(call.request.package(), &list)?;
        let set = asked.ok_or_else(|| Problem::field("package", "is required, or permissions are"))?;
        let entry = Entry::of(&call, Action::AgentPackageSet).with("permissions", set);
        self.change(&call.request.id, entry, move |_| set).await
    }
}

/// What `AssignAgent` is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    user: UserId,
    organisation: OrganisationId,
    permissions: PermissionSet,
    by: UserId,
}

impl Agents {
    /// Changes the grants of an active assignment, and records it.
    async fn change(
        &self,
        id: &str,
        entry: Entry,
        new: impl Fn(PermissionSet) -> PermissionSet + Send + 'static,
    ) -> Result<Agent, Problem> {
        let (id, now) = (super::id("id", id)?, self.0.clock.now());
        let change = move |db: &mut Db| -> Result<_> {
            let row = assignments::lock(db, id)?.ok_or_else(Problem::not_found)?;
            if !row.is_active() {
                return Err(Problem::conflict("this assignment has ended").into());
            }
            let set = new(row.permission_set());
            if set == row.permission_set() {
                return Ok(row);
            }
            facts::enqueue(db, &[id])?;
            audit::record(db, &about(&entry, &row), now)?;
            Ok(assignments::set_permissions(db, id, set)?)
        };
        let row = self.0.pool.write(change).await?;
        self.0.reporter.try_report(&[id]).await;
        self.shown(&row).await
    }

    async fn shown(&self, row: &AssignmentRow) -> Result<Agent, Problem> {
        let names = self.0.neighbours.names(std::slice::from_ref(row)).await?;
        Ok(message(row, &names))
    }
}

impl Wanted {
    fn row(&self, now: Timestamp) -> AssignmentRow {
        AssignmentRow {
            // Made only now, after what it replaces: tenancy takes the later id for the later assignment.
            id: Sql(AssignmentId::new()),
            user_id: Sql(self.user),
            organisation_id: Sql(self.organisation),
            permissions: self.permissions.bits().cast_signed(),
            assigned_at: Sql(now),
            assigned_by: Sql(self.by),
            revoked_at: None,
            revoked_by: None,
            version: FIRST_VERSION,
        }
    }
}

/// Assigns, and revokes what is in the way. Answers what that was, and the new assignment.
fn replace(db: &mut Db, wanted: Wanted, now: Timestamp) -> Result<(Vec<AssignmentRow>, AssignmentRow)> {
    for _ in 0..ATTEMPTS {
        let replaced = db.transaction(|db| -> Result<_> {
            let ended = assignments::revoke_active(db, wanted.user, wanted.organisation, wanted.by, now)?;
            let row = wanted.row(now);
            assignments::insert(db, &row)?;
            Ok((ended, row))
        });
        match replaced {
            // Another assignment took the place between the two statements: the next attempt sees it.
            Err(Error::Db(error)) if error.is_unique_violation().is_some() => {}
            other => return other,
        }
    }
    Err(Problem::conflict("the user or the organisation is being assigned by somebody else at this moment").into())
}

/// What is recorded of an assignment.
fn about(entry: &Entry, row: &AssignmentRow) -> Entry {
    entry.clone().about(Subject::Assignment, row.id.0).within(row.organisation_id.0).with("user", row.user_id.0)
}

fn message(row: &AssignmentRow, names: &Names) -> Agent {
    let set = row.permission_set();
    Agent {
        id: row.id.to_string(),
        user: Some(names.user(row.user_id.0)),
        organisation: Some(names.organisation(row.organisation_id.0)),
        package: packages::named(set).into(),
        permissions: set.iter().map(Into::into).collect(),
        is_active: row.is_active(),
        assigned_at: Some(row.assigned_at.0.into()),
        assigned_by: row.assigned_by.to_string(),
        revoked_at: row.revoked_at.map(|at| at.0.into()),
        revoked_by: row.revoked_by.map(|by| by.to_string()),
    }
}
