//! Whether the audit log is what was recorded.

use crate::domain::chain::{Hash, Head, Link};
use crate::store::audit_log as store;
use db::{Db, Pool};
use std::fmt;

/// Entries that are read at one time.
const BATCH: i64 = 1_000;

/// A chain without a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub entries: i64,
    /// Of the last entry, in hexadecimal; of an empty chain, zeros.
    pub head: String,
}

#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    #[error("the audit log is broken at entry {sequence}: {why}")]
    Broken { sequence: i64, why: Fault },
    #[error("{0:?} is not the hash of an entry: 64 hexadecimal digits")]
    NoHash(String),
    #[error("the audit log is whole, but has no entry with the hash {0}: it is not the one that this was noted of")]
    Unexpected(String),
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<diesel::result::Error> for VerificationError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Others come after it.
    Missing,
    /// It, or what it follows, is not what was appended.
    Changed,
    /// The chain was longer.
    CutOff,
    /// It was not appended in the usual way.
    Added,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is missing",
            Self::Changed => "it is not what was appended there",
            Self::CutOff => "the end of the log is missing from here on",
            Self::Added => "it stands after the end of the log",
        })
    }
}

/// Walks the whole chain, as it stands at this moment. `expected`, the hash of an entry that was noted before, must be in
/// it: that tells a chain that was written anew from its beginning.
pub async fn verify_audit_log(pool: &Pool, expected: Option<&str>) -> Result<Verified, VerificationError> {
    let expected = expected.map(parse).transpose()?;
    pool.of_everyone().read(move |db| db.transaction(|db| walk(db, expected))).await
}

fn parse(text: &str) -> Result<Hash, VerificationError> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text.trim(), &mut hash).map_err(|_| VerificationError::NoHash(text.to_owned()))?;
    Ok(hash)
}

fn walk(db: &mut Db, expected: Option<Hash>) -> Result<Verified, VerificationError> {
    if db.is_postgres() {
        // All that follows sees one moment. SQLite's transactions do so anyway.
        db.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    }
    let broken = |sequence, why| Err(VerificationError::Broken { sequence, why });
    let (mut end, mut was_seen) = (Head::START, expected.is_none_or(|hash| hash == Head::START.hash));
    loop {
        let links: Vec<Link> = store::after(db, end.sequence, BATCH)?.into_iter().map(Link::from).collect();
        if links.is_empty() {
            break;
        }
        for link in links {
            if !end.follow(&link) {
                let next = end.sequence + 1;
                return broken(next, if link.sequence == next { Fault::Changed } else { Fault::Missing });
            }
            was_seen |= expected == Some(end.hash);
        }
    }
    match store::head(db)? {
        Some(head) if head.sequence == end.sequence && head.hash != end.hash => broken(end.sequence, Fault::Changed),
        Some(head) if head.sequence < end.sequence => broken(head.sequence + 1, Fault::Added),
        Some(head) if head.sequence == end.sequence => match expected {
            Some(hash) if !was_seen => Err(VerificationError::Unexpected(hex::encode(hash))),
            _ => Ok(Verified { entries: end.sequence, head: hex::encode(end.hash) }),
        },
        _ => broken(end.sequence + 1, Fault::CutOff),
    }
}
