//! Calls: to place them, and to ask what became of them.

mod look_up;
mod order;
mod place;
mod result;

use crate::job;
use crate::telephony::Telephony;
use proto::jobs::{CallJob, CallJobKind};
use queue::{Message, Outcome};
use runtime::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;
use uuid::Uuid;
use voice::{Account, VoiceProvider};

#[derive(Clone)]
pub struct Calls(Arc<Hands>);

/// What both kinds of job need.
struct Hands {
    telephony: Telephony,
    provider: Arc<dyn VoiceProvider>,
    account: Account,
    lease: Duration,
    /// The worker's.
    name: String,
}

impl Calls {
    pub fn new(
        telephony: Telephony,
        provider: Arc<dyn VoiceProvider>,
        account: Account,
        lease: Duration,
        name: String,
    ) -> Self {
        Self(Arc::new(Hands { telephony, provider, account, lease, name }))
    }

    pub async fn handle(self, message: Message) -> Outcome {
        let (kind, call) = match read(&message.body) {
            Ok(job) => job,
            Err(reason) => return Outcome::Dead(reason),
        };
        let span = tracing::info_span!("call job", kind = kind.as_str_name(), %call);
        telemetry::set_parent(&span, &message.headers);
        let work = async move {
            match kind {
                CallJobKind::Place => self.0.place(call).await,
                CallJobKind::LookUp => self.0.look_up(call).await,
                CallJobKind::Unspecified => Outcome::Dead("malformed: the kind is missing".to_owned()),
            }
        };
        work.instrument(span).await
    }
}

fn read(body: &[u8]) -> Result<(CallJobKind, Uuid), String> {
    let body: CallJob = job::read(body)?;
    Ok((body.kind(), job::id(&body.call_id)?))
}
