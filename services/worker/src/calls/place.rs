//! Placing a call: claim, fence, one POST, report.
//!
//! An attempt is POSTed at most once, because only the answer to its `BeginSend` allows it, that answer comes to one
//! worker, and nothing here asks for it twice. Whoever is not sure to have it does not POST.

use super::order::order;
use super::{Hands, result};
use crate::telephony::unanswered;
use callfairy_core::ErrorCode;
use proto::jobs::{BeginSendRequest, ClaimCallRequest, ReleaseCallRequest, ReportSendRequest};
use proto::rpc::call_jobs as rpc;
use queue::Outcome;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;
use voice::{CallOrder, PlaceError};

/// How long to try to give back a claim; then its lease does.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);

/// What telephony knows a claim by.
struct Claim {
    attempt_id: String,
    epoch: i64,
}

impl Hands {
    pub(super) async fn place(&self, call: Uuid) -> Outcome {
        let request = ClaimCallRequest { call_id: call.to_string(), worker: self.name.clone() };
        // When the answer to a claim is lost, the next finds nothing to do until the lease has passed.
        let ordered = match self.telephony.insist_for_message::<rpc::ClaimCall>(request).await {
            Ok(answer) => answer.order,
            Err(problem) => return unanswered(&problem),
        };
        let Some(ordered) = ordered else { return Outcome::Done };
        let claim = Claim { attempt_id: ordered.attempt_id.clone(), epoch: ordered.epoch };
        match order(ordered, &self.account) {
            Ok(order) => self.send(&claim, &order).await,
            Err(reason) => return Outcome::Dead(reason),
        }
        // What happened is telephony's to remember from here on: the message has done its work.
        Outcome::Done
    }

    async fn send(&self, claim: &Claim, order: &CallOrder) {
        if self.telephony.is_stopping() {
            return self.release(claim).await;
        }
        let begun = Instant::now();
        let request = BeginSendRequest { attempt_id: claim.attempt_id.clone(), epoch: claim.epoch };
        match self.telephony.ask::<rpc::BeginSend>(request).await {
            Ok(_) => {}
            Err(problem) if problem.code == ErrorCode::Conflict => {
                return tracing::info!(attempt = claim.attempt_id, "the claim went to somebody else; nothing is sent");
            }
            Err(problem) => {
                tracing::warn!(attempt = claim.attempt_id, code = %problem.code, "no leave to send; nothing is sent");
                return self.withdraw(claim).await;
            }
        }
        // Whoever was held up for so long may be taken for dead by now.
        if begun.elapsed() > self.lease / 2 {
            tracing::warn!(attempt = claim.attempt_id, "the leave to send is too old; nothing is sent");
            return self.withdraw(claim).await;
        }
        let placed = self.provider.place(&self.account, order).await;
        if let Err(error) = &placed {
            tracing::warn!(attempt = claim.attempt_id, %error, "the call was not accepted");
        }
        self.report(claim, result::report(placed)).await;
    }

    /// Nothing was sent, and nothing will be. Whether the fence was passed is not known: the release undoes the claim
    /// if it was not, and then no late request passes it; the report tells the truth if it was.
    async fn withdraw(&self, claim: &Claim) {
        self.release(claim).await;
        let nothing = result::report(Err(PlaceError::NotSent("the worker had no leave to send in time".to_owned())));
        self.report(claim, nothing).await;
    }

    async fn release(&self, claim: &Claim) {
        let request = ReleaseCallRequest { attempt_id: claim.attempt_id.clone(), epoch: claim.epoch };
        if let Err(problem) = self.telephony.insist::<rpc::ReleaseCall>(request, RELEASE_WITHIN).await {
            tracing::warn!(attempt = claim.attempt_id, code = %problem.code, "a claim is not given back; its lease will be");
        }
    }

    /// Tells telephony, for as long as a lease. What is not told by then is unknown there, and the provider is asked.
    async fn report(&self, claim: &Claim, report: ReportSendRequest) {
        let request = ReportSendRequest { attempt_id: claim.attempt_id.clone(), epoch: claim.epoch, ..report };
        if let Err(problem) = self.telephony.insist::<rpc::ReportSend>(request, self.lease).await {
            tracing::error!(attempt = claim.attempt_id, code = %problem.code, detail = problem.detail, "what a POST came to is not reported");
        }
    }
}
