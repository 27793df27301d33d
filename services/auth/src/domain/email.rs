//! E-mail addresses.

use callfairy_core::Problem;
use lettre::Address;
use unicode_normalization::UnicodeNormalization;

/// An address that mail can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// As its owner wrote it, composed.
    pub given: String,
    /// The form in which two spellings of one address are equal.
    pub folded: String,
}

impl Email {
    /// The problem names the field `email`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let given: String = text.trim().nfc().collect();
        if given.parse::<Address>().is_err() {
            return Err(Problem::field("email", "is not an address that mail can be sent to"));
        }
        Ok(Self { folded: fold(&given), given })
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.given.rsplit_once('@').map_or(&self.given, |(local, _)| local)
    }
}

/// Lower case, composed. Marks stay, unlike in a search: `é` and `e` are two people's addresses.
pub fn fold(text: &str) -> String {
    text.trim().nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// The address as logs show it: `a***@example.com`.
pub fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}***@{domain}", local.chars().next().unwrap_or_default()),
        None => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        let folded = |text: &str| Email::parse(text).unwrap().folded;
        assert_eq!(folded(" Ada.Lovelace@Example.COM "), "ada.lovelace@example.com");
        assert_eq!(folded("JOSE\u{301}@example.com"), folded("josé@example.com"));
        assert_ne!(folded("josé@example.com"), folded("jose@example.com"));
        assert_ne!(folded("mıke@example.com"), folded("mike@example.com"));
        assert_eq!(Email::parse(" Ada@Example.com").unwrap().given, "Ada@Example.com");
    }

    #[test]
    fn refuses_what_no_mail_reaches() {
        for text in ["", "ada", "@example.com", "ada@", "ada@exa mple.com", "ada@example.com\r\nBcc: eve@example.com"] {
            assert_eq!(Email::parse(text).unwrap_err().fields[0].field, "email", "{text}");
        }
    }

    #[test]
    fn logs_show_the_first_letter() {
        assert_eq!(mask("ada@example.com"), "a***@example.com");
        assert_eq!(mask("élan@example.com"), "é***@example.com");
        assert_eq!(mask("nonsense"), "***");
    }
}
