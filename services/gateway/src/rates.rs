//! How many requests one caller, and one address, may send to this process.

use callfairy_core::{ErrorCode, Problem};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::{IpNet, Ipv6Net};
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use uuid::Uuid;

/// Who was quiet may send as much at once as is allowed in so many seconds.
const BURST: u32 = 10;
/// Who has sent little lately is forgotten so often.
const SWEEP: Duration = Duration::from_secs(10);
/// Of an IPv6 address: what one customer is given.
const IPV6_PREFIX: u8 = 64;

/// Counts requests. `None`: as many as come.
pub struct Rates {
    callers: Option<DefaultKeyedRateLimiter<Uuid>>,
    networks: Option<DefaultKeyedRateLimiter<IpNet>>,
}

impl Rates {
    /// Requests in a second, of one user or API key, and of one address; 0: as many as come.
    pub fn new(of_caller: u32, of_address: u32) -> Self {
        Self { callers: limiter(of_caller), networks: limiter(of_address) }
    }

    /// `id`: of the user, or of the API key.
    pub fn count_caller(&self, id: Uuid) -> Result<(), Problem> {
        count(self.callers.as_ref(), &id)
    }

    pub fn count_address(&self, address: IpAddr) -> Result<(), Problem> {
        count(self.networks.as_ref(), &network(address))
    }

    /// Forgets who has sent little lately.
    pub async fn sweep(&self) -> Infallible {
        loop {
            tokio::time::sleep(SWEEP).await;
            if let Some(callers) = &self.callers {
                callers.retain_recent();
                callers.shrink_to_fit();
            }
            if let Some(networks) = &self.networks {
                networks.retain_recent();
                networks.shrink_to_fit();
            }
        }
    }
}

fn limiter<K: Clone + Eq + Hash>(per_second: u32) -> Option<DefaultKeyedRateLimiter<K>> {
    let burst = NonZeroU32::new(per_second.saturating_mul(BURST))?;
    Some(RateLimiter::keyed(Quota::per_second(NonZeroU32::new(per_second)?).allow_burst(burst)))
}

fn count<K: Clone + Eq + Hash>(limiter: Option<&DefaultKeyedRateLimiter<K>>, key: &K) -> Result<(), Problem> {
    let Some(limiter) = limiter else { return Ok(()) };
    limiter.check_key(key).map_err(|not_before| {
        // Whole seconds go into Retry-After.
        let wait = not_before.wait_time_from(DefaultClock::default().now());
        let wait = Duration::from_secs(wait.as_secs() + 1);
        Problem { retry_after: Some(wait), ..Problem::new(ErrorCode::TooManyRequests, "too many requests: slow down") }
    })
}

fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => address.into(),
        IpAddr::V6(six) => Ipv6Net::new(six, IPV6_PREFIX).map_or_else(|_| address.into(), |net| net.trunc().into()),
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rates")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_and_an_ipv4_address_is_one() {
        let network = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn counts_each_apart_and_says_when_to_come_again() {
        let rates = Rates::new(1, 0);
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for _ in 0..BURST {
            assert_eq!(rates.count_caller(ada), Ok(()));
        }
        let problem = rates.count_caller(ada).unwrap_err();
        assert_eq!((problem.code, problem.retry_after), (ErrorCode::TooManyRequests, Some(Duration::from_secs(1))));
        assert_eq!(rates.count_caller(bob), Ok(()));
        for _ in 0..10_000 {
            assert_eq!(rates.count_address([192, 0, 2, 1].into()), Ok(()), "as many as come");
        }
    }
}
