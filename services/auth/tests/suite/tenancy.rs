//! A stand-in for tenancy: what auth tells it and asks of it, kept in memory.

use access::Call;
use callfairy_core::{ErrorCode, Problem};
use proto::auth::Role;
use proto::rpc::authority::{GetAccess, GetRoles, ReportAccount, ReportAssignment};
use proto::tenancy::{AccessSnapshot, AccountFact, GetRolesResponse, UserRole};
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
    /// Never answers.
    Hanging,
}

#[derive(Default)]
pub struct Known {
    pub mood: Mood,
    /// The newest of each account, as tenancy keeps it.
    pub facts: HashMap<String, AccountFact>,
    /// Sessions that have ended.
    pub ended: HashSet<String>,
    /// Ids of users who are somebody's agent.
    pub agents: HashSet<String>,
}

#[derive(Clone, Default)]
pub struct Tenancy(Arc<Mutex<Known>>);

impl Tenancy {
    pub fn with<T>(&self, f: impl FnOnce(&mut Known) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    pub fn is(&self, mood: Mood) {
        self.with(|known| known.mood = mood);
    }

    pub fn fact(&self, email: &str) -> Option<AccountFact> {
        self.with(|known| known.facts.values().find(|fact| fact.email == email).cloned())
    }

    async fn mood(&self) -> Result<(), Problem> {
        match self.with(|known| known.mood) {
            Mood::Well => Ok(()),
            Mood::Down => Err(Problem::unavailable("tenancy")),
            Mood::Hanging => std::future::pending().await,
        }
    }
}

impl access::Authority for Tenancy {
    async fn report_account(&self, call: Call<ReportAccount>) -> Result<Empty, Problem> {
        self.mood().await?;
        let fact = call.request;
        self.with(|known| {
            known.ended.extend(fact.ended_sessions.iter().cloned());
            let newest = known.facts.entry(fact.user_id.clone()).or_insert_with(|| fact.clone());
            if fact.version > newest.version {
                *newest = fact;
            }
        });
        Ok(Empty {})
    }

    async fn get_access(&self, call: Call<GetAccess>) -> Result<AccessSnapshot, Problem> {
        let fact = self.with(|known| {
            let open = !known.ended.contains(&call.request.session_id);
            known.facts.get(&call.request.user_id).filter(|_| open).cloned().unwrap_or_default()
        });
        let (user_is_active, is_superadmin) = (fact.is_active, fact.is_superadmin);
        Ok(AccessSnapshot { user_is_active, is_superadmin, ..Default::default() })
    }

    /// It cannot be followed: what it says counts for one request.
    async fn follow_access(
        &self,
        _: Call<proto::rpc::authority::FollowAccess>,
    ) -> Result<proto::tenancy::AccessChanges, Problem> {
        Err(Problem::unavailable("tenancy"))
    }

    async fn get_roles(&self, call: Call<GetRoles>) -> Result<GetRolesResponse, Problem> {
        self.mood().await?;
        let role = |known: &Known, id: &String| {
            let fact = known.facts.get(id)?;
            let role = match (fact.is_superadmin, known.agents.contains(id)) {
                (true, _) => Role::Superadmin,
                (false, true) => Role::Agent,
                (false, false) => Role::User,
            };
            Some(UserRole { user_id: id.clone(), role: role.into() })
        };
        let ids = call.request.user_ids;
        Ok(GetRolesResponse { roles: self.with(|known| ids.iter().filter_map(|id| role(known, id)).collect()) })
    }

    async fn report_assignment(&self, _: Call<ReportAssignment>) -> Result<Empty, Problem> {
        Err(Problem::new(ErrorCode::Unimplemented, "auth does not report this"))
    }
}
