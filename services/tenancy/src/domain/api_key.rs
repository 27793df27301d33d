//! API keys: what they look like, and when they work.

use crate::Error;
use access::{PermissionSet, Relation, Snapshot};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Secret, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;
use zeroize::Zeroizing;

/// The beginning of every key, for people and for scanners that look for leaked secrets.
const MARK: &str = "cf_";
/// Bytes of randomness.
const RANDOM_LENGTH: usize = 32;
/// Bytes of the checksum at the end, by which a scanner tells a key from a text that looks like one. It guards nothing.
const CHECKSUM_LENGTH: usize = 4;
/// Characters of a key that lists show: enough to know it by, far too few to guess the rest.
const SHOWN: usize = 11;
/// A key's last use is noted to this precision, so that a busy key is not a busy row.
pub const USE_PRECISION: Duration = Duration::from_mins(1);

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// SHA-256 of the whole key. A key has 256 random bits, so no slow hash is needed.
pub type Hash = [u8; 32];

#[derive(Debug)]
pub struct NewKey {
    pub text: Secret,
    pub hash: Hash,
    pub prefix: String,
}

pub fn generate() -> Result<NewKey, Error> {
    let mut bytes = Zeroizing::new([0_u8; RANDOM_LENGTH]);
    getrandom::fill(bytes.as_mut_slice())?;
    let random = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let text = Secret::new(format!("{MARK}{}{}", *random, checksum(&random)));
    let hash = Sha256::digest(text.expose()).into();
    let prefix = text.expose().chars().take(SHOWN).collect();
    Ok(NewKey { text, hash, prefix })
}

/// What stands behind the random part.
fn checksum(random: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(random)[..CHECKSUM_LENGTH])
}

/// The number of the hour; the use of a key is recorded once in each.
pub fn hour(at: Timestamp) -> i64 {
    at.micros().div_euclid(MICROS_PER_HOUR)
}

/// What a key that was not revoked may, where its creator may what `creator` says; `None`: it does not work.
pub fn works(
    granted: PermissionSet,
    expires_at: Option<Timestamp>,
    organisation_is_active: bool,
    creator: &Snapshot,
    now: Timestamp,
) -> Option<PermissionSet> {
    let has_access = creator.is_superadmin || creator.relation != Relation::None;
    let is_alive = organisation_is_active && has_access && expires_at.is_none_or(|at| now < at);
    let both = granted.bits() & creator.permissions.bits() & PermissionSet::grantable().bits();
    is_alive.then(|| PermissionSet::from_bits(both))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proto::Permission;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_key_has_a_mark_256_bits_and_a_checksum() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one.text.expose(), other.text.expose());
        let text = one.text.expose();
        assert_eq!(text.len(), 3 + 43 + 6);
        let random = text.strip_prefix("cf_").unwrap();
        let (random, sum) = random.split_at(43);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(sum).unwrap(), Sha256::digest(random)[..4]);
        assert_eq!(one.hash, *Sha256::digest(text));
        assert!(text.starts_with(&one.prefix) && one.prefix.len() == 11);
    }

    #[test]
    fn a_key_works_as_long_as_its_creator_and_its_organisation() {
        let set = |list: &[Permission]| list.iter().copied().collect::<PermissionSet>();
        let creator = Snapshot {
            user_is_active: true,
            is_superadmin: false,
            organisation_exists: true,
            relation: Relation::Agent,
            permissions: set(&[Permission::ViewCalls, Permission::ViewContacts]),
        };
        let granted = set(&[Permission::ViewCalls, Permission::MakeCalls, Permission::ManageAgents]);
        let at = |seconds| START.plus(Duration::from_secs(seconds));
        // At most what the creator has at this moment.
        assert_eq!(works(granted, None, true, &creator, START), Some(set(&[Permission::ViewCalls])));
        let everything = PermissionSet::from_bits(u64::MAX);
        let superadmin = Snapshot { is_superadmin: true, relation: Relation::None, permissions: everything, ..creator };
        let calls = set(&[Permission::ViewCalls, Permission::MakeCalls]);
        assert_eq!(works(granted, None, true, &superadmin, START), Some(calls));
        assert_eq!(works(granted, None, false, &superadmin, START), None);
        assert_eq!(works(granted, None, false, &creator, START), None);
        let gone = Snapshot { relation: Relation::None, permissions: PermissionSet::EMPTY, ..creator };
        assert_eq!(works(granted, None, true, &gone, START), None);
        // Without a permission that counts it is still a key.
        let poor = Snapshot { permissions: PermissionSet::EMPTY, ..creator };
        assert_eq!(works(granted, None, true, &poor, START), Some(PermissionSet::EMPTY));
        assert!(works(granted, Some(at(9)), true, &creator, at(8)).is_some());
        assert!(works(granted, Some(at(9)), true, &creator, at(9)).is_none());
    }
}
