//! telephony, which decides, as the worker asks it.

use access::{Client, Meta, ServiceIdentity};
use callfairy_core::{ErrorCode, Problem};
use proto::Rpc;
use queue::Outcome;
use runtime::{Context, Shutdown, telemetry};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One question's time.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Between asking and asking again, doubled each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long a message is held while telephony is out of reach, before the queue has it back. Longer than the queue's
/// own pause, so that an outage of some minutes makes no dead letters.
const HELD: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Telephony {
    client: Client,
    identity: ServiceIdentity,
    shutdown: Shutdown,
}

impl Telephony {
    pub fn new(context: &Context, shutdown: Shutdown) -> Self {
        Self { client: context.clients.telephony.clone(), identity: context.identity.clone(), shutdown }
    }

    /// Whether what is not begun should not begin.
    pub fn is_stopping(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Asks once. After an error that is no refusal the request may have had its effect.
    pub async fn ask<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        let meta = Meta { trace: telemetry::headers(), timeout: Some(ANSWER_WITHIN), ..self.identity.meta()? };
        let late = || Problem::new(ErrorCode::DeadlineExceeded, "telephony took too long");
        tokio::time::timeout(ANSWER_WITHIN, self.client.unary::<R>(&meta, request))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// Asks until there is an answer or a refusal, for as long as `patience` lasts. For what may be asked twice.
    pub async fn insist<R: Rpc>(&self, request: R::Request, patience: Duration) -> Result<R::Response, Problem>
    where
        R::Request: Clone,
    {
        self.repeat::<R>(request, patience, std::future::pending()).await
    }

    /// The same, for as long as a message may be held and nobody asks to stop.
    pub async fn insist_for_message<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem>
    where
        R::Request: Clone,
    {
        self.repeat::<R>(request, HELD, self.shutdown.wait()).await
    }

    /// An answer that is on its way is always waited for: only the pauses end early.
    async fn repeat<R: Rpc>(
        &self,
        request: R::Request,
        patience: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<R::Response, Problem>
    where
        R::Request: Clone,
    {
        let (begun, mut stop, mut pause) = (Instant::now(), pin!(stop), FIRST_PAUSE);
        loop {
            let problem = match self.ask::<R>(request.clone()).await {
                Err(problem) if may_pass(&problem) => problem,
                decided => return decided,
            };
            let wait = pause.mul_f64(0.5 + rand::random::<f64>() / 2.0);
            if begun.elapsed() + wait >= patience {
                return Err(problem);
            }
            tracing::debug!(method = R::GRPC_PATH, code = %problem.code, "telephony does not answer, asking again");
            tokio::select! {
                biased;
                () = &mut stop => return Err(problem),
                () = sleep(wait) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }
}

/// Whether the same request may fare better later.
fn may_pass(problem: &Problem) -> bool {
    matches!(
        problem.code,
        ErrorCode::Unavailable
            | ErrorCode::DeadlineExceeded
            | ErrorCode::TooManyRequests
            | ErrorCode::Internal
            // A clock or a key that is just being replaced.
            | ErrorCode::Unauthenticated
    )
}

/// What becomes of a message whose question has no answer.
pub fn unanswered(problem: &Problem) -> Outcome {
    if may_pass(problem) {
        tracing::warn!(code = %problem.code, detail = problem.detail, "telephony does not answer; the message comes back");
        Outcome::Retry
    } else {
        Outcome::Dead(format!("telephony refused: {}", problem.detail))
    }
}
