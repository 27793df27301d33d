//! Text that is searched: SQLite's `lower` and `LIKE` fold ASCII alone, so folded copies are kept in columns.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// `text` as it is kept in a search column: compatibility forms taken apart, marks stripped, lower case.
/// `Ærø Café Ⅳ` becomes `ærø cafe iv`.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .flat_map(char::to_lowercase)
        // Lower case may bring marks of its own (İ), and a final sigma is the same letter.
        .filter(|c| !is_combining_mark(*c))
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect()
}

/// A `LIKE` pattern for "contains `text`", in which nothing of `text` is a wildcard. Use it with
/// `.like(contains(&fold(search))).escape('\\')`.
pub fn contains(text: &str) -> String {
    format!("%{}%", escape(text))
}

/// As [`contains`], for "starts with `text`".
pub fn starts_with(text: &str) -> String {
    format!("{}%", escape(text))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_what_people_type_differently() {
        for (text, folded) in [
            ("Café", "cafe"),
            ("CAFE\u{301}", "cafe"),
            ("Ærø Ⅳ", "ærø iv"),
            ("İstanbul", "istanbul"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("Οδυσσεύς", "οδυσσευσ"),
            ("ﬁne", "fine"),
            ("李 小龙", "李 小龙"),
            ("", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
            assert_eq!(fold(&fold(text)), folded, "{text} twice");
        }
    }

    #[test]
    fn nothing_typed_is_a_wildcard() {
        assert_eq!(contains(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(starts_with("a_"), r"a\_%");
    }
}
