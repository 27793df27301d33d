//! What agent asks the other services: who somebody is (auth), what an organisation is called, and which role follows
//! from what was reported (tenancy).

use crate::store::assignments::AssignmentRow;
use access::{Client, ServiceIdentity};
use callfairy_core::{OrganisationId, Problem, UserId};
use proto::auth::{LookUpUsersRequest, Role};
use proto::rpc::authority::GetRoles;
use proto::rpc::organisations::LookUpOrganisations;
use proto::rpc::users::LookUpUsers;
use proto::tenancy::{GetRolesRequest, LookUpOrganisationsRequest, UserRole};
use proto::types::{OrganisationRef, UserRef};
use std::collections::{BTreeSet, HashMap};

#[derive(Clone)]
pub struct Neighbours {
    pub auth: Client,
    pub tenancy: Client,
    pub identity: ServiceIdentity,
}

/// What the users and organisations of some assignments are called. Without a name or an address where the neighbour
/// no longer knows them.
pub struct Names {
    users: HashMap<String, Known>,
    organisations: HashMap<String, Known>,
}

/// Somebody, or something, that a neighbour knows.
#[derive(Default)]
struct Known {
    name: String,
    email: String,
    is_active: bool,
}

impl Neighbours {
    /// One question to each, however many rows.
    pub async fn names(&self, rows: &[AssignmentRow]) -> Result<Names, Problem> {
        if rows.is_empty() {
            return Ok(Names { users: HashMap::new(), organisations: HashMap::new() });
        }
        let users = rows.iter().map(|row| row.user_id.0).collect();
        let organisations = rows.iter().map(|row| row.organisation_id.0).collect();
        self.look_up(users, organisations).await
    }

    /// The names of a user and an organisation that can be assigned to one another: both exist and are active.
    pub async fn assignable(&self, user: UserId, organisation: OrganisationId) -> Result<Names, Problem> {
        let names = self.look_up([user].into(), [organisation].into()).await?;
        check("user_id", names.users.get(&user.to_string()))?;
        check("organisation_id", names.organisations.get(&organisation.to_string()))?;
        Ok(names)
    }

    /// Which end of an assignment is not active at this moment, if one is not: one that is no longer known is none.
    pub async fn inactive_end(&self, row: &AssignmentRow) -> Result<Option<&'static str>, Problem> {
        let names = self.names(std::slice::from_ref(row)).await?;
        let is_active = |known: Option<&Known>| known.is_some_and(|known| known.is_active);
        Ok(if !is_active(names.users.get(&row.user_id.to_string())) {
            Some("user")
        } else if !is_active(names.organisations.get(&row.organisation_id.to_string())) {
            Some("organisation")
        } else {
            None
        })
    }

    /// The role that follows from all that was reported of the user.
    pub async fn role(&self, user: UserId) -> Result<Role, Problem> {
        let request = GetRolesRequest { user_ids: vec![user.to_string()] };
        let answer = self.tenancy.unary::<GetRoles>(&self.identity.meta()?, request).await?;
        // Somebody of whom tenancy has not heard is nothing more.
        Ok(answer.roles.first().map_or(Role::User, UserRole::role))
    }

    async fn look_up(
        &self,
        users: BTreeSet<UserId>,
        organisations: BTreeSet<OrganisationId>,
    ) -> Result<Names, Problem> {
        let meta = self.identity.meta()?;
        let users = LookUpUsersRequest { ids: users.iter().map(ToString::to_string).collect() };
        let organisations = LookUpOrganisationsRequest { ids: organisations.iter().map(ToString::to_string).collect() };
        let (users, organisations) = tokio::try_join!(
            self.auth.unary::<LookUpUsers>(&meta, users),
            self.tenancy.unary::<LookUpOrganisations>(&meta, organisations),
        )?;
        let user = |user: proto::auth::User| {
            (user.id, Known { name: user.name, email: user.email, is_active: user.is_active })
        };
        let organisation = |found: proto::tenancy::LookedUpOrganisation| {
            (found.id, Known { name: found.name, email: String::new(), is_active: found.is_active })
        };
        Ok(Names {
            users: users.users.into_iter().map(user).collect(),
            organisations: organisations.organisations.into_iter().map(organisation).collect(),
        })
    }
}

impl Names {
    pub fn user(&self, id: UserId) -> UserRef {
        let id = id.to_string();
        let (name, email) =
            self.users.get(&id).map(|known| (known.name.clone(), known.email.clone())).unwrap_or_default();
        UserRef { id, name, email }
    }

    pub fn organisation(&self, id: OrganisationId) -> OrganisationRef {
        let id = id.to_string();
        let name = self.organisations.get(&id).map(|known| known.name.clone()).unwrap_or_default();
        OrganisationRef { id, name }
    }
}

fn check(field: &str, known: Option<&Known>) -> Result<(), Problem> {
    match known {
        None => Err(Problem::field(field, "is not known")),
        Some(known) if !known.is_active => Err(Problem::field(field, "is not active")),
        Some(_) => Ok(()),
    }
}
