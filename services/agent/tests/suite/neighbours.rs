//! Stand-ins for auth and tenancy: what agent asks of them and tells them, kept in memory.

use access::Call;
use callfairy_core::{ErrorCode, OrganisationId, Problem, UserId};
use proto::auth::{LookUpUsersResponse, Role, User};
use proto::rpc::{authority, organisations, users};
use proto::tenancy::{
    AccessSnapshot, AssignmentFact, GetRolesResponse, LookUpOrganisationsResponse, LookedUpOrganisation, UserRole,
};
use proto::types::Empty;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// How tenancy takes reports and questions about roles. Its guard's questions it always answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Well,
    /// Refuses at once.
    Down,
    /// Takes no reports, and answers from what it knows.
    Deaf,
    /// Never answers.
    Hanging,
}

#[derive(Default)]
pub struct Known {
    pub users: HashMap<UserId, User>,
    pub organisations: HashMap<OrganisationId, LookedUpOrganisation>,
    pub superadmins: HashSet<UserId>,
    pub mood: Mood,
    /// The last of each assignment, as tenancy keeps it.
    pub facts: HashMap<String, AssignmentFact>,
    /// Every report, as it came.
    pub reports: Vec<AssignmentFact>,
    /// Questions for names.
    pub look_ups: usize,
}

#[derive(Clone, Default)]
pub struct Neighbours(Arc<Mutex<Known>>);

impl Neighbours {
    pub fn with<T>(&self, f: impl FnOnce(&mut Known) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    async fn is_well_enough(&self, takes: Mood) -> Result<(), Problem> {
        match self.with(|known| known.mood) {
            Mood::Hanging => std::future::pending().await,
            mood if mood == Mood::Well || mood == takes => Ok(()),
            _ => Err(Problem::unavailable("tenancy")),
        }
    }
}

fn absent<T>() -> Result<T, Problem> {
    Err(Problem::new(ErrorCode::Unimplemented, "agent does not ask this"))
}

impl access::Users for Neighbours {
    async fn look_up_users(&self, call: Call<users::LookUpUsers>) -> Result<LookUpUsersResponse, Problem> {
        let users = self.with(|known| {
            known.look_ups += 1;
            let ids = call.request.ids.iter().map(|id| id.parse::<UserId>().unwrap());
            ids.filter_map(|id| known.users.get(&id).cloned()).collect()
        });
        Ok(LookUpUsersResponse { users })
    }

    async fn get_me(&self, _: Call<users::GetMe>) -> Result<User, Problem> {
        absent()
    }

    async fn update_me(&self, _: Call<users::UpdateMe>) -> Result<User, Problem> {
        absent()
    }

    async fn update_user(&self, _: Call<users::UpdateUser>) -> Result<User, Problem> {
        absent()
    }

    async fn deactivate_user(&self, _: Call<users::DeactivateUser>) -> Result<Empty, Problem> {
        absent()
    }

    async fn get_user(&self, _: Call<users::GetUser>) -> Result<User, Problem> {
        absent()
    }

    async fn list_users(&self, _: Call<users::ListUsers>) -> Result<proto::auth::ListUsersResponse, Problem> {
        absent()
    }
}

impl access::Organisations for Neighbours {
    async fn look_up_organisations(
        &self,
        call: Call<organisations::LookUpOrganisations>,
    ) -> Result<LookUpOrganisationsResponse, Problem> {
        let organisations = self.with(|known| {
            known.look_ups += 1;
            let ids = call.request.ids.iter().map(|id| id.parse::<OrganisationId>().unwrap());
            ids.filter_map(|id| known.organisations.get(&id).cloned()).collect()
        });
        Ok(LookUpOrganisationsResponse { organisations })
    }

    async fn list_organisations(
        &self,
        _: Call<organisations::ListOrganisations>,
    ) -> Result<proto::tenancy::ListOrganisationsResponse, Problem> {
        absent()
    }

    async fn create_organisation(
        &self,
        _: Call<organisations::CreateOrganisation>,
    ) -> Result<proto::tenancy::Organisation, Problem> {
        absent()
    }

    async fn get_organisation(
        &self,
        _: Call<organisations::GetOrganisation>,
    ) -> Result<proto::tenancy::Organisation, Problem> {
        absent()
    }

    async fn update_organisation(
        &self,
        _: Call<organisations::UpdateOrganisation>,
    ) -> Result<proto::tenancy::Organisation, Problem> {
        absent()
    }
}

impl access::Authority for Neighbours {
    async fn report_assignment(&self, call: Call<authority::ReportAssignment>) -> Result<Empty, Problem> {
        self.is_well_enough(Mood::Well).await?;
        self.with(|known| {
            let fact = call.request;
            known.reports.push(fact.clone());
            let kept = known.facts.entry(fact.assignment_id.clone()).or_insert_with(|| fact.clone());
            if kept.version < fact.version {
                *kept = fact;
            }
        });
        Ok(Empty {})
    }

    async fn get_access(&self, call: Call<authority::GetAccess>) -> Result<AccessSnapshot, Problem> {
        let user: UserId = call.request.user_id.parse().unwrap();
        Ok(self.with(|known| AccessSnapshot {
            user_is_active: known.users.contains_key(&user),
            is_superadmin: known.superadmins.contains(&user),
            ..Default::default()
        }))
    }

    /// It cannot be followed: what it says counts for one request.
    async fn follow_access(&self, _: Call<authority::FollowAccess>) -> Result<proto::tenancy::AccessChanges, Problem> {
        Err(Problem::unavailable("tenancy"))
    }

    async fn get_roles(&self, call: Call<authority::GetRoles>) -> Result<GetRolesResponse, Problem> {
        self.is_well_enough(Mood::Deaf).await?;
        let role = |known: &Known, id: &str| match id.parse().unwrap() {
            user if known.superadmins.contains(&user) => Role::Superadmin,
            _ if known.facts.values().any(|fact| fact.is_active && fact.user_id == id) => Role::Agent,
            _ => Role::User,
        };
        let roles = self.with(|known| {
            let role = |id: String| UserRole { role: role(known, &id).into(), user_id: id };
            call.request.user_ids.into_iter().map(role).collect()
        });
        Ok(GetRolesResponse { roles })
    }

    async fn report_account(&self, _: Call<authority::ReportAccount>) -> Result<Empty, Problem> {
        absent()
    }
}
