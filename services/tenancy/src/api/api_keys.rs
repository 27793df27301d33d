//! Keys that programs send in place of a person's token.

use super::ApiKeys;
use crate::Result;
use crate::domain::api_key::{self, Hash, USE_PRECISION};
use crate::domain::grants::check_grantable;
use crate::store::api_keys::{self as store, ApiKeyId, ApiKeyRow};
use crate::store::{access_changes, organisations, snapshots};
use access::{AsOf, Call, PermissionSet, WorkingKey};
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{Page, Problem, Timestamp};
use db::{Db, Sql, idempotency};
use proto::rpc::api_keys as rpc;
use proto::tenancy::{ApiKey, ListApiKeysResponse, VerifiedApiKey};
use proto::types::Empty;

impl access::ApiKeys for ApiKeys {
    async fn list_api_keys(&self, call: Call<rpc::ListApiKeys>) -> Result<ListApiKeysResponse, Problem> {
        let scope = *call.scope();
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let list = move |db: &mut Db| -> Result<_> {
            let mut rows = store::page(db, &scope, &page)?;
            let next_page_token = page.cut(&mut rows, |row| row.id.0);
            Ok(ListApiKeysResponse { api_keys: rows.into_iter().map(message).collect(), next_page_token })
        };
        Ok(self.0.of(&scope).read(list).await?)
    }

    async fn create_api_key(&self, call: Call<rpc::CreateApiKey>) -> Result<ApiKey, Problem> {
        let (once, now, scope, creator) = (call.once_key(), self.0.clock.now(), *call.scope(), call.user()?.id);
        let permissions = asked(&call.request.permissions().collect::<Vec<_>>())?;
        let expires_at = match call.request.expires_at {
            None => None,
            Some(at) => Some(future(at.instant("expires_at")?, now)?),
        };
        let created = Entry::of(&call, Action::ApiKeyCreated);
        let key = api_key::generate().map_err(Problem::from)?;
        let row = ApiKeyRow {
            id: Sql(ApiKeyId::new()),
            organisation_id: Sql(scope.organisation_id()),
            name: call.request.name.trim().to_owned(),
            prefix: key.prefix,
            hash: key.hash.to_vec(),
            permissions: permissions.bits().cast_signed(),
            created_by: Sql(creator),
            created_at: Sql(now),
            expires_at: expires_at.map(Sql),
            last_used_at: None,
        };
        let id = row.id;
        let created =
            created.about(Subject::ApiKey, id.0).within(scope.organisation_id()).with("permissions", permissions);
        let create = move |db: &mut Db| -> Result<_> {
            // The answer that is remembered is without the key: that is kept nowhere.
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                let snapshot = snapshots::within(db, creator, scope.organisation_id())?;
                if let Some(lacked) = permissions.iter().find(|asked| !snapshot.permissions.contains(*asked)) {
                    return Err(Problem::permission_denied(lacked.key()).into());
                }
                store::insert(db, &row)?;
                audit::record(db, &created, now)?;
                Ok(message(row.clone()))
            })
        };
        let made = self.0.of(&scope).write(create).await?;
        // Another id is that of an earlier request's key.
        let key = (made.id == id.to_string()).then(|| key.text.expose().to_owned());
        Ok(ApiKey { key, ..made })
    }

    async fn revoke_api_key(&self, call: Call<rpc::RevokeApiKey>) -> Result<Empty, Problem> {
        let (scope, id, by) = (*call.scope(), super::id("id", &call.request.id)?, call.user()?.id);
        let now = self.0.clock.now();
        let entry = Entry::of(&call, Action::ApiKeyRevoked).about(Subject::ApiKey, id).within(scope.organisation_id());
        let revoke = move |db: &mut Db| -> Result<_> {
            let revoked = store::revoke(db, &scope, id, by, now)?;
            if revoked {
                audit::record(db, &entry, now)?;
            }
            Ok(revoked)
        };
        let revoked = self.0.of(&scope).write(revoke).await?;
        if revoked { Ok(Empty {}) } else { Err(Problem::not_found()) }
    }

    async fn verify_api_key(&self, call: Call<rpc::VerifyApiKey>) -> Result<VerifiedApiKey, Problem> {
        let hash = Hash::try_from(call.request.hash).map_err(|_| Problem::field("hash", "is not a SHA-256"))?;
        let AsOf { number, value: working } = self.verify(hash).await?.ok_or_else(Problem::not_found)?;
        Ok(VerifiedApiKey {
            id: working.key.id.to_string(),
            organisation_id: working.key.organisation_id.to_string(),
            permissions: working.key.permissions.bits(),
            created_by: working.created_by.to_string(),
            expires_in_milliseconds: working.expires_in.and_then(|left| left.as_millis().try_into().ok()),
            as_of: number,
        })
    }
}

impl ApiKeys {
    /// The key with this hash and what it may at this moment, if it works. Its use is noted.
    pub async fn verify(&self, hash: Hash) -> Result<Option<AsOf<WorkingKey>>, Problem> {
        let now = self.0.clock.now();
        let find = move |db: &mut Db| -> Result<_> {
            // First, since each statement sees more.
            let number = access_changes::head(db)?;
            let Some(row) = store::find(db, &hash)? else { return Ok(None) };
            let organisation = organisations::find_standing(db, row.organisation_id.0)?;
            let creator = snapshots::within(db, row.created_by.0, row.organisation_id.0)?;
            let (is_active, expires_at) = (organisation.is_some_and(|o| o.is_active), row.expires_at.map(|at| at.0));
            let works = api_key::works(row.permission_set(), expires_at, is_active, &creator, now);
            Ok(works.map(|permissions| (number, row, permissions)))
        };
        let Some((number, row, permissions)) = self.0.of_everyone().read(find).await? else { return Ok(None) };
        self.note_use(&row, now).await;
        let key = access::ApiKey { id: row.id.0.uuid(), organisation_id: row.organisation_id.0, permissions };
        let expires_in = row.expires_at.map(|at| at.0.since(now));
        Ok(Some(AsOf { number, value: WorkingKey { key, created_by: row.created_by.0, expires_in } }))
    }

    /// At most once in [`USE_PRECISION`], and recorded once an hour. A key works also when its use cannot be noted.
    async fn note_use(&self, row: &ApiKeyRow, now: Timestamp) {
        let (id, noted) = (row.id.0, row.last_used_at.map(|at| at.0));
        let before = now.minus(USE_PRECISION);
        if noted.is_some_and(|at| at > before) {
            return;
        }
        let is_recorded = noted.is_some_and(|at| api_key::hour(at) == api_key::hour(now));
        let entry = Entry::new(Actor::ApiKey(id.uuid()), Action::ApiKeyUsed)
            .about(Subject::ApiKey, id)
            .within(row.organisation_id.0);
        let touch = move |db: &mut Db| -> Result<()> {
            if store::touch(db, id, now, before)? && !is_recorded {
                audit::record(db, &entry, now)?;
            }
            Ok(())
        };
        if let Err(error) = self.0.of_everyone().write(touch).await {
            tracing::warn!(%error, api_key = %id, "the use of a key is not noted");
        }
    }
}

fn asked(list: &[proto::Permission]) -> Result<PermissionSet, Problem> {
    for (index, permission) in list.iter().enumerate() {
        check_grantable(&format!("permissions[{index}]"), *permission)?;
    }
    Ok(list.iter().copied().collect())
}

fn future(at: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if at > now { Ok(at) } else { Err(Problem::field("expires_at", "is not in the future")) }
}

fn message(row: ApiKeyRow) -> ApiKey {
    ApiKey {
        id: row.id.to_string(),
        permissions: row.permission_set().iter().map(Into::into).collect(),
        name: row.name,
        prefix: row.prefix,
        created_by: row.created_by.to_string(),
        created_at: Some(row.created_at.0.into()),
        expires_at: row.expires_at.map(|at| at.0.into()),
        last_used_at: row.last_used_at.map(|at| at.0.into()),
        key: None,
    }
}
