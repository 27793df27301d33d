//! E-mail addresses.

use unicode_normalization::UnicodeNormalization;

/// The form in which two spellings of one address are equal: lower case, composed. auth folds likewise.
pub fn fold(text: &str) -> String {
    text.trim().nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        assert_eq!(fold(" Ada.Lovelace@Example.COM "), "ada.lovelace@example.com");
        assert_eq!(fold("JOSE\u{301}@example.com"), fold("josé@example.com"));
        assert_ne!(fold("josé@example.com"), fold("jose@example.com"));
        assert_ne!(fold("mıke@example.com"), fold("mike@example.com"));
    }
}
