//! How organisations call.

use super::schema::settings;
use access::OrgScope;
use callfairy_core::{OrganisationId, Timestamp};
use db::{Db, Json, Sql, on};
use diesel::prelude::*;
use proto::tenancy::{CallingCaps, Retention};
use proto::types::{CallingWindow, Pacing};

/// `None` is what nobody has set. The provider's key stays where it is.
#[derive(Debug, Default, Queryable, Selectable)]
#[diesel(table_name = settings)]
pub struct SettingsRow {
    pub calling_window: Option<Json<CallingWindow>>,
    pub pacing: Option<Json<Pacing>>,
    pub default_country: Option<String>,
    pub timezone: Option<String>,
    pub caps: Option<Json<CallingCaps>>,
    pub retention: Option<Json<Retention>>,
    pub bland_key_hint: Option<String>,
    pub bland_key_updated_at: Option<Sql<Timestamp>>,
    #[diesel(select_expression = settings::updated_at.nullable())]
    pub updated_at: Option<Sql<Timestamp>>,
}

/// `None` leaves a field as it is.
#[derive(Default, Insertable, AsChangeset)]
#[diesel(table_name = settings)]
#[expect(clippy::option_option, reason = "this is how diesel tells a field that is left from one that is emptied")]
pub struct SettingsPatch {
    pub calling_window: Option<Json<CallingWindow>>,
    pub pacing: Option<Json<Pacing>>,
    pub default_country: Option<String>,
    pub timezone: Option<String>,
    pub caps: Option<Json<CallingCaps>>,
    pub retention: Option<Json<Retention>>,
    /// Sealed. `Some(None)` removes it.
    pub bland_api_key: Option<Option<Vec<u8>>>,
    pub bland_key_hint: Option<Option<String>>,
    pub bland_key_updated_at: Option<Option<Sql<Timestamp>>>,
}

impl SettingsPatch {
    /// The names of those that it sets, as the contract has them.
    pub fn fields(&self) -> Vec<&'static str> {
        let fields = [
            ("calling_window", self.calling_window.is_some()),
            ("pacing", self.pacing.is_some()),
            ("default_country", self.default_country.is_some()),
            ("timezone", self.timezone.is_some()),
            ("caps", self.caps.is_some()),
            ("retention", self.retention.is_some()),
            ("bland_api_key", self.bland_api_key.is_some()),
        ];
        fields.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
    }
}

pub fn find(db: &mut Db, scope: &OrgScope) -> QueryResult<SettingsRow> {
    find_of(db, scope.organisation_id())
}

/// Any organisation's: for the platform itself.
pub fn find_of(db: &mut Db, organisation: OrganisationId) -> QueryResult<SettingsRow> {
    let found =
        on!(db, |c| settings::table.find(Sql(organisation)).select(SettingsRow::as_select()).first(c).optional())?;
    Ok(found.unwrap_or_default())
}

pub fn update(db: &mut Db, scope: &OrgScope, patch: &SettingsPatch, now: Timestamp) -> QueryResult<()> {
    let id = settings::organisation_id.eq(Sql(scope.organisation_id()));
    let at = settings::updated_at.eq(Sql(now));
    on!(db, |c| diesel::insert_into(settings::table)
        .values((id, patch, at))
        .on_conflict(settings::organisation_id)
        .do_update()
        .set((patch, at))
        .execute(c))?;
    Ok(())
}
