//! What the other services report, and what they ask.

use super::Authority;
use super::access::relation;
use crate::domain::access::role;
use crate::store::{accounts, assignments, snapshots};
use crate::{Error, Result};
use access::{Call, PermissionSet};
use callfairy_core::{Problem, User, UserId};
use db::{Db, Sql};
use proto::rpc::authority as rpc;
use proto::tenancy::{AccessSnapshot, GetRolesResponse, UserRole};
use proto::types::Empty;

impl access::Authority for Authority {
    async fn report_account(&self, call: Call<rpc::ReportAccount>) -> Result<Empty, Problem> {
        let fact = call.request;
        let row = accounts::AccountRow {
            user_id: Sql(super::id("user_id", &fact.user_id)?),
            version: fact.version,
            email: fact.email,
            name: fact.name,
            is_active: fact.is_active,
            is_superadmin: fact.is_superadmin,
        };
        self.0.pool.write(move |db| Ok::<_, Error>(accounts::report(db, &row)?)).await?;
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
        self.0.pool.write(move |db| Ok::<_, Error>(assignments::report(db, &row)?)).await?;
        Ok(Empty {})
    }

    async fn get_access(&self, call: Call<rpc::GetAccess>) -> Result<AccessSnapshot, Problem> {
        let user = super::id("user_id", &call.request.user_id)?;
        let organisation = match call.request.organisation_id.as_str() {
            "" => None,
            id => Some(super::id("organisation_id", id)?),
        };
        let read = move |db: &mut Db| Ok::<_, Error>(snapshots::snapshot(db, user, organisation)?);
        let snapshot = self.0.pool.read(read).await?;
        Ok(AccessSnapshot {
            user_is_active: snapshot.user_is_active,
            is_superadmin: snapshot.is_superadmin,
            organisation_exists: snapshot.organisation_exists,
            relation: relation(snapshot.relation).into(),
            permissions: snapshot.permissions.bits(),
        })
    }

    async fn get_roles(&self, call: Call<rpc::GetRoles>) -> Result<GetRolesResponse, Problem> {
        let users: Vec<UserId> = super::ids::<User>("user_ids", &call.request.user_ids)?;
        let roles = move |db: &mut Db| -> Result<_> {
            let agents = assignments::agents_among(db, &users)?;
            let roles = accounts::superadmins(db, &users)?.into_iter().map(|(user, is_superadmin)| UserRole {
                user_id: user.to_string(),
                role: role(is_superadmin, agents.contains(&user)).into(),
            });
            Ok(GetRolesResponse { roles: roles.collect() })
        };
        Ok(self.0.pool.read(roles).await?)
    }
}
