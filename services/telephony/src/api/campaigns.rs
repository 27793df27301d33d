//! Campaigns: what people do with them. Their calls are made and released by the dispatcher.

use crate::api::{Parsed as _, calls as call_api};
use crate::domain::call_status::CallStatus;
use crate::domain::campaign::{CampaignStatus, DEFAULT_PACING, Selection};
use crate::domain::ids::{AssistantId, CampaignId};
use crate::domain::script::Script;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store::assistants;
use crate::store::calls::Filter;
use crate::store::campaigns::{self, CampaignRow};
use crate::store::stream::{self, Subject};
use access::{Call, OrgScope};
use audit::{Action, Entry};
use callfairy_core::{Id, Page, Problem, Timestamp};
use db::{Db, Json, Sql, idempotency};
use proto::rpc::campaigns as rpc;
use proto::telephony as api;

#[derive(Debug)]
pub struct Campaigns(pub State);

impl access::Campaigns for Campaigns {
    async fn list_campaigns(
        &self,
        call: Call<rpc::ListCampaigns>,
    ) -> std::result::Result<api::ListCampaignsResponse, Problem> {
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let (scope, status) = (*call.scope(), CampaignStatus::from_api(call.request.status()));
        let of = page.clone();
        let read = move |db: &mut Db| -> Result<_> { Ok(campaigns::page(db, &scope, status, &of)?) };
        let mut rows = self.0.of(&scope).read(read).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.0);
        Ok(api::ListCampaignsResponse { campaigns: rows.iter().map(to_api).collect(), next_page_token })
    }

    async fn create_campaign(&self, call: Call<rpc::CreateCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let (once, scope, now) = (call.once_key(), *call.scope(), self.0.now());
        let request = call.request;
        let assistant: Option<AssistantId> = request.assistant_id.optional_id("assistant_id")?;
        match (request.task.trim().is_empty(), assistant) {
            (true, None) => return Err(Problem::field("task", "is required, unless assistant_id is given")),
            (false, Some(_)) => return Err(Problem::field("task", "cannot be given with assistant_id")),
            _ => {}
        }
        let selection = Selection::parse(request.contacts.unwrap_or_default())?;
        let pacing = match request.pacing {
            Some(pacing) => pacing,
            None => self.0.organisations.settings(scope.organisation_id()).await?.pacing.unwrap_or(DEFAULT_PACING),
        };
        let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let create = move |db: &mut Db| {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                let script = match assistant {
                    Some(id) => {
                        let unknown = || Problem::field("assistant_id", "is not an assistant of this organisation");
                        assistants::find(db, &scope, id)?.ok_or_else(unknown)?.script.0
                    }
                    None => Script { task: request.task.clone(), ..Script::default() },
                };
                let row = CampaignRow {
                    id: Sql(Id::new()),
                    organisation_id: Sql(scope.organisation_id()),
                    name: request.name.clone(),
                    status: CampaignStatus::Draft,
                    assistant_id: assistant.map(Sql),
                    script: Json(script),
                    selection: Json(selection.clone()),
                    max_concurrent: whole(pacing.max_concurrent),
                    calls_per_second: whole(pacing.calls_per_second),
                    filled: false,
                    filled_to: None,
                    next_release_at: None,
                    queued: 0,
                    active: 0,
                    completed: 0,
                    no_answer: 0,
                    busy: 0,
                    voicemail: 0,
                    failed: 0,
                    canceled: 0,
                    blocked: 0,
                    unknown: 0,
                    created_at: Sql(now),
                    updated_at: Sql(now),
                    started_at: None,
                    finished_at: None,
                };
                campaigns::insert(db, &row)?;
                stream::add(db, scope.organisation_id(), Subject::Campaign(row.id.0), now)?;
                Ok(to_api(&row))
            })
        };
        Ok(self.0.of(&scope).write(create).await?)
    }

    async fn get_campaign(&self, call: Call<rpc::GetCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(campaigns::find(db, &scope, id)?) }).await?;
        row.as_ref().map(to_api).ok_or_else(Problem::not_found)
    }

    async fn start_campaign(&self, call: Call<rpc::StartCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let (id, entry) = (call.request.id.id("id")?, Entry::of(&call, Action::CampaignStarted));
        self.change(*call.scope(), id, Some(entry), |row, now| match row.status {
            CampaignStatus::Draft => {
                row.status = CampaignStatus::Running;
                row.started_at = Some(Sql(now));
                Ok(())
            }
            _ => Err(Problem::conflict("only a draft can be started")),
        })
        .await
    }

    async fn pause_campaign(&self, call: Call<rpc::PauseCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let id = call.request.id.id("id")?;
        self.change(*call.scope(), id, None, |row, _| match row.status {
            CampaignStatus::Running | CampaignStatus::Paused => {
                row.status = CampaignStatus::Paused;
                Ok(())
            }
            _ => Err(Problem::conflict("only a running campaign can be paused")),
        })
        .await
    }

    async fn resume_campaign(&self, call: Call<rpc::ResumeCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let id = call.request.id.id("id")?;
        self.change(*call.scope(), id, None, |row, _| match row.status {
            CampaignStatus::Running | CampaignStatus::Paused => {
                row.status = CampaignStatus::Running;
                Ok(())
            }
            _ => Err(Problem::conflict("only a paused campaign can be resumed")),
        })
        .await
    }

    async fn cancel_campaign(&self, call: Call<rpc::CancelCampaign>) -> std::result::Result<api::Campaign, Problem> {
        let (id, entry) = (call.request.id.id("id")?, Entry::of(&call, Action::CampaignCancelled));
        self.change(*call.scope(), id, Some(entry), |row, _| {
            if row.status == CampaignStatus::Completed {
                return Err(Problem::conflict("the campaign is completed"));
            }
            // The dispatcher cancels the calls that are not being dialed, and then finishes it.
            row.status = CampaignStatus::Cancelled;
            Ok(())
        })
        .await
    }

    async fn list_campaign_calls(
        &self,
        call: Call<rpc::ListCampaignCalls>,
    ) -> std::result::Result<api::ListCallsResponse, Problem> {
        let (scope, id): (_, CampaignId) = (*call.scope(), call.request.id.id("id")?);
        let found = self.0.of(&scope).read(move |db| -> Result<_> { Ok(campaigns::status(db, &scope, id)?) }).await?;
        found.ok_or_else(Problem::not_found)?;
        let status = CallStatus::from_api(call.request.status());
        let filter = Filter { campaign: Some(id), status, ..Filter::default() };
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        call_api::list(&self.0, scope, filter, page, call_api::disclosure(&call)).await
    }
}

impl Campaigns {
    /// Changes a locked campaign's status, and records that if there is an entry for it.
    async fn change(
        &self,
        scope: OrgScope,
        id: CampaignId,
        entry: Option<Entry>,
        change: impl Fn(&mut CampaignRow, Timestamp) -> std::result::Result<(), Problem> + Send + 'static,
    ) -> std::result::Result<api::Campaign, Problem> {
        let now = self.0.now();
        let entry = entry.map(|entry| entry.about(audit::Subject::Campaign, id).within(scope.organisation_id()));
        let write = move |db: &mut Db| -> Result<_> {
            let mut row = campaigns::lock(db, &scope, id)?.ok_or_else(|| Error::from(Problem::not_found()))?;
            let before = row.status;
            change(&mut row, now)?;
            if row.status != before {
                row.updated_at = Sql(now);
                campaigns::save(db, &row)?;
                stream::add(db, scope.organisation_id(), Subject::Campaign(id), now)?;
                if let Some(entry) = &entry {
                    audit::record(db, entry, now)?;
                }
            }
            Ok(to_api(&row))
        };
        Ok(self.0.of(&scope).write(write).await?)
    }
}

/// The campaign as the API shows it.
pub fn to_api(row: &CampaignRow) -> api::Campaign {
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    let (over, total) = (count(row.over()), count(row.total()));
    // Until all calls are made, nobody knows the share.
    #[allow(clippy::cast_precision_loss)] // a share, for showing
    let progress = if row.filled && total > 0 { over as f64 / total as f64 } else { 0.0 };
    let finished = row.filled && total == 0;
    api::Campaign {
        id: row.id.to_string(),
        name: row.name.clone(),
        status: row.status.to_api().into(),
        assistant_id: row.assistant_id.map(|id| id.to_string()),
        task: row.assistant_id.is_none().then(|| row.script.0.task.clone()),
        contacts: Some(row.selection.0.to_api()),
        pacing: Some(proto::types::Pacing {
            max_concurrent: row.max_concurrent.unsigned_abs(),
            calls_per_second: row.calls_per_second.unsigned_abs(),
        }),
        counts: Some(api::CampaignCounts {
            total,
            queued: count(row.queued),
            active: count(row.active),
            completed: count(row.completed),
            no_answer: count(row.no_answer),
            busy: count(row.busy),
            voicemail: count(row.voicemail),
            failed: count(row.failed),
            canceled: count(row.canceled),
            blocked: count(row.blocked),
            unknown: count(row.unknown),
        }),
        progress: if finished { 1.0 } else { progress },
        created_at: Some(row.created_at.0.into()),
        started_at: row.started_at.map(|t| t.0.into()),
        finished_at: row.finished_at.map(|t| t.0.into()),
    }
}
