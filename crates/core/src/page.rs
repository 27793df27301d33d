//! Keyset pages: page 10,000 costs what page 1 costs.

use crate::Problem;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Serialize, de::DeserializeOwned};

/// Rows on a page when the caller does not say.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// The most rows on a page.
pub const MAX_PAGE_SIZE: u32 = 200;

/// Longer tokens are not ours.
const MAX_TOKEN_LENGTH: usize = 1_024;

/// One page of a list: at most `size` rows after `after`, the key of the last row seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    pub size: u32,
    pub after: Option<K>,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Reads `page_size` (0: the default) and `page_token` (empty: the first page) of a request.
    pub fn parse(page_size: u32, page_token: &str) -> Result<Self, Problem> {
        let size = match page_size {
            0 => DEFAULT_PAGE_SIZE,
            1..=MAX_PAGE_SIZE => page_size,
            _ => return Err(Problem::field("page_size", format!("must be at most {MAX_PAGE_SIZE}"))),
        };
        let after = match page_token {
            "" => None,
            token => Some(PageToken::read(token)?),
        };
        Ok(Self { size, after })
    }

    /// How many rows to ask the database for: one more than the page holds tells whether there is a next.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts `rows`, read with [`Self::limit`], to the page; answers the next page's token, empty on the last.
    pub fn cut<R>(&self, rows: &mut Vec<R>, key: impl FnOnce(&R) -> K) -> String {
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map(|row| PageToken::write(&key(row))).unwrap_or_default()
    }
}

/// The opaque form of a key. It holds no secret and grants nothing: the query that uses it is bound to the
/// caller's organisation like any other.
#[derive(Debug)]
pub struct PageToken;

impl PageToken {
    pub fn write<K: Serialize>(key: &K) -> String {
        serde_json::to_vec(key).map(|json| BASE64_URL_SAFE_NO_PAD.encode(json)).unwrap_or_default()
    }

    pub fn read<K: DeserializeOwned>(token: &str) -> Result<K, Problem> {
        let bad = || Problem::field("page_token", "is not a token of this list");
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(bad());
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
        serde_json::from_slice(&json).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_to_the_end() -> Result<(), Problem> {
        let all: Vec<u32> = (0..7).collect();
        let (mut seen, mut token) = (vec![], String::new());
        loop {
            let page = Page::<u32>::parse(3, &token)?;
            let after = page.after;
            let mut rows: Vec<u32> = all.iter().copied().filter(|n| after.is_none_or(|a| *n > a)).take(4).collect();
            token = page.cut(&mut rows, |n| *n);
            seen.extend(rows);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
        Ok(())
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        for token in ["x", "%%%", "bm90IGpzb24", &"a".repeat(5_000)] {
            let problem = Page::<u32>::parse(0, token).map(|_| ()).map_err(|p| p.fields[0].field.clone());
            assert_eq!(problem, Err("page_token".to_owned()));
        }
        assert!(Page::<u32>::parse(MAX_PAGE_SIZE + 1, "").is_err());
    }
}
