//! The audit log's chain: what an entry's hash covers, and how a chain is checked.
//!
//! Who can write to the database can only add to the chain, as long as the database holds that; whoever owns the database
//! could write a whole new chain, with new hashes. Against that helps to note the hash of the last entry somewhere else
//! from time to time: it must be in the chain for ever.

use callfairy_core::{Id, OrganisationId, Timestamp};
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub enum EntryMark {}
pub type EntryId = Id<EntryMark>;

pub type Hash = [u8; 32];

/// What stands before the first entry.
pub const BEGINNING: Hash = [0; 32];
/// A hash of something else, or of another way to write entries, is never one of these.
const MARK: &[u8] = b"callfairy audit log 1";

/// An entry without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub id: EntryId,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor_id: String,
    pub action: String,
    pub organisation_id: Option<OrganisationId>,
    pub subject_kind: String,
    pub subject_id: String,
    pub outcome: String,
    pub network: String,
    /// JSON.
    pub details: String,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub sequence: i64,
    pub content: Content,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Where a chain ends: the last entry's place and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub sequence: i64,
    pub hash: Hash,
}

impl Head {
    pub const START: Self = Self { sequence: 0, hash: BEGINNING };

    /// Moves to the new last entry.
    pub fn append(&mut self, content: Content) -> Link {
        let (sequence, previous_hash) = (self.sequence + 1, self.hash.to_vec());
        *self = Self { sequence, hash: hash(&self.hash, sequence, &content) };
        Link { sequence, content, previous_hash, hash: self.hash.to_vec() }
    }

    /// Moves to the next entry, if it is that; answers whether it is.
    pub fn follow(&mut self, link: &Link) -> bool {
        let next = Self { sequence: self.sequence + 1, hash: hash(&self.hash, link.sequence, &link.content) };
        let fits = link.sequence == next.sequence && link.previous_hash == self.hash && link.hash == next.hash;
        if fits {
            *self = next;
        }
        fits
    }
}

/// Every part with its length before it, so that no two entries are written alike.
fn hash(previous: &Hash, sequence: i64, content: &Content) -> Hash {
    let Content {
        id,
        at,
        actor_kind,
        actor_id,
        action,
        organisation_id,
        subject_kind,
        subject_id,
        outcome,
        network,
        details,
    } = content;
    let organisation = organisation_id.map(|id| id.uuid().into_bytes());
    let mut hasher = Sha256::new();
    for part in [
        MARK,
        previous,
        &sequence.to_be_bytes(),
        id.as_bytes(),
        &at.micros().to_be_bytes(),
        actor_kind.as_bytes(),
        actor_id.as_bytes(),
        action.as_bytes(),
        organisation.as_ref().map_or(&[][..], |bytes| &bytes[..]),
        subject_kind.as_bytes(),
        subject_id.as_bytes(),
        outcome.as_bytes(),
        network.as_bytes(),
        details.as_bytes(),
    ] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn numbered<T>(number: u8) -> Id<T> {
        format!("00000000-0000-0000-0000-{number:012}").parse().unwrap()
    }

    fn content() -> Content {
        Content {
            id: numbered(7),
            at: Timestamp::UNIX_EPOCH.plus(Duration::from_micros(1)),
            actor_kind: "user".to_owned(),
            actor_id: "a".to_owned(),
            action: "sign_in".to_owned(),
            organisation_id: None,
            subject_kind: String::new(),
            subject_id: String::new(),
            outcome: "done".to_owned(),
            network: "192.0.2.0/24".to_owned(),
            details: "{}".to_owned(),
        }
    }

    #[test]
    fn the_hash_of_an_entry_never_changes() {
        // By another program: SHA-256 over length and bytes of each part.
        let mut head = Head::START;
        let link = head.append(content());
        assert_eq!(hex::encode(&link.hash), "8e5c4899bd8dd9e2e423aa888632fb0fe743f558e76ef2ca411483d1bf4d00b5");
    }

    #[test]
    fn every_part_counts() {
        type Change = fn(&mut Content);
        let changes: [Change; 12] = [
            |c| c.id = numbered(8),
            |c| c.at = Timestamp::UNIX_EPOCH,
            |c| c.actor_kind.push('x'),
            |c| c.actor_id.push('x'),
            |c| c.action.push('x'),
            |c| c.organisation_id = Some(numbered(0)),
            |c| c.subject_kind.push('x'),
            |c| c.subject_id.push('x'),
            |c| c.outcome.push('x'),
            |c| c.network.push('x'),
            |c| c.details.push('x'),
            // The same letters, elsewhere.
            |c| (c.actor_kind, c.actor_id) = ("usera".to_owned(), String::new()),
        ];
        let mut hashes =
            vec![hash(&BEGINNING, 1, &content()), hash(&BEGINNING, 2, &content()), hash(&[1; 32], 1, &content())];
        for change in changes {
            let mut changed = content();
            change(&mut changed);
            hashes.push(hash(&BEGINNING, 1, &changed));
        }
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }

    #[test]
    fn only_the_next_entry_follows() {
        let mut head = Head::START;
        let links: Vec<Link> = (0..3).map(|_| head.append(content())).collect();
        let mut walk = Head::START;
        assert!(!walk.clone().follow(&links[1]));
        assert!(links.iter().all(|link| walk.follow(link)));
        assert_eq!(walk, head);
        let mut forged = Link { content: Content { outcome: "refused".to_owned(), ..content() }, ..links[0].clone() };
        assert!(!Head::START.clone().follow(&forged));
        // Whoever also writes its hash anew is told by the entry after it.
        forged.hash = hash(&BEGINNING, 1, &forged.content).to_vec();
        let mut walk = Head::START;
        assert!(walk.follow(&forged) && !walk.follow(&links[1]));
    }
}
