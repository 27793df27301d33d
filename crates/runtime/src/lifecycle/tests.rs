#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::future::pending;
use std::io::Error;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

async fn obedient(shutdown: Shutdown, stopped: Arc<AtomicBool>) -> Result<(), Error> {
    shutdown.wait().await;
    stopped.store(true, Ordering::SeqCst);
    Ok(())
}

/// Two tasks, one of which obeys; whether that one stopped in order, and how all ended.
async fn beside<E: Into<BoxError> + Send + 'static>(
    other: impl Future<Output = Result<(), E>> + Send + 'static,
) -> (bool, Result<(), LifecycleError>) {
    let (shutdown, stopped) = (Shutdown::new(), Arc::new(AtomicBool::new(false)));
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("obedient", obedient(shutdown, stopped.clone()));
    tasks.spawn("other", other);
    let result = tokio::time::timeout(LONG, tasks.join()).await.unwrap();
    (stopped.load(Ordering::SeqCst), result)
}

#[tokio::test]
async fn the_first_failure_stops_all_and_is_answered() {
    let (stopped, result) = beside(async { Err(Error::other("no database")) }).await;
    assert!(stopped);
    assert_eq!(crate::chain(&result.unwrap_err()), "other failed: no database");
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let (stopped, result) = beside::<Error>(async { panic!("at the {}", "disco") }).await;
    assert!(stopped);
    assert_eq!(result.unwrap_err().to_string(), "other panicked: at the disco");
}

#[tokio::test]
async fn to_end_unasked_is_a_failure() {
    let (stopped, result) = beside(async { Ok::<(), Error>(()) }).await;
    assert!(stopped);
    assert!(matches!(result, Err(LifecycleError::Ended { task }) if task == "other"));
}

#[tokio::test]
async fn work_that_is_done_may_end() {
    let shutdown = Shutdown::new();
    let stopped = Arc::new(AtomicBool::new(false));
    let mut tasks = Tasks::new(shutdown.clone());
    let (done, hears) = tokio::sync::oneshot::channel();
    tasks.spawn_once("first work", async move { done.send(()).map_err(|()| Error::other("nobody hears")) });
    tasks.spawn("obedient", obedient(shutdown.clone(), stopped));
    let joined = tokio::spawn(tasks.join());
    hears.await.unwrap();
    assert!(!shutdown.has_begun());
    shutdown.begin();
    joined.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_ends_well() {
    let (shutdown, stopped) = (Shutdown::new(), Arc::new(AtomicBool::new(false)));
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("obedient", obedient(shutdown.clone(), stopped.clone()));
    shutdown.begin();
    tasks.join().await.unwrap();
    assert!(stopped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_does_not_stop_is_named_and_dropped() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (shutdown, dropped) = (Shutdown::new(), Arc::new(AtomicBool::new(false)));
    let mut tasks = Tasks::new(shutdown.clone());
    let flag = Flag(dropped.clone());
    tasks.spawn("deaf", async move {
        let _flag = flag;
        pending::<Result<(), Error>>().await
    });
    tasks.spawn("mute", pending::<Result<(), Error>>());
    tasks.spawn("obedient", obedient(shutdown.clone(), Arc::default()));
    shutdown.begin();
    let limit = Duration::from_millis(20);
    let result = tokio::time::timeout(LONG, tasks.join_within(limit)).await.unwrap();
    let Err(LifecycleError::Stuck { tasks, after }) = result else { panic!("{result:?}") };
    assert_eq!(tasks, ["deaf", "mute"]);
    assert!(after >= limit);
    let deadline = Instant::now() + LONG;
    while !dropped.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "the task still lives");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_failure_is_not_lost_when_another_task_sticks() {
    let mut tasks = Tasks::new(Shutdown::new());
    tasks.spawn("failing", async { Err(Error::other("cause")) });
    tasks.spawn("deaf", pending::<Result<(), Error>>());
    let result = tokio::time::timeout(LONG, tasks.join_within(Duration::ZERO)).await.unwrap();
    assert_eq!(crate::chain(&result.unwrap_err()), "failing failed: cause");
}

#[tokio::test]
async fn signals_ask_to_stop_and_then_to_hurry() {
    let kill = |signal: &str| {
        let status = Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    let shutdown = Shutdown::on_signals().unwrap();
    assert!(!shutdown.has_begun());
    kill("-TERM");
    tokio::time::timeout(LONG, shutdown.wait()).await.unwrap();

    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("deaf", pending::<Result<(), Error>>());
    let joined = tokio::spawn(tasks.join());
    kill("-INT");
    let result = tokio::time::timeout(LONG, joined).await.unwrap().unwrap();
    assert!(matches!(result, Err(LifecycleError::Stuck { .. })), "{result:?}");
}
