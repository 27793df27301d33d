//! What is said on a call.

use crate::api::Parsed as _;
use crate::domain::ids::AssistantId;
use crate::domain::script::{Script, Voicemail};
use crate::error::Result;
use crate::state::State;
use crate::store::assistants::{self, AssistantRow};
use crate::store::campaigns;
use access::Call;
use callfairy_core::{Id, Page, Problem};
use db::{Json, Sql, idempotency};
use proto::rpc::assistants as rpc;
use proto::telephony as api;
use proto::types::Empty;

#[derive(Debug)]
pub struct Assistants(pub State);

impl access::Assistants for Assistants {
    async fn list_assistants(
        &self,
        call: Call<rpc::ListAssistants>,
    ) -> std::result::Result<api::ListAssistantsResponse, Problem> {
        let page = Page::parse(call.request.page_size, &call.request.page_token)?;
        let scope = *call.scope();
        let mut rows = {
            let page = page.clone();
            self.0.of(&scope).read(move |db| -> Result<_> { Ok(assistants::page(db, &scope, &page)?) }).await?
        };
        let next_page_token = page.cut(&mut rows, |row| row.id.0);
        Ok(api::ListAssistantsResponse { assistants: rows.into_iter().map(to_api).collect(), next_page_token })
    }

    async fn create_assistant(&self, call: Call<rpc::CreateAssistant>) -> std::result::Result<api::Assistant, Problem> {
        let (once, scope, now) = (call.once_key(), *call.scope(), self.0.now());
        let request = call.request;
        let row = AssistantRow {
            id: Sql(Id::new()),
            organisation_id: Sql(scope.organisation_id()),
            name: request.name,
            script: Json(Script {
                task: request.prompt,
                first_sentence: request.first_sentence,
                voice: request.voice,
                model: request.model,
                language: request.language,
                max_duration: request.max_duration,
                record: request.record,
                wait_for_greeting: false,
                voicemail: request.voicemail.and_then(Voicemail::from_api),
            }),
            created_at: Sql(now),
            updated_at: Sql(now),
        };
        let create = move |db: &mut db::Db| {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                assistants::insert(db, &row)?;
                Ok(to_api(row.clone()))
            })
        };
        Ok(self.0.of(&scope).write(create).await?)
    }

    async fn get_assistant(&self, call: Call<rpc::GetAssistant>) -> std::result::Result<api::Assistant, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(assistants::find(db, &scope, id)?) }).await?;
        row.map(to_api).ok_or_else(Problem::not_found)
    }

    async fn update_assistant(&self, call: Call<rpc::UpdateAssistant>) -> std::result::Result<api::Assistant, Problem> {
        let (scope, now, request) = (*call.scope(), self.0.now(), call.request);
        let id: AssistantId = request.id.id("id")?;
        for (field, value) in [("name", &request.name), ("prompt", &request.prompt)] {
            if value.as_ref().is_some_and(|v| v.trim().is_empty()) {
                return Err(Problem::field(field, "must not be empty"));
            }
        }
        let update = move |db: &mut db::Db| -> Result<_> {
            let Some(mut row) = assistants::lock(db, &scope, id)? else { return Err(Problem::not_found().into()) };
            change(&mut row, &request);
            row.updated_at = Sql(now);
            if !assistants::save(db, &scope, &row)? {
                return Err(Problem::not_found().into());
            }
            Ok(to_api(row))
        };
        Ok(self.0.of(&scope).write(update).await?)
    }

    async fn delete_assistant(&self, call: Call<rpc::DeleteAssistant>) -> std::result::Result<Empty, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let delete = move |db: &mut db::Db| -> Result<_> {
            if campaigns::uses_assistant(db, &scope, id)? {
                return Err(Problem::conflict("a campaign that is not over uses this assistant").into());
            }
            assistants::delete(db, &scope, id)?.then_some(Empty {}).ok_or_else(|| Problem::not_found().into())
        };
        Ok(self.0.of(&scope).write(delete).await?)
    }
}

/// Only what the request has is changed.
fn change(row: &mut AssistantRow, request: &api::UpdateAssistantRequest) {
    let script = &mut row.script.0;
    if let Some(name) = &request.name {
        row.name.clone_from(name);
    }
    if let Some(prompt) = &request.prompt {
        script.task.clone_from(prompt);
    }
    for (current, new) in [
        (&mut script.first_sentence, &request.first_sentence),
        (&mut script.voice, &request.voice),
        (&mut script.model, &request.model),
        (&mut script.language, &request.language),
    ] {
        if new.is_some() {
            current.clone_from(new);
        }
    }
    script.max_duration = request.max_duration.or(script.max_duration);
    script.record = request.record.unwrap_or(script.record);
    if let Some(voicemail) = request.voicemail.clone() {
        script.voicemail = Voicemail::from_api(voicemail);
    }
}

fn to_api(row: AssistantRow) -> api::Assistant {
    let script = row.script.0;
    api::Assistant {
        id: row.id.to_string(),
        name: row.name,
        prompt: script.task,
        first_sentence: script.first_sentence,
        voice: script.voice,
        model: script.model,
        language: script.language,
        max_duration: script.max_duration,
        record: script.record,
        voicemail: script.voicemail.as_ref().map(Into::into),
        created_at: Some(row.created_at.0.into()),
        updated_at: Some(row.updated_at.0.into()),
    }
}
