//! Copying recordings from the provider into the object store.

use crate::job;
use crate::telephony::{Telephony, unanswered};
use proto::jobs::{GetRecordingJobRequest, GetRecordingJobResponse, RecordingJob, ReportRecordingRequest};
use proto::rpc::call_jobs as rpc;
use queue::{Message, Outcome};
use runtime::{chain, telemetry};
use std::error::Error;
use std::sync::Arc;
use storage::{Storage, StorageError};
use tracing::Instrument as _;
use uuid::Uuid;
use voice::bland::MAX_RECORDING_BYTES;
use voice::{Account, LookupError, Recording, VoiceProvider};

/// Characters of a content type that are kept.
const MAX_CONTENT_TYPE: usize = 200;

#[derive(Clone)]
pub struct Recordings {
    pub telephony: Telephony,
    pub provider: Arc<dyn VoiceProvider>,
    pub account: Account,
    pub storage: Storage,
}

impl Recordings {
    pub async fn handle(self, message: Message) -> Outcome {
        let call = match job::read::<RecordingJob>(&message.body).and_then(|body| job::id(&body.call_id)) {
            Ok(call) => call,
            Err(reason) => return Outcome::Dead(reason),
        };
        let span = tracing::info_span!("recording job", %call);
        telemetry::set_parent(&span, &message.headers);
        async move { self.copy(call).await.unwrap_or_else(|outcome| outcome) }.instrument(span).await
    }

    async fn copy(&self, call: Uuid) -> Result<Outcome, Outcome> {
        let request = GetRecordingJobRequest { call_id: call.to_string() };
        let job = self.telephony.insist_for_message::<rpc::GetRecordingJob>(request).await;
        let job = job.map_err(|problem| unanswered(&problem))?;
        if job.recording_url.is_empty() {
            return Ok(Outcome::Done);
        }
        let report = match self.provider.recording(&self.account, &job.recording_url).await {
            Ok(recording) => self.store(&job, recording).await.map_err(|error| failed(&error))?,
            Err(LookupError::Gone(_)) => ReportRecordingRequest::default(),
            Err(error) => return Err(failed(&error)),
        };
        let report = ReportRecordingRequest { call_id: call.to_string(), ..report };
        let reported = self.telephony.insist_for_message::<rpc::ReportRecording>(report).await;
        reported.map(|_| Outcome::Done).map_err(|problem| unanswered(&problem))
    }

    async fn store(
        &self,
        job: &GetRecordingJobResponse,
        recording: Recording,
    ) -> Result<ReportRecordingRequest, StorageError> {
        let stored = self.storage.put_stream(&job.key, recording.bytes, MAX_RECORDING_BYTES).await?;
        Ok(ReportRecordingRequest {
            stored: true,
            content_type: recording.content_type.chars().take(MAX_CONTENT_TYPE).collect(),
            size: stored.bytes,
            ..ReportRecordingRequest::default()
        })
    }
}

/// Whether to try again, or to leave it to people.
fn failed(error: &(dyn Error + 'static)) -> Outcome {
    let why = chain(error);
    if is_final(error) {
        return Outcome::Dead(format!("the recording cannot be copied: {why}"));
    }
    tracing::warn!(error = why, "a recording is not copied; the message comes back");
    Outcome::Retry
}

fn is_final(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<LookupError>() {
        return matches!(error, LookupError::Refused(_) | LookupError::TooLarge { .. });
    }
    match error.downcast_ref::<StorageError>() {
        Some(StorageError::TooLarge { .. } | StorageError::Key { .. }) => true,
        Some(StorageError::Content(source)) => is_final(&**source),
        _ => false,
    }
}
