//! What workers ask for and report; each is one transaction of `pipeline`.

use crate::api::Parsed as _;
use crate::domain::ids::{AttemptId, CallId};
use crate::error::Result;
use crate::pipeline::{claim, lookup, recording, send};
use crate::state::State;
use crate::store::call_events::Cause;
use access::{Call, SystemScope};
use callfairy_core::{OrganisationId, Problem};
use db::Db;
use proto::jobs;
use proto::rpc::call_jobs as rpc;
use proto::types::Empty;

#[derive(Debug)]
pub struct CallJobs(pub State);

impl access::CallJobs for CallJobs {
    async fn claim_call(&self, call: Call<rpc::ClaimCall>) -> std::result::Result<jobs::ClaimCallResponse, Problem> {
        let id: CallId = call.request.call_id.id("call_id")?;
        let Some(scope) =
            self.0.of_everyone(SystemScope::for_background_work()).read(move |db| claim::organisation(db, id)).await?
        else {
            return Ok(jobs::ClaimCallResponse::default());
        };
        let active = self.0.organisations.is_active(scope.organisation_id()).await?;
        let (worker, settings) = (call.request.worker, self.0.calls.clone());
        let claim = move |db: &mut Db| claim::claim(db, &scope, id, &worker, active, &settings);
        let claimed = self.0.of(&scope).write(claim).await?;
        Ok(jobs::ClaimCallResponse { order: claimed.map(|claimed| self.order(claimed)) })
    }

    async fn begin_send(&self, call: Call<rpc::BeginSend>) -> std::result::Result<Empty, Problem> {
        let id: AttemptId = call.request.attempt_id.id("attempt_id")?;
        let (epoch, settings) = (call.request.epoch, self.0.calls.clone());
        let begun = self
            .0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| send::begin(db, id, epoch, &settings))
            .await?;
        begun.then_some(Empty {}).ok_or_else(|| Problem::conflict("the claim is no longer yours"))
    }

    async fn report_send(&self, call: Call<rpc::ReportSend>) -> std::result::Result<Empty, Problem> {
        let id: AttemptId = call.request.attempt_id.id("attempt_id")?;
        let dice = rand::random::<f64>();
        let (request, settings) = (call.request, self.0.calls.clone());
        self.0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| send::report(db, id, &request, dice, &settings))
            .await?;
        Ok(Empty {})
    }

    async fn release_call(&self, call: Call<rpc::ReleaseCall>) -> std::result::Result<Empty, Problem> {
        let id: AttemptId = call.request.attempt_id.id("attempt_id")?;
        let epoch = call.request.epoch;
        self.0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| send::release(db, id, epoch, Cause::ClaimReleased))
            .await?;
        Ok(Empty {})
    }

    async fn get_lookup(&self, call: Call<rpc::GetLookup>) -> std::result::Result<jobs::GetLookupResponse, Problem> {
        let id: CallId = call.request.call_id.id("call_id")?;
        let found = self
            .0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| -> Result<_> { lookup::find(db, id) })
            .await?;
        let lookup = found.map(|(call, attempt)| jobs::Lookup {
            attempt_id: attempt.id.to_string(),
            provider_call_id: attempt.provider_call_id.unwrap_or_default(),
            phone_number: call.phone_number,
            sent_at: attempt.sent_at.map(|t| t.0.into()),
        });
        Ok(jobs::GetLookupResponse { lookup })
    }

    async fn report_lookup(&self, call: Call<rpc::ReportLookup>) -> std::result::Result<Empty, Problem> {
        let id: AttemptId = call.request.attempt_id.id("attempt_id")?;
        let (report, settings) = (call.request.report, self.0.calls.clone());
        self.0
            .of_everyone(SystemScope::for_background_work())
            .write(move |db| lookup::answer(db, id, report.as_ref(), &settings))
            .await?;
        Ok(Empty {})
    }

    async fn get_recording_job(
        &self,
        call: Call<rpc::GetRecordingJob>,
    ) -> std::result::Result<jobs::GetRecordingJobResponse, Problem> {
        let id: CallId = call.request.call_id.id("call_id")?;
        let found =
            self.0.of_everyone(SystemScope::for_background_work()).write(move |db| recording::find(db, id)).await?;
        let job = found.map(|call| jobs::GetRecordingJobResponse {
            key: recording::key(call.organisation_id.0, id),
            recording_url: call.recording_source.unwrap_or_default(),
        });
        Ok(job.unwrap_or_default())
    }

    async fn report_recording(&self, call: Call<rpc::ReportRecording>) -> std::result::Result<Empty, Problem> {
        let id: CallId = call.request.call_id.id("call_id")?;
        let request = call.request;
        let write = move |db: &mut Db| {
            if request.stored {
                recording::stored(db, id, &request.content_type, request.size)
            } else {
                recording::lost(db, id)
            }
        };
        self.0.of_everyone(SystemScope::for_background_work()).write(write).await?;
        Ok(Empty {})
    }
}

impl CallJobs {
    fn order(&self, claimed: claim::Claimed) -> jobs::CallOrder {
        let (call, attempt) = (claimed.call, claimed.attempt);
        let script = call.script.0;
        jobs::CallOrder {
            call_id: call.id.to_string(),
            attempt_id: attempt.id.to_string(),
            attempt: attempt.number.unsigned_abs(),
            epoch: attempt.epoch,
            phone_number: call.phone_number,
            task: script.task,
            first_sentence: script.first_sentence,
            voice: script.voice,
            model: script.model,
            language: script.language,
            max_duration: script.max_duration,
            record: script.record,
            wait_for_greeting: script.wait_for_greeting,
            voicemail: script.voicemail.as_ref().map(Into::into),
            webhook_url: self.webhook_url(call.organisation_id.0),
            metadata: call.metadata.0,
        }
    }

    fn webhook_url(&self, organisation: OrganisationId) -> String {
        let base = self.0.calls.public_url.as_str().trim_end_matches('/');
        format!("{base}/api/v1/webhooks/bland/{}", self.0.calls.webhook_tokens.make(organisation))
    }
}
