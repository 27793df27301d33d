//! Default deny: what stands between a request and its handler.

use crate::call::Passed;
use crate::{Call, Caller, Meta, OrgScope, Relation, Snapshot, Snapshots, TokenVerifier};
use callfairy_core::{ErrorCode, OrganisationId, Problem};
use proto::{Access, Permission, Rpc};

/// Enforces the contract's access options, in every service alike.
#[derive(Debug, Clone)]
pub struct Guard {
    tokens: TokenVerifier,
    snapshots: Snapshots,
}

impl Guard {
    pub fn new(tokens: TokenVerifier, snapshots: Snapshots) -> Self {
        Self { tokens, snapshots }
    }

    /// Who calls, and whether they may at all: before the request is read.
    pub(crate) async fn identify(&self, access: Access, meta: &Meta) -> Result<Caller, Problem> {
        let caller = match &meta.token {
            // A public RPC answers the same whatever is sent along.
            _ if access == Access::Public => Caller::Anonymous,
            Some(token) => self.tokens.verify(token.expose()).await?,
            None => Caller::Anonymous,
        };
        match (access, &caller) {
            (Access::Public, _) | (Access::Internal, Caller::Service(_)) => Ok(caller),
            (Access::Internal, Caller::User(_)) | (_, Caller::Service(_)) => {
                Err(Problem::new(ErrorCode::PermissionDenied, "this is not for this kind of caller"))
            }
            (_, Caller::Anonymous) => Err(Problem::unauthenticated("sign in, and send the access token along")),
            (_, Caller::User(_)) => Ok(caller),
        }
    }

    /// Whether this request may reach its handler.
    pub(crate) async fn admit<R: Rpc>(
        &self,
        caller: Caller,
        meta: &Meta,
        request: R::Request,
    ) -> Result<Call<R>, Problem> {
        let (snapshot, scope) = self.decide::<R>(&caller, &request).await?;
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

    async fn decide<R: Rpc>(
        &self,
        caller: &Caller,
        request: &R::Request,
    ) -> Result<(Option<Snapshot>, Option<OrgScope>), Problem> {
        let user = match (R::ACCESS, caller) {
            (Access::Public | Access::Internal, _) => return Ok((None, None)),
            (_, Caller::User(user)) => *user,
            (_, Caller::Anonymous | Caller::Service(_)) => {
                return Err(Problem::unauthenticated("this is for people who signed in"));
            }
        };
        let organisation = match R::organisation(request) {
            Some(id) => {
                Some(id.parse::<OrganisationId>().map_err(|_| Problem::field("organisation_id", "is not a UUID"))?)
            }
            None => None,
        };
        let snapshot = self.snapshots.get(user, organisation).await?;
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
    use crate::PermissionSet;

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
