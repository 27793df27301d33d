//! Tasks that live and end together.

use crate::BoxError;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long tasks may take to stop before they are dropped.
pub const HARD_LIMIT: Duration = Duration::from_secs(45);

/// The request to stop, shared by everything that runs. Once made, it stays.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    /// Asked a second time: do not wait for what is slow.
    hurry: CancellationToken,
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Made by SIGTERM or SIGINT; a second signal ends the waiting as well.
    pub fn on_signals() -> std::io::Result<Self> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = Self::new();
        let asked = shutdown.clone();
        tokio::spawn(async move {
            for token in [asked.stop, asked.hurry] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "stopping");
                token.cancel();
            }
        });
        Ok(shutdown)
    }

    pub fn begin(&self) {
        self.stop.cancel();
    }

    pub fn has_begun(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Returns when it is made.
    pub async fn wait(&self) {
        self.stop.cancelled().await;
    }

    /// The same, for what takes a token.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// Why a lifecycle did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    #[error("{task} failed")]
    Failed { task: Name, source: BoxError },
    #[error("{task} panicked: {message}")]
    Panicked { task: Name, message: String },
    #[error("{task} ended although nothing asked it to")]
    Ended { task: Name },
    #[error("still running {} s after the request to stop: {}", .after.as_secs(), .tasks.join(", "))]
    Stuck { tasks: Vec<Name>, after: Duration },
}

/// The name of a task in logs and errors.
pub type Name = Cow<'static, str>;

/// Named tasks under one lifecycle: the first that fails stops all.
///
/// Dropping it aborts them; [`Tasks::join`] lets them stop.
#[derive(Debug)]
pub struct Tasks {
    shutdown: Shutdown,
    running: JoinSet<Result<(), LifecycleError>>,
    names: HashMap<Id, Name>,
}

impl Tasks {
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, running: JoinSet::new(), names: HashMap::new() }
    }

    /// Runs until the shutdown; to end before, even well, is a failure.
    pub fn spawn<E: Into<BoxError>>(
        &mut self,
        name: impl Into<Name>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let (name, shutdown) = (name.into(), self.shutdown.clone());
        self.start(name.clone(), async move {
            match task.await {
                Err(error) => Err(LifecycleError::Failed { task: name, source: error.into() }),
                Ok(()) if shutdown.has_begun() => Ok(()),
                Ok(()) => Err(LifecycleError::Ended { task: name }),
            }
        });
    }

    /// May end whenever its work is done.
    pub fn spawn_once<E: Into<BoxError>>(
        &mut self,
        name: impl Into<Name>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let name = name.into();
        self.start(name.clone(), async move {
            task.await.map_err(|error| LifecycleError::Failed { task: name, source: error.into() })
        });
    }

    fn start(&mut self, name: Name, task: impl Future<Output = Result<(), LifecycleError>> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Waits for all. The first failure makes the shutdown; whoever makes it, the rest has [`HARD_LIMIT`] to
    /// stop, then it is dropped. Answers the first failure; later ones are logged.
    pub async fn join(self) -> Result<(), LifecycleError> {
        self.join_within(HARD_LIMIT).await
    }

    async fn join_within(mut self, limit: Duration) -> Result<(), LifecycleError> {
        let shutdown = self.shutdown.clone();
        let mut first = None;
        let mut begun: Option<Instant> = None;
        loop {
            let ended = tokio::select! {
                biased;
                ended = self.running.join_next_with_id() => ended,
                () = shutdown.wait(), if begun.is_none() => {
                    begun = Some(Instant::now());
                    continue;
                }
                () = expired(begun, limit, &shutdown.hurry), if begun.is_some() => {
                    let after = begun.map(|begun| begun.elapsed()).unwrap_or_default();
                    keep_first(&mut first, self.stuck(after));
                    None
                }
            };
            let failure = match ended {
                None => return first.map_or(Ok(()), Err),
                Some(Ok((id, result))) => {
                    self.names.remove(&id);
                    result.err()
                }
                Some(Err(error)) => {
                    let task = self.names.remove(&error.id()).unwrap_or_default();
                    Some(LifecycleError::Panicked { task, message: message(error) })
                }
            };
            if let Some(failure) = failure {
                keep_first(&mut first, failure);
                shutdown.begin();
            }
        }
    }

    fn stuck(&self, after: Duration) -> LifecycleError {
        let mut tasks: Vec<Name> = self.names.values().cloned().collect();
        tasks.sort();
        LifecycleError::Stuck { tasks, after }
    }
}

async fn expired(begun: Option<Instant>, limit: Duration, hurry: &CancellationToken) {
    let deadline = begun.unwrap_or_else(Instant::now) + limit;
    tokio::select! {
        () = tokio::time::sleep_until(deadline) => (),
        () = hurry.cancelled() => (),
    }
}

fn keep_first(first: &mut Option<LifecycleError>, failure: LifecycleError) {
    if first.is_some() {
        tracing::error!(error = crate::chain(&failure), "failed after the first failure");
    } else {
        *first = Some(failure);
    }
}

/// What the task said when it panicked.
fn message(error: JoinError) -> String {
    let text = error.to_string();
    let Ok(panic) = error.try_into_panic() else { return text };
    let panic = match panic.downcast::<String>() {
        Ok(text) => return *text,
        Err(panic) => panic,
    };
    panic.downcast::<&str>().map_or(text, |text| (*text).to_owned())
}

#[cfg(test)]
mod tests;
