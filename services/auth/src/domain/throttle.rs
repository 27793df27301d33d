//! How many wrong passwords are looked at.
//!
//! Attempts are counted for the account that they name, whether or not it exists, and for the network that they come
//! from. An address that the account has signed in from before has a count of its own: strangers who use up everybody
//! else's lock nobody out of it.

use super::opaque_token::{self, Hash};
use callfairy_core::{ErrorCode, Problem, UserId};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Attempts are counted for this long, from the first.
pub const WINDOW: Duration = Duration::from_mins(15);
/// Wrong passwords for one account.
const MAX_OF_ACCOUNT: i32 = 10;
/// Wrong passwords from one network.
const MAX_OF_NETWORK: i32 = 100;

/// What attempts are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Of what it is; a name may be long, and need not be kept in the open.
    pub key: Hash,
    pub limit: i32,
}

impl Counter {
    /// Of an account, by its folded address: of all strangers together, or of one address that is known to it.
    pub fn of_account(email_folded: &str, known: Option<IpAddr>) -> Self {
        let key = match known {
            Some(address) => format!("account {address} {email_folded}"),
            None => format!("account - {email_folded}"),
        };
        Self { key: opaque_token::hash(&key), limit: MAX_OF_ACCOUNT }
    }

    /// Of somebody who has signed in and gives their password again.
    pub fn of_user(user: UserId) -> Self {
        Self { key: opaque_token::hash(&format!("user {user}")), limit: MAX_OF_ACCOUNT }
    }

    pub fn of_network(address: IpAddr) -> Self {
        Self { key: opaque_token::hash(&format!("network {}", network(address))), limit: MAX_OF_NETWORK }
    }
}

/// The part of an address that one customer of a provider usually has: 24 bits of IPv4, 64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            [a, b, c, 0].into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// How long no password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl From<Wait> for Problem {
    fn from(Wait(wait): Wait) -> Self {
        let why = "too many wrong passwords: wait before you try another";
        Self { retry_after: Some(wait), ..Self::new(ErrorCode::TooManyRequests, why) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        let same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|address| Counter::of_network(address.parse().unwrap()));
            one == other
        };
        assert!(same("192.0.2.1", "192.0.2.254") && !same("192.0.2.1", "192.0.3.1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.7"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    }

    #[test]
    fn a_known_address_is_counted_apart() {
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let all = [
            Counter::of_account("ada@example.com", None),
            Counter::of_account("ada@example.com", address(1)),
            Counter::of_account("ada@example.com", address(2)),
            Counter::of_account("eve@example.com", None),
        ];
        for (index, counter) in all.iter().enumerate() {
            assert!(!all[..index].contains(counter), "{index}");
        }
    }
}
