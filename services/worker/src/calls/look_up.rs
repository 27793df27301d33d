//! Asking the provider what became of a call.

use super::Hands;
use crate::telephony::unanswered;
use callfairy_core::Timestamp;
use proto::jobs::{GetLookupRequest, Lookup, ReportLookupRequest};
use proto::rpc::call_jobs as rpc;
use queue::Outcome;
use std::time::Duration;
use uuid::Uuid;
use voice::{CallDetail, LookupError};

/// How much earlier than the fence a call may seem to have been made.
const SLACK: Duration = Duration::from_mins(1);

impl Hands {
    pub(super) async fn look_up(&self, call: Uuid) -> Outcome {
        let request = GetLookupRequest { call_id: call.to_string() };
        let lookup = match self.telephony.insist_for_message::<rpc::GetLookup>(request).await {
            Ok(answer) => answer.lookup,
            Err(problem) => return unanswered(&problem),
        };
        let Some(lookup) = lookup else { return Outcome::Done };
        let Ok(attempt) = lookup.attempt_id.parse() else {
            return Outcome::Dead("the lookup's attempt_id is no UUID".to_owned());
        };
        let found = match self.find(&lookup, attempt).await {
            Ok(found) => found,
            Err(error) => {
                // No answer is not "no such call". telephony's sweep asks again.
                tracing::warn!(%attempt, %error, "the provider does not say what became of a call");
                return Outcome::Done;
            }
        };
        let request = ReportLookupRequest { attempt_id: lookup.attempt_id, report: found.map(Into::into) };
        match self.telephony.insist_for_message::<rpc::ReportLookup>(request).await {
            Ok(_) => Outcome::Done,
            Err(problem) => unanswered(&problem),
        }
    }

    /// By the provider's id if it is known, else among the calls to the number since then.
    async fn find(&self, lookup: &Lookup, attempt: Uuid) -> Result<Option<CallDetail>, LookupError> {
        if !lookup.provider_call_id.is_empty() {
            return self.provider.get(&self.account, &lookup.provider_call_id).await;
        }
        let sent = lookup.sent_at.and_then(|at| at.instant("sent_at").ok());
        // Without a time all calls to the number are looked through, or it is an error that there are too many.
        let since = sent.unwrap_or(Timestamp::UNIX_EPOCH).minus(SLACK);
        self.provider.find(&self.account, &lookup.phone_number, attempt, since).await
    }
}
