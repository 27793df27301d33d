//! Default deny: what stands between a request and its handler.

use crate::call::Passed;
use crate::{
    ApiKey, Call, Caller, LatestChange, Meta, OrgScope, PermissionSet, Refusals, Relation, Snapshot, Snapshots,
    TokenVerifier,
};
use callfairy_core::{ErrorCode, OrganisationId, Problem};
use proto::{Access, Permission, Rpc};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// The beginning of every API key, by which it is told from a token.
const API_KEY_MARK: &str = "cf_";
/// No API key is longer.
const MAX_API_KEY_LENGTH: usize = 100;

/// Enforces the contract's access options, in every service alike.
#[derive(Debug, Clone)]
pub struct Guard {
    tokens: TokenVerifier,
    snapshots: Snapshots,
    refusals: Option<Refusals>,
}

impl Guard {
    pub fn new(tokens: TokenVerifier, snapshots: Snapshots) -> Self {
        Self { tokens, snapshots, refusals: None }
    }

    /// Counts there whom it does not let through.
    #[must_use]
    pub fn counting(self, refusals: Refusals) -> Self {
        Self { refusals: Some(refusals), ..self }
    }

    /// Keeps what the authority says, and keeps it fresh. While nobody runs this, every request asks.
    pub async fn follow_changes(&self) -> Infallible {
        self.snapshots.follow().await
    }

    pub(crate) fn latest_change(&self) -> &LatestChange {
        self.snapshots.latest_change()
    }

    /// Who sends this as a bearer token: a token or an API key. An error is `unauthenticated`, or `unavailable` when the
    /// truth could not be had.
    pub async fn caller(&self, bearer: &str) -> Result<Caller, Problem> {
        self.caller_as_of(bearer, 0).await
    }

    async fn caller_as_of(&self, bearer: &str, at_least: i64) -> Result<Caller, Problem> {
        if !bearer.starts_with(API_KEY_MARK) {
            return self.tokens.verify(bearer).await;
        }
        let refused = || Problem::unauthenticated("the API key does not work, or not any more");
        if bearer.len() > MAX_API_KEY_LENGTH {
            return Err(refused());
        }
        let hash = Sha256::digest(bearer.as_bytes()).into();
        self.snapshots.api_key(&hash, at_least).await?.map(Caller::ApiKey).ok_or_else(refused)
    }

    /// Who calls, and whether they may at all: before the request is read.
    pub(crate) async fn identify(&self, rpc: &'static str, access: Access, meta: &Meta) -> Result<Caller, Problem> {
        let caller = match &meta.token {
            // A public RPC answers the same whatever is sent along.
            _ if access == Access::Public => Caller::Anonymous,
            Some(token) => self.caller_as_of(token.expose(), meta.latest_change).await?,
            None => Caller::Anonymous,
        };
        match (access, &caller) {
            (Access::Public, _) | (Access::Internal, Caller::Service(_)) => Ok(caller),
            (Access::Internal, Caller::User(_) | Caller::ApiKey(_)) | (_, Caller::Service(_)) => {
                let problem = Problem::new(ErrorCode::PermissionDenied, "this is not for this kind of caller");
                self.note(&caller, meta, rpc, None, &problem);
                Err(problem)
            }
            (_, Caller::Anonymous) => Err(Problem::unauthenticated("sign in, and send the access token along")),
            (_, Caller::User(_) | Caller::ApiKey(_)) => Ok(caller),
        }
    }

    /// Whether this request may reach its handler.
    pub(crate) async fn admit<R: Rpc>(
        &self,
        caller: Caller,
        meta: &Meta,
        request: R::Request,
    ) -> Result<Call<R>, Problem> {
        let decided = self.decide::<R>(&caller, &request, meta.latest_change).await;
        let (snapshot, scope) = decided.inspect_err(|problem| {
            self.note(&caller, meta, R::GRPC_PATH, R::organisation(&request), problem);
        })?;
        proto::validate(&request)?;
        let passed = Passed {
            caller,
            scope,
            snapshot,
            idempotency_key: meta.checked_idempotency_key()?.map(str::to_owned),
            request_id: meta.request_id.clone(),
            trace: meta.trace.clone(),
            origin: meta.origin.clone(),
        };
        Ok(Call::new(request, passed))
    }

    fn note(&self, caller: &Caller, meta: &Meta, rpc: &'static str, organisation: Option<&str>, problem: &Problem) {
        if let Some(refusals) = &self.refusals {
            refusals.note(caller, meta, rpc, organisation.and_then(|id| id.parse().ok()), problem);
        }
    }

    /// What handlers refuse by rules that the contract cannot say. What they do not find is no refusal.
    pub(crate) fn note_of_handler<R: Rpc>(
        &self,
        (caller, organisation): &(Caller, Option<OrganisationId>),
        meta: &Meta,
        problem: &Problem,
    ) {
        if let Some(refusals) = &self.refusals
            && problem.code != ErrorCode::NotFound
        {
            refusals.note(caller, meta, R::GRPC_PATH, *organisation, problem);
        }
    }

    async fn decide<R: Rpc>(
        &self,
        caller: &Caller,
        request: &R::Request,
        at_least: i64,
    ) -> Result<(Option<Snapshot>, Option<OrgScope>), Problem> {
        if matches!(R::ACCESS, Access::Public | Access::Internal) {
            return Ok((None, None));
        }
        let organisation = match R::organisation(request) {
            Some(id) => {
                Some(id.parse::<OrganisationId>().map_err(|_| Problem::field("organisation_id", "is not a UUID"))?)
            }
            None => None,
        };
        let snapshot = match caller {
            Caller::User(user) => self.snapshots.get(*user, organisation, at_least).await?,
            Caller::ApiKey(key)
                if R::PEOPLE_ONLY && (!R::ACCESS.is_scoped() || organisation == Some(key.organisation_id)) =>
            {
                return Err(Problem::new(
                    ErrorCode::PermissionDenied,
                    "this is for people who signed in, not for API keys",
                ));
            }
            Caller::ApiKey(key) => opened_by(key, organisation),
            Caller::Anonymous | Caller::Service(_) => {
                return Err(Problem::unauthenticated("this is for people who signed in"));
            }
        };
        if !snapshot.user_is_active {
            return Err(Problem::unauthenticated("the account is not active, or the session has ended: sign in again"));
        }
        match (R::ACCESS, organisation) {
            (Access::SignedIn, _) => Ok((Some(snapshot), None)),
            (Access::Superadmin, _) if snapshot.is_superadmin => Ok((Some(snapshot), None)),
            (Access::Superadmin, _) => Err(Problem::new(ErrorCode::PermissionDenied, "this is for superadmins")),
            (Access::Organisation, Some(id)) => {
                allowed(&snapshot, None).map(|()| (Some(snapshot), Some(OrgScope::new(id))))
            }
            (Access::Permission(permission), Some(id)) => {
                allowed(&snapshot, Some(permission)).map(|()| (Some(snapshot), Some(OrgScope::new(id))))
            }
            // A scoped RPC whose request names no organisation, or a rule handled above: no.
            (Access::Public | Access::Internal | Access::Organisation | Access::Permission(_), _) => {
                Err(Problem::not_found())
            }
        }
    }
}

/// What a key may in an organisation: in any but its own, as little as a stranger.
fn opened_by(key: &ApiKey, organisation: Option<OrganisationId>) -> Snapshot {
    let own = organisation == Some(key.organisation_id);
    Snapshot {
        user_is_active: true,
        is_superadmin: false,
        organisation_exists: own,
        relation: if own { Relation::Member } else { Relation::None },
        permissions: if own { key.permissions } else { PermissionSet::EMPTY },
    }
}

/// The rules of an organisation: what it does not tell (404) comes before what it refuses (403).
fn allowed(snapshot: &Snapshot, permission: Option<Permission>) -> Result<(), Problem> {
    if !snapshot.organisation_exists {
        return Err(Problem::not_found());
    }
    if snapshot.is_superadmin {
        return Ok(());
    }
    if snapshot.relation == Relation::None {
        return Err(Problem::not_found());
    }
    match permission {
        Some(permission) if !snapshot.permissions.contains(permission) => {
            Err(Problem::permission_denied(permission.key()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(relation: Relation, permissions: &[Permission]) -> Snapshot {
        Snapshot {
            user_is_active: true,
            is_superadmin: false,
            organisation_exists: true,
            relation,
            permissions: permissions.iter().copied().collect(),
        }
    }

    #[test]
    fn outsiders_are_told_nothing() {
        let code = |s: &Snapshot, p| allowed(s, p).err().map(|p| p.code);
        // Permissions without a relation must not exist; if they did, they would not count.
        let outsider = snapshot(Relation::None, &[Permission::ViewCalls]);
        assert_eq!(code(&outsider, Some(Permission::ViewCalls)), Some(ErrorCode::NotFound));
        let member = snapshot(Relation::Member, &[]);
        assert_eq!(code(&member, None), None);
        assert_eq!(code(&member, Some(Permission::ViewCalls)), Some(ErrorCode::PermissionDenied));
        let agent = snapshot(Relation::Agent, &[Permission::ViewCalls]);
        assert_eq!(code(&agent, Some(Permission::ViewCalls)), None);
        assert_eq!(code(&agent, Some(Permission::MakeCalls)), Some(ErrorCode::PermissionDenied));
    }

    #[test]
    fn superadmins_may_everything_that_exists() {
        let mut admin =
            Snapshot { is_superadmin: true, permissions: PermissionSet::EMPTY, ..snapshot(Relation::None, &[]) };
        assert_eq!(allowed(&admin, Some(Permission::MakeCalls)), Ok(()));
        admin.organisation_exists = false;
        assert_eq!(allowed(&admin, Some(Permission::MakeCalls)), Err(Problem::not_found()));
    }
}
