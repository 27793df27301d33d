//! What was asked of the simulator: counts that are never forgotten, and a file that outlives a crash.

use super::order::Ids;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// Lines that wait for the disk; more wait for a place.
const QUEUE: usize = 4_096;

/// Requests to place a call, and how many of them were accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub posts: u64,
    pub placed: u64,
}

#[derive(Debug, Default)]
pub struct Counts {
    pub total: Count,
    pub numbers: HashMap<u64, Count>,
    pub attempts: HashMap<Uuid, Count>,
    /// By the platform's call request.
    pub calls: HashMap<Uuid, Count>,
    /// What was done with requests, and with webhooks.
    pub actions: BTreeMap<&'static str, u64>,
    last_placed: HashMap<u64, Instant>,
}

/// One line of the journal's file.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// RFC 3339.
    pub time: String,
    pub to: Option<&'a str>,
    pub attempt_id: Option<Uuid>,
    /// The platform's call request.
    pub call_request_id: Option<Uuid>,
    /// The id that the simulator gave the call; absent: no call was made.
    pub call_id: Option<Uuid>,
    pub action: &'static str,
}

/// A line, and who waits for it to be on the disk.
type Waiting = (Vec<u8>, oneshot::Sender<io::Result<()>>);

#[derive(Debug)]
pub struct Journal {
    counts: Mutex<Counts>,
    lines: Option<mpsc::Sender<Waiting>>,
}

impl Journal {
    /// Appends to the file at `path`, if there is one to be.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let lines = match path {
            None => None,
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                let (sender, receiver) = mpsc::channel(QUEUE);
                std::thread::Builder::new().name("journal".to_owned()).spawn(move || write_lines(file, receiver))?;
                Some(sender)
            }
        };
        Ok(Self { counts: Mutex::default(), lines })
    }

    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn did(&self, action: &'static str) {
        *self.counts().actions.entry(action).or_default() += 1;
    }

    /// Answers when the line is on the disk.
    pub async fn write(&self, line: &Line<'_>) -> io::Result<()> {
        let Some(lines) = &self.lines else { return Ok(()) };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let (done, written) = oneshot::channel();
        let gone = || io::Error::other("the journal's writer is gone");
        lines.send((text, done)).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }
}

impl Counts {
    /// Counts a request; answers how many there were for its number, and in all.
    pub fn post(&mut self, ids: Ids) -> (u64, u64) {
        self.total.posts += 1;
        self.each(ids, |count| count.posts += 1);
        let number = ids.number.and_then(|number| self.numbers.get(&number));
        (number.map_or(1, |count| count.posts), self.total.posts)
    }

    /// Counts an accepted call.
    pub fn place(&mut self, ids: Ids, now: Instant) {
        self.total.placed += 1;
        self.each(ids, |count| count.placed += 1);
        if let Some(number) = ids.number {
            self.last_placed.insert(number, now);
        }
    }

    /// Since the last accepted call to the number.
    pub fn since_last(&self, ids: Ids, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(*self.last_placed.get(&ids.number?)?))
    }

    fn each(&mut self, ids: Ids, change: impl Fn(&mut Count)) {
        if let Some(number) = ids.number {
            change(self.numbers.entry(number).or_default());
        }
        if let Some(attempt) = ids.attempt_id {
            change(self.attempts.entry(attempt).or_default());
        }
        if let Some(call) = ids.call_id {
            change(self.calls.entry(call).or_default());
        }
    }
}

/// Writes whatever waits at once and syncs once, so that the disk bounds the delay and not the rate.
fn write_lines(mut file: File, mut lines: mpsc::Receiver<Waiting>) {
    while let Some((mut batch, first)) = lines.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok((line, done)) = lines.try_recv() {
            batch.extend(line);
            waiting.push(done);
        }
        let result = file.write_all(&batch).and_then(|()| file.sync_data());
        for done in waiting {
            let result =
                result.as_ref().map_or_else(|error| Err(io::Error::new(error.kind(), error.to_string())), |()| Ok(()));
            // Whoever asked may be gone; the line is written all the same.
            let _ = done.send(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_number_attempt_and_call() {
        let mut counts = Counts::default();
        let now = Instant::now();
        let ids = Ids {
            number: Some(1),
            attempt_id: Some(Uuid::from_u128(1)),
            call_id: Some(Uuid::from_u128(2)),
            attempt: None,
        };
        assert_eq!(counts.post(ids), (1, 1));
        assert_eq!(counts.post(Ids::default()), (1, 2));
        let again = Ids { attempt_id: Some(Uuid::from_u128(3)), ..ids };
        assert_eq!(counts.post(again), (2, 3));
        assert_eq!(counts.since_last(ids, now), None);
        counts.place(again, now);
        assert_eq!(counts.since_last(ids, now + Duration::from_secs(3)), Some(Duration::from_secs(3)));
        assert_eq!(counts.numbers[&1], Count { posts: 2, placed: 1 });
        assert_eq!(counts.attempts[&Uuid::from_u128(1)], Count { posts: 1, placed: 0 });
        assert_eq!(counts.calls[&Uuid::from_u128(2)], Count { posts: 2, placed: 1 });
        assert_eq!(counts.total, Count { posts: 3, placed: 1 });
    }

    #[tokio::test]
    async fn writes_every_line_and_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "before\n").unwrap();
        let journal = Journal::open(Some(&path)).unwrap();
        let line = |action| Line {
            time: "2026-01-01T00:00:00Z".into(),
            to: Some("+1"),
            attempt_id: None,
            call_request_id: None,
            call_id: None,
            action,
        };
        let lines = (0..50).map(|_| line("accepted")).collect::<Vec<_>>();
        for written in futures_util::future::join_all(lines.iter().map(|line| journal.write(line))).await {
            written.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 51);
        assert_eq!(
            text.lines().last(),
            Some(
                r#"{"time":"2026-01-01T00:00:00Z","to":"+1","attempt_id":null,"call_request_id":null,"call_id":null,"action":"accepted"}"#
            )
        );
        assert!(Journal::open(Some(directory.path())).is_err());
    }
}
