//! What was asked of the simulator and what it did: a file that outlives a crash, and from which the next process
//! knows everything again.

use super::call::{Accepted, Call};
use super::counts::Counts;
use super::order::Ids;
use super::restore::{self, Past};
use callfairy_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Lines that wait for the disk; more wait for a place.
const QUEUE: usize = 4_096;

/// What is written of a call after it was accepted. Every other action answers a request to place one.
pub const STOPPED: &str = "stopped";
pub const WEBHOOK_DELIVERED: &str = "webhook_delivered";
pub const WEBHOOK_LOST: &str = "webhook_lost";
/// Given up.
pub const WEBHOOK_FAILED: &str = "webhook_failed";

/// One line of the journal's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub time: Timestamp,
    pub to: Option<String>,
    pub attempt_id: Option<Uuid>,
    /// The platform's call request.
    pub call_request_id: Option<Uuid>,
    /// The id that the simulator gave the call; absent: no call was made.
    pub call_id: Option<Uuid>,
    pub action: Cow<'static, str>,
    /// The call itself, where it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<Accepted>>,
}

impl Line {
    /// Of a request to place a call.
    pub fn request(time: Timestamp, to: Option<&str>, ids: Ids, action: &'static str, call: Option<&Call>) -> Self {
        Self {
            time,
            to: to.map(str::to_owned),
            attempt_id: ids.attempt_id,
            call_request_id: ids.call_id,
            call_id: call.map(|call| call.id),
            action: action.into(),
            call: call.map(|call| Box::new(call.accepted())),
        }
    }

    /// Of something that happened to a call.
    pub fn event(time: Timestamp, action: &'static str, call: Uuid) -> Self {
        Self { call_id: Some(call), ..Self::request(time, None, Ids::default(), action, None) }
    }

    /// Whether it is one of the requests to place a call.
    pub fn is_request(&self) -> bool {
        ![STOPPED, WEBHOOK_DELIVERED, WEBHOOK_LOST, WEBHOOK_FAILED].contains(&self.action.as_ref())
    }
}

/// A line, and who waits for it to be on the disk.
type Waiting = (Vec<u8>, oneshot::Sender<io::Result<()>>);

#[derive(Debug)]
pub struct Journal {
    counts: Mutex<Counts>,
    lines: Option<mpsc::Sender<Waiting>>,
}

impl Journal {
    /// Reads the file at `path` and appends to it, if there is one to be. Blocks.
    pub fn open(path: Option<&Path>, now: Timestamp) -> io::Result<(Self, Past)> {
        let Some(path) = path else { return Ok((Self { counts: Mutex::default(), lines: None }, Past::default())) };
        let mut past = restore::read(path, now)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        let (sender, receiver) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || write_lines(file, length, receiver))?;
        Ok((Self { counts: Mutex::new(std::mem::take(&mut past.counts)), lines: Some(sender) }, past))
    }

    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn did(&self, action: &'static str) {
        self.counts().did(action.into());
    }

    /// Answers when the line is on the disk.
    pub async fn write(&self, line: &Line) -> io::Result<()> {
        let Some(lines) = &self.lines else { return Ok(()) };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let (done, written) = oneshot::channel();
        let gone = || io::Error::other("the journal's writer is gone");
        lines.send((text, done)).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }
}

/// Writes whatever waits at once and syncs once, so that the disk bounds the delay and not the rate.
fn write_lines(mut file: File, mut length: u64, mut lines: mpsc::Receiver<Waiting>) {
    while let Some((mut batch, first)) = lines.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok((line, done)) = lines.try_recv() {
            batch.extend(line);
            waiting.push(done);
        }
        let result = append(&mut file, length, &batch);
        if result.is_ok() {
            length += batch.len() as u64;
        }
        for done in waiting {
            let result =
                result.as_ref().map_or_else(|error| Err(io::Error::new(error.kind(), error.to_string())), |()| Ok(()));
            // Whoever asked may be gone; the line is written all the same.
            let _ = done.send(result);
        }
    }
}

/// All of the batch or nothing: what a full disk took of it is cut off before the next.
fn append(file: &mut File, length: u64, batch: &[u8]) -> io::Result<()> {
    if file.metadata()?.len() != length {
        file.set_len(length)?;
    }
    file.write_all(batch)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_every_line_and_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        std::fs::write(&path, "before\n").unwrap();
        let now = Timestamp::from_micros(1_767_225_600_000_000).unwrap();
        let (journal, _) = Journal::open(Some(&path), now).unwrap();
        let lines = vec![Line::request(now, Some("+1"), Ids::default(), "accepted", None); 50];
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
        assert!(Journal::open(Some(directory.path()), now).is_err());
    }

    #[test]
    fn what_was_written_in_part_is_cut_off() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), "one\ntw").unwrap();
        let mut file = OpenOptions::new().append(true).open(path.path()).unwrap();
        append(&mut file, 4, b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(path.path()).unwrap(), "one\nthree\n");
    }
}
