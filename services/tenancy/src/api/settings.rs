//! How organisations call.

use super::Settings;
use crate::Result;
use crate::domain::settings::{
    DEFAULT_CAPS, DEFAULT_PACING, DEFAULT_RETENTION, DEFAULT_TIMEZONE, check_country, check_window, default_window,
    key_hint, timezone,
};
use crate::store::settings::{self as store, SettingsPatch, SettingsRow};
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{OrganisationId, Problem, Secret, Timestamp};
use db::{Db, Json, Sql};
use proto::rpc::settings as rpc;
use proto::tenancy::{CallingSettings, OrganisationSettings, ProviderAccount, UpdateOrganisationSettingsRequest};

/// The one provider that organisations can have an account of their own with.
const BLAND: &str = "bland";

impl access::Settings for Settings {
    async fn get_organisation_settings(
        &self,
        call: Call<rpc::GetOrganisationSettings>,
    ) -> Result<OrganisationSettings, Problem> {
        let scope = *call.scope();
        let find = move |db: &mut Db| -> Result<_> { Ok(store::find(db, &scope)?) };
        Ok(message(self.0.of(&scope).read(find).await?))
    }

    async fn update_organisation_settings(
        &self,
        call: Call<rpc::UpdateOrganisationSettings>,
    ) -> Result<OrganisationSettings, Problem> {
        let (scope, now) = (*call.scope(), self.0.clock.now());
        let entry = Entry::of(&call, Action::SettingsChanged);
        let patch = self.patch(call.request, scope.organisation_id(), now)?;
        let entry = entry.about(Subject::Organisation, scope.organisation_id()).within(scope.organisation_id());
        let entry = entry.with("fields", patch.fields());
        let update = move |db: &mut Db| -> Result<_> {
            if !patch.fields().is_empty() {
                store::update(db, &scope, &patch, now)?;
                audit::record(db, &entry, now)?;
            }
            Ok(store::find(db, &scope)?)
        };
        Ok(message(self.0.of(&scope).write(update).await?))
    }

    async fn get_calling_settings(&self, call: Call<rpc::GetCallingSettings>) -> Result<CallingSettings, Problem> {
        let id: OrganisationId = super::id("organisation_id", &call.request.organisation_id)?;
        let find = move |db: &mut Db| -> Result<_> { Ok(store::find_of(db, id)?) };
        let settings = message(self.0.pool.of(id).read(find).await?);
        Ok(CallingSettings {
            calling_window: settings.calling_window,
            pacing: settings.pacing,
            default_country: settings.default_country,
            timezone: settings.timezone,
            caps: settings.caps,
            retention: settings.retention,
        })
    }
}

impl Settings {
    /// What the request changes, if it may be so.
    fn patch(
        &self,
        request: UpdateOrganisationSettingsRequest,
        organisation: OrganisationId,
        now: Timestamp,
    ) -> Result<SettingsPatch, Problem> {
        if let Some(window) = &request.calling_window {
            check_window(window)?;
        }
        if let Some(code) = &request.default_country {
            check_country(code)?;
        }
        let mut patch = SettingsPatch {
            calling_window: request.calling_window.map(Json),
            pacing: request.pacing.map(Json),
            default_country: request.default_country,
            timezone: request.timezone.as_deref().map(timezone).transpose()?,
            caps: request.caps.map(Json),
            retention: request.retention.map(Json),
            ..SettingsPatch::default()
        };
        let Some(key) = request.bland_api_key.map(Secret::new) else { return Ok(patch) };
        let (sealed, hint) = if key.is_empty() {
            (None, None)
        } else {
            let hint = key_hint(&key)?;
            (Some(self.0.vault.seal_provider_key(organisation, &key)?), Some(hint))
        };
        patch.bland_key_updated_at = Some(sealed.is_some().then_some(Sql(now)));
        (patch.bland_api_key, patch.bland_key_hint) = (Some(sealed), Some(hint));
        Ok(patch)
    }
}

/// With the defaults of what nobody has set.
fn message(row: SettingsRow) -> OrganisationSettings {
    let provider = row.bland_key_hint.map(|key_hint| ProviderAccount {
        kind: BLAND.to_owned(),
        key_hint,
        updated_at: row.bland_key_updated_at.map(|at| at.0.into()),
    });
    OrganisationSettings {
        calling_window: Some(row.calling_window.map_or_else(default_window, |window| window.0)),
        pacing: Some(row.pacing.map_or(DEFAULT_PACING, |pacing| pacing.0)),
        default_country: row.default_country.unwrap_or_default(),
        timezone: row.timezone.unwrap_or_else(|| DEFAULT_TIMEZONE.to_owned()),
        caps: Some(row.caps.map_or(DEFAULT_CAPS, |caps| caps.0)),
        retention: Some(row.retention.map_or(DEFAULT_RETENTION, |retention| retention.0)),
        provider,
        updated_at: row.updated_at.map(|at| at.0.into()),
    }
}
