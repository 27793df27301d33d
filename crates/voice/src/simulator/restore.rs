//! Reading the journal when the simulator starts again.
//!
//! A line that a crash cut short is dropped: nothing had followed from it. Lines older than a day become counts, so that
//! the file does not grow for ever; the rest stays as it is.

use super::call::Accepted;
use super::counts::Counts;
use super::journal::{Line, STOPPED};
use super::order::{Ids, digits};
use callfairy_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Calls that are older are not known any more. No call with its reports takes as long, unless it is slower than life.
const KEPT: Duration = Duration::from_hours(24);

/// What the processes before this one did.
#[derive(Debug, Default, PartialEq)]
pub struct Past {
    pub counts: Counts,
    /// Oldest first.
    pub calls: Vec<PastCall>,
}

#[derive(Debug, PartialEq)]
pub struct PastCall {
    pub id: Uuid,
    pub created_at: Timestamp,
    pub accepted: Accepted,
    pub stopped: Option<Timestamp>,
    /// Its webhook was delivered, lost as planned, or given up.
    pub reported: bool,
}

/// The file's first line, if older ones have become counts.
#[derive(Serialize, Deserialize)]
struct CountsLine {
    counts: Counts,
}

/// Where the file is to be cut.
#[derive(Debug, Default)]
struct Cuts {
    /// The counts of the lines that go, and where the lines begin that stay.
    old: Option<(Counts, u64)>,
    /// The end of the last whole line.
    end: u64,
    torn: bool,
}

/// Reads the journal, and leaves it with whole lines alone, none of them old. An absent file is an empty one.
pub fn read(path: &Path, now: Timestamp) -> io::Result<Past> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Past::default()),
        file => file?,
    };
    let (past, cuts) = scan(&file, now.minus(KEPT))?;
    match &cuts.old {
        Some((counts, begin)) => compact(path, file, counts, *begin..cuts.end)?,
        None if cuts.torn => {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(cuts.end)?;
            file.sync_all()?;
        }
        None => {}
    }
    if !past.calls.is_empty() {
        tracing::info!(
            calls = past.calls.len(),
            posts = past.counts.total.posts,
            "the voice simulator knows its calls again"
        );
    }
    Ok(past)
}

fn scan(file: &File, oldest: Timestamp) -> io::Result<(Past, Cuts)> {
    let (mut past, mut cuts, mut places) = (Past::default(), Cuts::default(), HashMap::new());
    let (mut reader, mut text) = (BufReader::new(file), Vec::new());
    // The lines are in the order of time: first those that go, then those that stay.
    let (mut goes, mut gone) = (true, 0);
    loop {
        text.clear();
        reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            cuts.torn = !text.is_empty();
            break;
        }
        let begin = cuts.end;
        cuts.end += text.len() as u64;
        if begin == 0
            && let Ok(line) = serde_json::from_slice::<CountsLine>(&text)
        {
            past.counts = line.counts;
            continue;
        }
        let Ok(line) = serde_json::from_slice::<Line>(&text) else {
            tracing::warn!(at = begin, "a line of the voice simulator's journal cannot be read");
            continue;
        };
        if goes && line.time >= oldest {
            goes = false;
            cuts.old = (gone > 0).then(|| (past.counts.clone(), begin));
        }
        past.take(line, &mut places, !goes);
        gone += u64::from(goes);
    }
    if goes && gone > 0 {
        cuts.old = Some((past.counts.clone(), cuts.end));
    }
    Ok((past, cuts))
}

impl Past {
    /// Counts a line, and remembers the call if it is kept.
    fn take(&mut self, line: Line, places: &mut HashMap<Uuid, usize>, keep: bool) {
        self.counts.did(line.action.clone());
        if line.is_request() {
            let number = line.to.as_deref().and_then(digits);
            let ids = Ids { number, attempt_id: line.attempt_id, call_id: line.call_request_id, attempt: None };
            self.counts.post(ids);
            if let Some(id) = line.call_id {
                self.counts.place(ids, line.time);
                if let Some(accepted) = line.call.filter(|_| keep) {
                    places.insert(id, self.calls.len());
                    let call =
                        PastCall { id, created_at: line.time, accepted: *accepted, stopped: None, reported: false };
                    self.calls.push(call);
                }
            }
            return;
        }
        let place = line.call_id.and_then(|id| places.get(&id));
        let Some(call) = place.and_then(|place| self.calls.get_mut(*place)) else { return };
        if line.action == STOPPED {
            call.stopped.get_or_insert(line.time);
        } else {
            call.reported = true;
        }
    }
}

/// Puts a new file into the old one's place: the counts, then the lines that stay. A crash leaves either of the two.
fn compact(path: &Path, mut file: File, counts: &Counts, stays: Range<u64>) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut writer = BufWriter::new(File::create(&new)?);
    serde_json::to_writer(&mut writer, &CountsLine { counts: counts.clone() })?;
    writer.write_all(b"\n")?;
    file.seek(SeekFrom::Start(stays.start))?;
    io::copy(&mut file.take(stays.end - stays.start), &mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&new, path)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
