//! The part of an address that says who gives addresses out.

use super::email::Email;
use callfairy_core::Problem;
use url::Host;

/// Bytes of a name, and of one of its labels (RFC 1035).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A domain in the one form in which two spellings of it are equal: ASCII in lower case, an international name as
/// `xn--…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailDomain(String);

impl EmailDomain {
    /// The problem names the field `domain`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        canonical(text).map(Self).ok_or_else(|| Problem::field("domain", "is not a domain such as example.com"))
    }

    /// Of an address. `None`: what stands there is on no list, such as a number in brackets.
    pub fn of(email: &Email) -> Option<Self> {
        let (_, domain) = email.given.rsplit_once('@')?;
        canonical(domain).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn canonical(text: &str) -> Option<String> {
    // In a URL's host it would begin an escape, and something else would be read.
    if text.contains('%') {
        return None;
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => is_name(&name).then_some(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Two labels at least, of letters, digits and hyphens inside.
fn is_name(name: &str) -> bool {
    let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= MAX_NAME && name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spellings_of_one_domain_are_equal() {
        let parsed = |text: &str| EmailDomain::parse(text).unwrap().0;
        assert_eq!(parsed("Example.COM"), "example.com");
        assert_eq!(parsed("Bücher.example"), "xn--bcher-kva.example");
        assert_eq!(parsed("XN--BCHER-KVA.example"), "xn--bcher-kva.example");
        assert_eq!(parsed("bu\u{308}cher.example"), "xn--bcher-kva.example");
    }

    #[test]
    fn refuses_what_is_no_domain() {
        let longest = vec!["a".repeat(63); 4].join(".");
        for text in [
            "",
            ".",
            "com",
            "*.example.com",
            ".example.com",
            "example.com.",
            "exam ple.com",
            "exam%70le.com",
            "127.0.0.1",
            "[::1]",
            "ada@example.com",
            "-a.example",
            "a-.example",
            "a_b.example",
            "example..com",
            "example.com/",
            longest.as_str(),
        ] {
            assert_eq!(EmailDomain::parse(text).unwrap_err().fields[0].field, "domain", "{text}");
        }
    }

    #[test]
    fn an_address_has_one_domain_exactly() {
        let of = |address: &str| EmailDomain::of(&Email::parse(address).unwrap()).map(|domain| domain.0);
        assert_eq!(of("ada@Example.com").as_deref(), Some("example.com"));
        assert_eq!(of("ada@bücher.example"), of("ada@xn--bcher-kva.example"));
        for other in ["ada@evil-example.com", "ada@sub.example.com", "ada@example.com.evil.org", "ada@examp1e.com"] {
            assert_ne!(of(other).as_deref(), Some("example.com"), "{other}");
        }
        assert_eq!(of("ada@[127.0.0.1]"), None);
    }
}
