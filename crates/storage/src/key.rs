//! Which keys there are.

use crate::StorageError;

/// The longest key in bytes; S3 takes 1,024 with the prefix.
const MAX_KEY: usize = 512;
/// The longest part of a key in bytes: file systems take 255, and an upload's temporary name is longer.
const MAX_PART: usize = 200;

pub(crate) fn check(key: &str) -> Result<(), StorageError> {
    let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_.-".contains(&c);
    let part = |part: &str| part.len() <= MAX_PART && part.bytes().all(known) && part.bytes().any(|c| c != b'.');
    if key.len() <= MAX_KEY && key.split('/').all(part) {
        Ok(())
    } else {
        // A refused key may be anything: enough of it to recognise it.
        Err(StorageError::Key { key: key.chars().take(MAX_PART).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_plain_names_between_slashes() {
        for key in ["a", "imports/0190a6f1-0000-7000-8000-000000000000/file.csv", "_x/.hidden", "a..b"] {
            assert!(check(key).is_ok(), "{key}");
        }
    }

    #[test]
    fn refuses_all_else() {
        let long = ["a/".repeat(MAX_KEY / 2), "a".repeat(MAX_PART + 1)].map(|text| format!("{text}x"));
        let bad = [
            "", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/...", "A", "a b", "a#1", "a\\b", "a\0", "ä", "a%2e",
        ];
        for key in bad.into_iter().chain(long.iter().map(String::as_str)) {
            assert!(matches!(check(key), Err(StorageError::Key { .. })), "{key}");
        }
    }
}
