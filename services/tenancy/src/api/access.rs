//! What can be allowed, and what the caller is allowed.

use super::Access;
use crate::Result;
use crate::domain::access::on_platform;
use crate::store::snapshots;
use access::{Call, Relation};
use callfairy_core::Problem;
use proto::rpc::access as rpc;
use proto::tenancy::{self, ListPermissionsResponse, MyAccess, OrganisationAccess, PermissionDescription};

impl access::Access for Access {
    async fn list_permissions(&self, _call: Call<rpc::ListPermissions>) -> Result<ListPermissionsResponse, Problem> {
        let permissions = proto::PERMISSIONS.iter().map(|info| PermissionDescription {
            key: info.permission.into(),
            name: in_words(info.key),
            description: info.description.to_owned(),
            category: info.category.to_owned(),
            grantable: !info.system,
        });
        Ok(ListPermissionsResponse { permissions: permissions.collect() })
    }

    async fn get_my_access(&self, call: Call<rpc::GetMyAccess>) -> Result<MyAccess, Problem> {
        let user = call.user()?.id;
        let my_access = move |db: &mut db::Db| -> Result<_> {
            let facts = snapshots::facts(db, user)?;
            let organisations =
                snapshots::related(db, user, &facts)?.into_iter().map(|(row, snapshot)| OrganisationAccess {
                    organisation_id: row.id.to_string(),
                    name: row.name,
                    relation: relation(snapshot.relation).into(),
                    permissions: snapshot.permissions.iter().map(Into::into).collect(),
                });
            Ok(MyAccess {
                role: facts.role().into(),
                organisations: organisations.collect(),
                is_superadmin: on_platform(&facts).is_superadmin,
            })
        };
        Ok(self.0.of_everyone().read(my_access).await?)
    }
}

/// How the contract names a relation.
pub(super) fn relation(relation: Relation) -> tenancy::Relation {
    match relation {
        Relation::None => tenancy::Relation::Unspecified,
        Relation::Member => tenancy::Relation::Member,
        Relation::Agent => tenancy::Relation::Agent,
    }
}

/// `view_users` as people read it: `View users`.
fn in_words(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_words() {
        assert_eq!(in_words("view_users"), "View users");
        assert_eq!(in_words(""), "");
    }
}
