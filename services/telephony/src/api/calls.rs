//! Single calls, and everything that can be read of calls.

use crate::api::Parsed as _;
use crate::domain::call_status::CallStatus;
use crate::domain::ids::{AssistantId, CallEventId, CallId, ContactId};
use crate::domain::phone;
use crate::domain::script::{Script, Voicemail};
use crate::error::{Error, Result};
use crate::pipeline::{jobs, recording};
use crate::state::State;
use crate::store::call_events::{self, CallEventRow, Cause};
use crate::store::calls::{self, CallRow, Filter, NewCall};
use crate::store::stream::{self, Subject};
use crate::store::{assistants, contacts};
use access::{Call, OrgScope, Replies, Scoped};
use audit::{Action, Entry};
use callfairy_core::{Id, Page, Problem, Timestamp};
use db::{Db, idempotency, outbox};
use futures_util::StreamExt;
use proto::rpc::calls as rpc;
use proto::telephony as api;
use proto::types::Download;
use proto::{Permission, telephony::CreateCallRequest};
use std::time::Duration;

/// How far ahead a call can be scheduled.
const MAX_AHEAD: Duration = Duration::from_hours(366 * 24);

#[derive(Debug)]
pub struct Calls(pub State);

impl access::Calls for Calls {
    async fn create_call(&self, call: Call<rpc::CreateCall>) -> std::result::Result<api::Call, Problem> {
        let (once, scope, now) = (call.once_key(), *call.scope(), self.0.now());
        let (trace, request) = (call.trace().clone(), call.request);
        let order = Order::parse(&request, now)?;
        let create = move |db: &mut Db| {
            idempotency::answer(db, &once, now, |db| -> Result<_> {
                // By the clock that claims go by: a call must not seem early to its own message.
                let now = db.now()?;
                let row = order.clone().into_call(db, &scope, &request, now)?.row(&scope, now);
                calls::insert(db, &row)?;
                call_events::insert(db, &[CallEventRow::new(&scope, row.id.0, row.status, Cause::Accepted, now)])?;
                stream::add(db, scope.organisation_id(), Subject::Call(row.id.0), now)?;
                let delay = row.due_at.map(|due| due.0.since(now)).unwrap_or_default();
                let mut message = jobs::place(row.id.0, delay);
                message.headers.clone_from(&trace);
                outbox::add(db, message)?;
                Ok(to_api(row, false))
            })
        };
        Ok(self.0.of(&scope).write(create).await?)
    }

    async fn list_calls(&self, call: Call<rpc::ListCalls>) -> std::result::Result<api::ListCallsResponse, Problem> {
        let request = &call.request;
        let time = |t: Option<proto::Timestamp>, field| t.map(|t| t.instant(field)).transpose();
        let filter = Filter {
            status: CallStatus::from_api(request.status()),
            campaign: request.campaign_id.optional_id("campaign_id")?,
            contact: request.contact_id.optional_id("contact_id")?,
            phone_number: Some(request.phone_number.clone()).filter(|n| !n.is_empty()),
            from: time(request.from, "from")?,
            to: time(request.to, "to")?,
        };
        let page = Page::parse(request.page_size, &request.page_token)?;
        list(&self.0, *call.scope(), filter, page, disclosure(&call)).await
    }

    async fn get_call(&self, call: Call<rpc::GetCall>) -> std::result::Result<api::Call, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.find(scope, id).await?;
        let disclosure = disclosure(&call);
        if let Some(entry) = &disclosure
            && row.transcript.is_some()
        {
            self.0.record(&scope, entry.clone().about(audit::Subject::Call, id)).await?;
        }
        Ok(to_api(row, disclosure.is_some()))
    }

    async fn list_call_events(
        &self,
        call: Call<rpc::ListCallEvents>,
    ) -> std::result::Result<api::ListCallEventsResponse, Problem> {
        let page = Page::<CallEventId>::parse(call.request.page_size, &call.request.page_token)?;
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let of = page.clone();
        let read = move |db: &mut Db| -> Result<_> {
            calls::find(db, &scope, id)?.ok_or_else(|| Error::from(Problem::not_found()))?;
            Ok(call_events::page(db, &scope, id, &of)?)
        };
        let mut rows = self.0.of(&scope).read(read).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.0);
        Ok(api::ListCallEventsResponse { events: rows.into_iter().map(event_to_api).collect(), next_page_token })
    }

    async fn get_transcript(&self, call: Call<rpc::GetTranscript>) -> std::result::Result<api::Transcript, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.find(scope, id).await?;
        let turns = row.turns.ok_or_else(Problem::not_found)?.0;
        let entry = Entry::of(&call, Action::TranscriptRead).about(audit::Subject::Call, id);
        self.0.record(&scope, entry).await?;
        let turns = turns.into_iter().map(|turn| api::TranscriptTurn {
            speaker: turn.speaker,
            text: turn.text,
            at: turn.at.map(Into::into),
        });
        Ok(api::Transcript { turns: turns.collect() })
    }

    async fn download_recording(
        &self,
        call: Call<rpc::DownloadRecording>,
    ) -> std::result::Result<Replies<Download>, Problem> {
        let (scope, id) = (*call.scope(), call.request.id.id("id")?);
        let row = self.find(scope, id).await?;
        if !row.recorded {
            return Err(Problem::not_found());
        }
        let key = recording::key(scope.organisation_id(), id);
        let object = self.0.storage.get(&key).await.map_err(Error::from)?;
        let entry = Entry::of(&call, Action::RecordingRead).about(audit::Subject::Call, id);
        self.0.record(&scope, entry).await?;
        let content_type = row.recording_type.unwrap_or_else(|| "application/octet-stream".into());
        let extension = if content_type.contains("wav") { "wav" } else { "mp3" };
        let first =
            Download { filename: format!("call-{id}.{extension}"), content_type, size: object.size, data: vec![] };
        let pieces = object.stream.map(|piece| match piece {
            Ok(data) => Ok(Download { data: data.into(), ..Download::default() }),
            Err(error) => Err(Problem::from(Error::from(error))),
        });
        Ok(Box::pin(futures_util::stream::once(async { Ok(first) }).chain(pieces)))
    }
}

impl Calls {
    async fn find(&self, scope: OrgScope, id: CallId) -> std::result::Result<CallRow, Problem> {
        let row = self.0.of(&scope).read(move |db| -> Result<_> { Ok(calls::find(db, &scope, id)?) }).await?;
        row.ok_or_else(Problem::not_found)
    }
}

/// What is recorded of showing somebody what was said; `None` for those who do not see it.
pub fn disclosure<R: Scoped>(call: &Call<R>) -> Option<Entry> {
    call.can(Permission::ViewCallRecordings).then(|| Entry::of(call, Action::TranscriptRead))
}

/// A page of calls, for all lists of calls; with what was said where that can be recorded.
pub async fn list(
    state: &State,
    scope: OrgScope,
    filter: Filter,
    page: Page<CallId>,
    disclosure: Option<Entry>,
) -> std::result::Result<api::ListCallsResponse, Problem> {
    let of = page.clone();
    let read = move |db: &mut Db| -> Result<_> { Ok(calls::page(db, &scope, &filter, &of)?) };
    let mut rows = state.of(&scope).read(read).await?;
    let next_page_token = page.cut(&mut rows, |row| row.id.0);
    let disclosed: Vec<CallId> = rows.iter().filter(|row| row.transcript.is_some()).map(|row| row.id.0).collect();
    if let Some(entry) = &disclosure
        && !disclosed.is_empty()
    {
        let count = u64::try_from(disclosed.len()).unwrap_or(u64::MAX);
        state.record(&scope, entry.clone().with("count", count).with("calls", disclosed)).await?;
    }
    let is_disclosed = disclosure.is_some();
    Ok(api::ListCallsResponse { calls: rows.into_iter().map(|r| to_api(r, is_disclosed)).collect(), next_page_token })
}

/// A request for a call, as far as it can be checked without the database.
#[derive(Debug, Clone)]
struct Order {
    phone_number: Option<String>,
    contact: Option<ContactId>,
    assistant: Option<AssistantId>,
    scheduled_at: Option<Timestamp>,
}

impl Order {
    fn parse(request: &CreateCallRequest, now: Timestamp) -> std::result::Result<Self, Problem> {
        let contact = request.contact_id.optional_id("contact_id")?;
        let assistant = request.assistant_id.optional_id("assistant_id")?;
        let phone_number = match (request.phone_number.as_str(), contact) {
            ("", None) => return Err(Problem::field("phone_number", "is required, unless contact_id is given")),
            ("", Some(_)) => None,
            (_, Some(_)) => return Err(Problem::field("contact_id", "cannot be given with phone_number")),
            (number, None) => {
                Some(phone::parse(number, None).map_err(|e| Problem::field("phone_number", e.to_string()))?)
            }
        };
        if request.task.trim().is_empty() && assistant.is_none() {
            return Err(Problem::field("task", "is required, unless assistant_id is given"));
        }
        let scheduled_at = request.scheduled_at.map(|t| t.instant("scheduled_at")).transpose()?;
        if scheduled_at.is_some_and(|at| at > now.plus(MAX_AHEAD)) {
            return Err(Problem::field("scheduled_at", "is more than a year ahead"));
        }
        Ok(Self { phone_number, contact, assistant, scheduled_at })
    }

    /// Reads contact and assistant; what the request says itself overrules the assistant.
    fn into_call(self, db: &mut Db, scope: &OrgScope, request: &CreateCallRequest, now: Timestamp) -> Result<NewCall> {
        let phone_number = match (self.phone_number, self.contact) {
            (Some(number), _) => number,
            (None, Some(id)) => {
                let contact = contacts::find(db, scope, id)?;
                contact
                    .ok_or_else(|| Problem::field("contact_id", "is not a contact of this organisation"))?
                    .phone_number
            }
            (None, None) => return Err(Problem::field("phone_number", "is required").into()),
        };
        let mut script = match self.assistant {
            Some(id) => {
                let assistant = assistants::find(db, scope, id)?;
                let unknown = || Problem::field("assistant_id", "is not an assistant of this organisation");
                assistant.ok_or_else(unknown)?.script.0
            }
            None => Script::default(),
        };
        overrule(&mut script, request);
        Ok(NewCall {
            id: Id::new(),
            phone_number,
            contact_id: self.contact,
            campaign_id: None,
            assistant_id: self.assistant,
            script,
            metadata: request.metadata.clone(),
            scheduled_at: self.scheduled_at,
            due_at: Some(self.scheduled_at.unwrap_or(now).max(now)),
        })
    }
}

fn overrule(script: &mut Script, request: &CreateCallRequest) {
    if !request.task.trim().is_empty() {
        script.task.clone_from(&request.task);
    }
    for (current, said) in [
        (&mut script.voice, &request.voice),
        (&mut script.model, &request.model),
        (&mut script.first_sentence, &request.first_sentence),
        (&mut script.language, &request.language),
    ] {
        if said.is_some() {
            current.clone_from(said);
        }
    }
    script.max_duration = request.max_duration.or(script.max_duration);
    script.record = request.record.unwrap_or(script.record);
    script.wait_for_greeting = request.wait_for_greeting.unwrap_or(script.wait_for_greeting);
    if let Some(voicemail) = request.voicemail.clone() {
        script.voicemail = Voicemail::from_api(voicemail);
    }
}

/// The call as the API shows it; what was said and recorded only to those who may see it.
pub fn to_api(row: CallRow, with_transcript: bool) -> api::Call {
    let recording = format!("/api/v1/organisations/{}/calls/{}/recording", row.organisation_id, row.id);
    api::Call {
        id: row.id.to_string(),
        status: row.status.to_api().into(),
        phone_number: row.phone_number,
        contact_id: row.contact_id.map(|id| id.to_string()),
        campaign_id: row.campaign_id.map(|id| id.to_string()),
        assistant_id: row.assistant_id.map(|id| id.to_string()),
        task: row.script.0.task,
        reason: row.reason,
        attempts: row.attempts.unsigned_abs(),
        needs_review: row.needs_review,
        answered_by: row.answered_by,
        duration: row.duration.map(i32::unsigned_abs),
        price: row.price_micros.map(dollars),
        summary: row.summary.filter(|_| with_transcript),
        transcript: row.transcript.filter(|_| with_transcript),
        recording_url: Some(recording).filter(|_| with_transcript && row.recorded),
        metadata: row.metadata.0,
        scheduled_at: row.scheduled_at.map(|t| t.0.into()),
        started_at: row.started_at.map(|t| t.0.into()),
        ended_at: row.ended_at.map(|t| t.0.into()),
        created_at: Some(row.created_at.0.into()),
        updated_at: Some(row.updated_at.0.into()),
    }
}

/// Millionths as a decimal number, without a float in between.
fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let short = text.trim_end_matches('0');
    // Two digits at least, as prices are written.
    let digits = short.len() - short.find('.').unwrap_or(short.len()) - 1;
    format!("{short}{}", "0".repeat(2_usize.saturating_sub(digits)))
}

fn event_to_api(row: CallEventRow) -> api::CallEvent {
    api::CallEvent {
        id: row.id.to_string(),
        status: row.status.to_api().into(),
        cause: row.cause.to_string(),
        detail: row.detail,
        attempt: row.attempt.map(i32::unsigned_abs),
        at: Some(row.at.0.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn prices() {
        assert_eq!(dollars(90_000), "0.09");
        assert_eq!(dollars(1_500_000), "1.50");
        assert_eq!(dollars(1), "0.000001");
        assert_eq!(dollars(0), "0.00");
        assert_eq!(dollars(-2_345_678), "-2.345678");
    }
}
