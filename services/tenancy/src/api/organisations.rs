//! The tenants.

use super::Organisations;
use crate::domain::access::in_organisation;
use crate::store::assignments::{self, Agent};
use crate::store::organisations::{self as store, OrganisationPatch, OrganisationRow};
use crate::store::{members, snapshots};
use crate::{Error, Result, reviews};
use access::{Call, OrgScope};
use audit::{Action, Entry, Subject};
use callfairy_core::{ErrorCode, OrganisationId, Page, Problem, Timestamp};
use db::{Db, Sql, idempotency};
use proto::Permission::ManageOrganisation;
use proto::rpc::organisations as rpc;
use proto::tenancy::{
    CreateOrganisationRequest, ListOrganisationsResponse, LookUpOrganisationsResponse, LookedUpOrganisation,
    Organisation, OrganisationAgent, UpdateOrganisationRequest,
};

impl access::Organisations for Organisations {
    async fn list_organisations(
        &self,
        call: Call<rpc::ListOrganisations>,
    ) -> Result<ListOrganisationsResponse, Problem> {
        let user = call.user()?.id;
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let search = call.request.search;
        let list = move |db: &mut Db| -> Result<_> {
            let facts = snapshots::facts(db, user)?;
            let mut rows = store::page(db, snapshots::visible(user, &facts), &search, &page)?;
            let next_page_token = page.cut(&mut rows, OrganisationRow::page_key);
            let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
            let (mut agents, joined) = (assignments::agents_of(db, &ids)?, members::joined_among(db, user, &ids)?);
            let organisations = rows.into_iter().map(|row| {
                let agent = agents.remove(&row.id.0);
                let snapshot = in_organisation(&facts, Some(row.standing()), joined.contains(&row.id.0));
                message(row, agent, snapshot.permissions.contains(ManageOrganisation))
            });
            Ok(ListOrganisationsResponse { organisations: organisations.collect(), next_page_token })
        };
        Ok(self.0.of_everyone().read(list).await?)
    }

    async fn create_organisation(&self, call: Call<rpc::CreateOrganisation>) -> Result<Organisation, Problem> {
        let (once, now) = (call.once_key(), self.0.clock.now());
        let entry = Entry::of(&call, Action::OrganisationCreated);
        let row = new_row(call.request, now);
        let entry = entry.about(Subject::Organisation, row.id.0).within(row.id.0);
        let create = move |db: &mut Db| -> Result<_> {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                store::insert(db, &row)?;
                audit::record(db, &entry, now)?;
                // Who may create may manage.
                Ok(message(row.clone(), None, true))
            })
        };
        Ok(self.0.pool.write(create).await?)
    }

    async fn get_organisation(&self, call: Call<rpc::GetOrganisation>) -> Result<Organisation, Problem> {
        let (scope, can_manage) = (*call.scope(), call.can(ManageOrganisation));
        Ok(self.0.pool.read(move |db| get(db, &scope, can_manage)).await?)
    }

    async fn update_organisation(&self, call: Call<rpc::UpdateOrganisation>) -> Result<Organisation, Problem> {
        let (scope, can_manage, now) = (*call.scope(), call.can(ManageOrganisation), self.0.clock.now());
        let is_superadmin = call.is_superadmin();
        let entry = Entry::of(&call, Action::OrganisationChanged);
        let patch = patch(call.request, is_superadmin)?;
        let entry = entry.about(Subject::Organisation, scope.organisation_id()).within(scope.organisation_id());
        let entry = entry.with("fields", patch.fields());
        let entry = patch.is_active.map_or(entry.clone(), |is_active| entry.with("is_active", is_active));
        let update = move |db: &mut Db| -> Result<_> {
            if patch != OrganisationPatch::default() {
                store::update(db, &scope, &patch, now)?;
                audit::record(db, &entry, now)?;
            }
            if patch.is_active == Some(false) {
                reviews::of_organisation(db, scope.organisation_id())?;
            }
            get(db, &scope, can_manage)
        };
        Ok(self.0.pool.write(update).await?)
    }

    async fn look_up_organisations(
        &self,
        call: Call<rpc::LookUpOrganisations>,
    ) -> Result<LookUpOrganisationsResponse, Problem> {
        let ids = super::ids::<callfairy_core::Organisation>("ids", &call.request.ids)?;
        let rows = self.0.pool.read(move |db| Ok::<_, Error>(store::look_up(db, &ids)?)).await?;
        let looked_up = |row: OrganisationRow| LookedUpOrganisation {
            id: row.id.to_string(),
            name: row.name,
            is_active: row.is_active,
        };
        Ok(LookUpOrganisationsResponse { organisations: rows.into_iter().map(looked_up).collect() })
    }
}

fn get(db: &mut Db, scope: &OrgScope, can_manage: bool) -> Result<Organisation> {
    let row = store::find(db, scope)?.ok_or_else(Problem::not_found)?;
    let agent = assignments::agents_of(db, &[scope.organisation_id()])?.remove(&scope.organisation_id());
    Ok(message(row, agent, can_manage))
}

fn new_row(request: CreateOrganisationRequest, now: Timestamp) -> OrganisationRow {
    let name = request.name.trim().to_owned();
    OrganisationRow {
        id: Sql(OrganisationId::new()),
        sort_name: store::sort_name(&name),
        name,
        description: request.description,
        address: request.address,
        city: request.city,
        state: request.state,
        country: request.country,
        pincode: request.pincode,
        is_active: true,
        created_at: Sql(now),
        updated_at: Sql(now),
    }
}

/// What the request changes, if the caller may change that.
fn patch(request: UpdateOrganisationRequest, is_superadmin: bool) -> Result<OrganisationPatch, Problem> {
    if request.is_active.is_some() && !is_superadmin {
        return Err(Problem::new(ErrorCode::PermissionDenied, "is_active is for superadmins"));
    }
    let name = request.name.map(|name| name.trim().to_owned());
    if name.as_deref() == Some("") {
        return Err(Problem::field("name", "is required"));
    }
    Ok(OrganisationPatch {
        name,
        description: request.description,
        address: request.address,
        city: request.city,
        state: request.state,
        country: request.country,
        pincode: request.pincode,
        is_active: request.is_active,
    })
}

fn message(row: OrganisationRow, agent: Option<Agent>, can_manage: bool) -> Organisation {
    Organisation {
        id: row.id.to_string(),
        name: row.name,
        description: row.description,
        address: row.address,
        city: row.city,
        state: row.state,
        country: row.country,
        pincode: row.pincode,
        is_active: row.is_active,
        agent: agent.map(|agent| OrganisationAgent {
            user_id: agent.user_id.to_string(),
            name: agent.name,
            email: agent.email,
        }),
        can_manage,
        created_at: Some(row.created_at.0.into()),
    }
}
