//! Where a request comes from.

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection; or, where that is one of our proxies, whom it names in `X-Forwarded-For`. Each proxy
/// adds the address that it was called from at the end, so what stands before the last one that is not ours may be made up.
pub fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok()).collect();
    let mut named = lines.iter().flat_map(|line| line.split(',')).rev();
    let mut address = peer?.to_canonical();
    while proxies.iter().any(|network| network.contains(&address)) {
        match named.next().and_then(|name| name.trim().parse::<IpAddr>().ok()) {
            Some(before) => address = before.to_canonical(),
            None => break,
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn address(peer: &str, lines: &[&'static str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        client_address(Some(peer.parse().unwrap()), &headers, &proxies).unwrap().to_string()
    }

    #[test]
    fn believes_its_own_proxies_alone() {
        const OURS: &[&str] = &["10.0.0.0/8", "2001:db8::/32"];
        assert_eq!(address("203.0.113.9", &["198.51.100.7"], &[]), "203.0.113.9");
        assert_eq!(address("203.0.113.9", &["198.51.100.7"], OURS), "203.0.113.9");
        assert_eq!(address("10.1.2.3", &["198.51.100.7"], OURS), "198.51.100.7");
        assert_eq!(address("::ffff:10.1.2.3", &["::ffff:198.51.100.7"], OURS), "198.51.100.7");
        // What the client made up stands before what our proxies saw.
        assert_eq!(address("10.1.2.3", &["127.0.0.1, 198.51.100.7, 10.9.9.9"], OURS), "198.51.100.7");
        assert_eq!(address("10.1.2.3", &["192.0.2.1", "198.51.100.7 , 2001:db8::5"], OURS), "198.51.100.7");
        // Without a name, or with nonsense for one, it is the proxy.
        for nothing in [&[][..], &[""], &["unknown"], &["198.51.100.7, x"]] {
            assert_eq!(address("10.1.2.3", nothing, OURS), "10.1.2.3", "{nothing:?}");
        }
        assert_eq!(address("10.1.2.3", &["10.0.0.1"], OURS), "10.0.0.1");
    }
}
