//! What superadmins grant to users directly.

use super::Grants;
use crate::domain::grants::check_grantable;
use crate::store::accounts;
use crate::store::grants::{self as store, GrantRow};
use crate::{Error, Result};
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{Problem, UserId};
use db::Db;
use proto::rpc::grants as rpc;
use proto::tenancy::{ListUserPermissionsResponse, UserPermission};
use proto::types::Empty;

impl access::Grants for Grants {
    async fn list_user_permissions(
        &self,
        call: Call<rpc::ListUserPermissions>,
    ) -> Result<ListUserPermissionsResponse, Problem> {
        let user = super::id("id", &call.request.id)?;
        let list = move |db: &mut Db| -> Result<_> {
            known(db, user)?;
            Ok(store::list(db, user)?)
        };
        let rows = self.0.pool.read(list).await?;
        Ok(ListUserPermissionsResponse { permissions: rows.into_iter().map(message).collect() })
    }

    async fn grant_user_permission(&self, call: Call<rpc::GrantUserPermission>) -> Result<UserPermission, Problem> {
        let (user, key) = (super::id("id", &call.request.id)?, call.request.key());
        check_grantable("key", key)?;
        let (by, now) = (call.user()?.id, self.0.clock.now());
        let row = GrantRow::new(user, key, by, now);
        let entry = Entry::of(&call, Action::PermissionGranted).about(Subject::User, user).with("permission", key);
        let grant = move |db: &mut Db| -> Result<_> {
            known(db, user)?;
            if store::put(db, &row)? {
                audit::record(db, &entry, now)?;
            }
            Ok(store::find(db, user, key)?)
        };
        Ok(message(self.0.pool.write(grant).await?))
    }

    async fn revoke_user_permission(&self, call: Call<rpc::RevokeUserPermission>) -> Result<Empty, Problem> {
        let (user, key) = (super::id("id", &call.request.id)?, call.request.key());
        let entry = Entry::of(&call, Action::PermissionRevoked).about(Subject::User, user).with("permission", key);
        let now = self.0.clock.now();
        let revoke = move |db: &mut Db| -> Result<_> {
            known(db, user)?;
            if store::remove(db, user, key)? {
                audit::record(db, &entry, now)?;
            }
            Ok(())
        };
        self.0.pool.write(revoke).await?;
        Ok(Empty {})
    }
}

fn known(db: &mut Db, user: UserId) -> Result<()> {
    if accounts::exists(db, user)? { Ok(()) } else { Err(Error::Problem(Problem::not_found())) }
}

fn message(row: GrantRow) -> UserPermission {
    UserPermission {
        key: row.permission,
        granted_by: row.granted_by.to_string(),
        granted_at: Some(row.granted_at.0.into()),
    }
}
