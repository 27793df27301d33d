//! Which passwords are refused, and why.
//!
//! Any character counts, unmodified; there are no rules of composition. What is refused is what others guess first:
//! the commonest passwords, and what is known of the account.

use super::email::Email;
use callfairy_core::Problem;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Unicode scalar values.
const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 128;
/// A word of the account may be part of a password that has at least so many characters beside it.
const MIN_BESIDE_A_WORD: usize = 6;
/// Shorter words are refused only as the whole password.
const MIN_WORD: usize = 4;
const PRODUCT: &str = "callfairy";

/// One password a line, in lower case, the shortest of them as long as a password must be.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common-passwords.txt").lines().collect());

/// What is known of the account that the password is for.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub email: &'a Email,
    pub name: &'a str,
    pub company: Option<&'a str>,
}

/// The problem names the field and says what is wrong with the password, in words for its owner.
pub fn check(field: &str, password: &str, about: About<'_>) -> Result<(), Problem> {
    match fault(password, about) {
        None => Ok(()),
        Some(fault) => Err(Problem::field(field, fault)),
    }
}

fn fault(password: &str, about: About<'_>) -> Option<String> {
    let length = password.chars().count();
    if length < MIN_LENGTH {
        return Some(format!("has fewer than {MIN_LENGTH} characters"));
    }
    if length > MAX_LENGTH {
        return Some(format!("has more than {MAX_LENGTH} characters"));
    }
    let lower = password.to_lowercase();
    if COMMON.contains(lower.as_str()) {
        return Some("is one of the commonest passwords".to_owned());
    }
    let words = [
        (about.email.given.as_str(), "your e-mail address"),
        (about.email.local_part(), "your e-mail address"),
        (about.name, "your name"),
        (about.company.unwrap_or_default(), "your company's name"),
        (PRODUCT, "the name of this product"),
    ];
    let near = words.into_iter().find(|(word, _)| is_little_more_than(&lower, &db::fold(word)));
    let parts = about.name.split_whitespace().map(db::fold);
    match near {
        Some((_, what)) => Some(format!("is too close to {what}")),
        None if parts.into_iter().any(|part| is_little_more_than(&lower, &part)) => {
            Some("is too close to your name".to_owned())
        }
        None => None,
    }
}

/// Whether the password is the word, or the word with next to nothing beside it.
fn is_little_more_than(password: &str, word: &str) -> bool {
    let (password, word) = (db::fold(password), word.trim());
    if word.is_empty() {
        return false;
    }
    if password == word {
        return true;
    }
    let beside = password.replacen(word, "", 1).chars().count();
    word.chars().count() >= MIN_WORD && password.contains(word) && beside < MIN_BESIDE_A_WORD
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(password: &str) -> Option<String> {
        let email = Email::parse("Grace.Hopper@navy.example").unwrap();
        fault(password, About { email: &email, name: "Grace Hopper", company: Some("Société Générale") })
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(told("ünïcödé").as_deref(), Some("has fewer than 8 characters"));
        assert_eq!(told("ünïcödé!"), None);
        assert_eq!(told(&"é".repeat(128)), None);
        assert_eq!(told(&"é".repeat(129)).as_deref(), Some("has more than 128 characters"));
        assert_eq!(told("        "), None, "any character is as good as another");
    }

    #[test]
    fn common_ones_are_refused_in_any_case() {
        for common in ["password", "Password1", "12345678", "QWERTYUIOP", "iloveyou1", "letmein123"] {
            assert_eq!(told(common).as_deref(), Some("is one of the commonest passwords"), "{common}");
        }
    }

    #[test]
    fn what_is_known_of_the_account_is_refused() {
        for (password, reason) in [
            ("grace.hopper@navy.example", "is too close to your e-mail address"),
            ("Grace.Hopper", "is too close to your e-mail address"),
            ("GRACE HOPPER", "is too close to your name"),
            ("hopper1906!", "is too close to your name"),
            ("societe generale", "is too close to your company's name"),
            ("Société Générale 1", "is too close to your company's name"),
            ("callfairy", "is too close to the name of this product"),
            ("CallFairy2026", "is too close to the name of this product"),
        ] {
            assert_eq!(told(password).as_deref(), Some(reason), "{password}");
        }
        for password in ["hopper-likes-boats", "a callfairy on the roof", "correct horse battery staple"] {
            assert_eq!(told(password), None, "{password}");
        }
    }

    #[test]
    fn the_list_is_in_the_form_that_is_looked_up() {
        let lines: Vec<&str> = include_str!("common-passwords.txt").lines().collect();
        assert!(lines.len() >= 500, "{}", lines.len());
        assert_eq!(lines.len(), COMMON.len(), "a line is there twice");
        for line in lines {
            assert!(line.to_lowercase() == line && line.trim() == line, "{line}");
            assert!((MIN_LENGTH..=MAX_LENGTH).contains(&line.chars().count()), "{line} is refused by its length");
        }
    }
}
