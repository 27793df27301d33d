//! Reading imported files: from the object store to telephony, which judges the rows.

mod batches;
mod rows;
mod text;

use crate::job;
use crate::telephony::{Telephony, unanswered};
use access::Meta;
use batches::{Batches, MAX_ROWS};
use callfairy_core::{ErrorCode, Problem};
use futures_util::stream;
use proto::jobs::{ClaimImportRequest, FailImportRequest, ImportBatch, ImportJob, ImportOrder};
use proto::rpc::import_jobs as rpc;
use queue::{Message, Outcome};
use rows::Unreadable;
use runtime::{Context, Shutdown, telemetry};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use storage::Storage;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use uuid::Uuid;

/// Files that are read at one time, each with a few megabytes in memory.
pub const IMPORTS_AT_ONE_TIME: u16 = 4;
/// Batches of one call. Another one follows, so that telephony can be restarted between two of them.
const BATCHES_OF_A_CALL: usize = 20;

#[derive(Clone)]
pub struct Imports {
    context: Context,
    telephony: Telephony,
    storage: Storage,
    /// The worker's, unlike any other's: by it telephony knows a worker that comes again.
    name: String,
    max_rows: usize,
    /// Whose files are being read here: a message that comes again while its job is going on is one too many.
    going_on: Arc<Mutex<HashSet<Uuid>>>,
}

/// Why a file is not read to its end.
#[derive(Debug)]
enum Stop {
    /// For good; in words for the people who uploaded it.
    Unreadable(String),
    /// The import is over, or another worker has it.
    Lost,
    /// The object store is out of reach.
    OutOfReach(String),
    /// telephony is, or refuses.
    Unanswered(Problem),
    /// This worker stops; another one may go on at once.
    Released,
}

impl From<Unreadable> for Stop {
    fn from(reason: Unreadable) -> Self {
        Self::Unreadable(reason.to_string())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        match problem.code {
            ErrorCode::Conflict => Self::Lost,
            ErrorCode::InvalidArgument => Self::Unreadable(format!("the rows cannot be taken: {}", problem.detail)),
            _ => Self::Unanswered(problem),
        }
    }
}

impl Imports {
    pub fn new(context: Context, storage: Storage, name: String, shutdown: Shutdown) -> Self {
        let telephony = Telephony::new(&context, shutdown);
        Self { context, telephony, storage, name, max_rows: MAX_ROWS, going_on: Arc::default() }
    }

    /// With fewer rows in a batch than telephony takes.
    #[must_use]
    pub fn with_max_rows(self, max_rows: usize) -> Self {
        Self { max_rows: max_rows.clamp(1, MAX_ROWS), ..self }
    }

    pub async fn handle(self, message: Message) -> Outcome {
        let import = match job::read::<ImportJob>(&message.body).and_then(|body| job::id(&body.import_id)) {
            Ok(import) => import,
            Err(reason) => return Outcome::Dead(reason),
        };
        let span = tracing::info_span!("import job", %import);
        telemetry::set_parent(&span, &message.headers);
        let Some(_alone) = Alone::take(&self.going_on, import) else { return Outcome::Done };
        async { self.import(import).await.unwrap_or_else(|problem| unanswered(&problem)) }.instrument(span).await
    }

    async fn import(&self, import: Uuid) -> Result<Outcome, Problem> {
        let request = ClaimImportRequest { import_id: import.to_string(), worker: self.name.clone() };
        let claimed = self.telephony.insist_for_message::<rpc::ClaimImport>(request).await?;
        let Some(order) = claimed.order else { return Ok(Outcome::Done) };
        Ok(match self.read(&order).await {
            Ok(()) | Err(Stop::Lost) => Outcome::Done,
            Err(Stop::Unreadable(reason)) => self.fail(&order, reason).await?,
            Err(Stop::Unanswered(problem)) => return Err(problem),
            Err(Stop::OutOfReach(why)) => {
                tracing::warn!(error = why, "a file cannot be read now; the message comes back");
                Outcome::Retry
            }
            Err(Stop::Released) => Outcome::Retry,
        })
    }

    async fn read(&self, order: &ImportOrder) -> Result<(), Stop> {
        let text = text::open(&self.storage, order).await?;
        let mut batches = Batches::new(order, text, self.max_rows)?;
        while let Some(first) = batches.next().await? {
            self.send(first, &mut batches).await?;
        }
        Ok(())
    }

    /// One call: `first` and what follows it, until the file ends or the call has enough. What was sent before the
    /// file proved unreadable is put in all the same.
    async fn send(&self, first: ImportBatch, batches: &mut Batches) -> Result<(), Stop> {
        let (sender, receiver) = mpsc::channel(1);
        let requests = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let meta = Meta { trace: telemetry::headers(), ..self.context.identity.meta()? };
        let mut answer = pin!(self.context.clients.telephony.client_streaming::<rpc::ImportRows>(&meta, requests));
        let fed = tokio::select! {
            biased;
            // Before all is sent, that can only be a refusal.
            answer = &mut answer => return Err(answer.map_or_else(Stop::from, |_| Stop::Unanswered(Problem::internal()))),
            fed = self.feed(sender, first, batches) => fed,
        };
        answer.await?;
        fed
    }

    async fn feed(
        &self,
        sender: mpsc::Sender<ImportBatch>,
        first: ImportBatch,
        batches: &mut Batches,
    ) -> Result<(), Stop> {
        let mut next = Some(first);
        for sent in 1.. {
            let Some(batch) = next else { break };
            // Nobody listens any more: the answer says why.
            if sender.send(batch).await.is_err() || sent == BATCHES_OF_A_CALL {
                break;
            }
            if self.telephony.is_stopping() && !batches.is_over() {
                let _ = sender.send(batches.release()).await;
                return Err(Stop::Released);
            }
            next = batches.next().await?;
        }
        Ok(())
    }

    async fn fail(&self, order: &ImportOrder, reason: String) -> Result<Outcome, Problem> {
        let request = FailImportRequest { import_id: order.import_id.clone(), epoch: order.epoch, reason };
        match self.telephony.insist_for_message::<rpc::FailImport>(request).await {
            Err(problem) if problem.code != ErrorCode::Conflict => Err(problem),
            // Done, or somebody else's business by now.
            _ => Ok(Outcome::Done),
        }
    }
}

/// The only one in this worker who reads a file.
struct Alone<'a> {
    going_on: &'a Mutex<HashSet<Uuid>>,
    import: Uuid,
}

impl<'a> Alone<'a> {
    fn take(going_on: &'a Mutex<HashSet<Uuid>>, import: Uuid) -> Option<Self> {
        let taken = going_on.lock().unwrap_or_else(PoisonError::into_inner).insert(import);
        // Made only now, and only if it was taken: to drop one takes the lock, and gives the import back.
        taken.then(|| Self { going_on, import })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.import);
    }
}
