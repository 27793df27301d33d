//! How long a session lives, and what becomes of a refresh token that comes in.

use super::signing_key::ACCESS_TOKEN_LIFETIME;
use callfairy_core::Timestamp;
use std::time::Duration;

/// A session that is not refreshed for this long ends.
pub const IDLE: Duration = Duration::from_hours(30 * 24);
/// A session ends after this, however often it is refreshed.
pub const LIFETIME: Duration = Duration::from_hours(90 * 24);
/// For this long after its exchange a token gets the same successor again: an answer may be lost on its way.
pub const GRACE: Duration = Duration::from_secs(10);
/// How much longer than an access token a session is thought to have one: the grace, and clocks that differ.
const MARGIN: Duration = Duration::from_mins(1);
/// An access token of a session may live for this long after the session was used last.
pub const TOKENS_LIVE: Duration = ACCESS_TOKEN_LIFETIME.saturating_add(MARGIN);

/// A session and one of its refresh tokens, as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub replaced_at: Option<Timestamp>,
    /// Encrypted. Gone once the successor itself was exchanged.
    pub successor: Option<&'a [u8]>,
}

/// What becomes of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is exchanged for a new one.
    Exchange,
    /// It was exchanged a moment ago: the same successor again.
    Repeat(&'a [u8]),
    /// It was exchanged before: somebody holds a copy, and the session ends.
    Reused,
    /// The session is over.
    Over,
}

impl<'a> Standing<'a> {
    pub fn verdict(self, now: Timestamp) -> Verdict<'a> {
        if self.revoked_at.is_some() || now >= self.expires_at {
            return Verdict::Over;
        }
        match (self.replaced_at, self.successor) {
            (None, _) => Verdict::Exchange,
            (Some(at), Some(successor)) if now.since(at) <= GRACE => Verdict::Repeat(successor),
            (Some(_), _) => Verdict::Reused,
        }
    }
}

/// When a session that is used at `now` expires, if it must end at `ends_at`.
pub fn expires_at(now: Timestamp, ends_at: Timestamp) -> Timestamp {
    now.plus(IDLE).min(ends_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn standing() -> Standing<'static> {
        Standing { expires_at: START.plus(IDLE), revoked_at: None, replaced_at: None, successor: None }
    }

    #[test]
    fn a_fresh_token_is_exchanged_until_the_session_expires() {
        assert_eq!(standing().verdict(START), Verdict::Exchange);
        let last = START.plus(IDLE).minus(Duration::from_micros(1));
        assert_eq!(standing().verdict(last), Verdict::Exchange);
        assert_eq!(standing().verdict(START.plus(IDLE)), Verdict::Over);
        assert_eq!(Standing { revoked_at: Some(START), ..standing() }.verdict(START), Verdict::Over);
    }

    #[test]
    fn a_retry_has_ten_seconds() {
        let replaced = Standing { replaced_at: Some(START), successor: Some(b"next"), ..standing() };
        assert_eq!(replaced.verdict(START.plus(GRACE)), Verdict::Repeat(b"next"));
        assert_eq!(replaced.verdict(START.plus(GRACE + Duration::from_micros(1))), Verdict::Reused);
        // A replica whose clock is a little behind.
        assert_eq!(replaced.verdict(START.minus(Duration::from_secs(1))), Verdict::Repeat(b"next"));
    }

    #[test]
    fn a_grandparent_has_no_grace() {
        let grandparent = Standing { replaced_at: Some(START), successor: None, ..standing() };
        assert_eq!(grandparent.verdict(START), Verdict::Reused);
        let over = Standing { revoked_at: Some(START), ..grandparent };
        assert_eq!(over.verdict(START), Verdict::Over);
    }

    #[test]
    fn use_prolongs_up_to_the_end() {
        let ends_at = START.plus(LIFETIME);
        assert_eq!(expires_at(START, ends_at), START.plus(IDLE));
        assert_eq!(expires_at(ends_at.minus(Duration::from_secs(1)), ends_at), ends_at);
    }
}
