//! What is known of a person, and the forms in which it is searched and ordered.

use std::collections::{BTreeMap, HashSet};

/// Characters of the folded name that lists are ordered by: an index entry has its limits.
const SORT_NAME_LENGTH: usize = 100;
/// What people write between the digits of a number.
const NUMBER_PUNCTUATION: &[char] = &[' ', '\u{a0}', '-', '.', '/', '(', ')'];

/// What a request or a row of a file says of a person; its number in E.164, everything within the contract's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    pub name: String,
    pub phone_number: String,
    pub email: Option<String>,
    pub tags: Vec<String>,
    pub metadata: BTreeMap<String, String>,
}

impl Details {
    /// The beginning of the folded name.
    pub fn sort_name(&self) -> String {
        db::fold(&self.name).chars().take(SORT_NAME_LENGTH).collect()
    }

    /// Everything that a search looks at, folded.
    pub fn search(&self) -> String {
        let email = self.email.as_deref().unwrap_or_default();
        db::fold(&format!("{}\n{}\n{email}", self.name, self.phone_number))
    }

    /// Takes over what `newer` has; what it lacks stays. A name that is only the number is none.
    pub fn update(&mut self, newer: Self) {
        if newer.name != newer.phone_number {
            self.name = newer.name;
        }
        self.email = newer.email.or(self.email.take());
        if !newer.tags.is_empty() {
            self.tags = newer.tags;
        }
        if !newer.metadata.is_empty() {
            self.metadata = newer.metadata;
        }
    }
}

/// Each tag once, without the space around it, in the given order.
pub fn tags<'t>(given: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let mut known = HashSet::new();
    let mut is_new = |tag: &&'t str| !tag.is_empty() && known.insert(*tag);
    given.into_iter().map(str::trim).filter(|tag| is_new(tag)).map(str::to_owned).collect()
}

/// What to look for in [`Details::search`]: a number in any notation is looked for by its digits.
pub fn search_for(text: &str) -> String {
    let digits: String = text.trim().trim_start_matches('+').replace(NUMBER_PUNCTUATION, "");
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        // The zeros before a national number are not a part of the international one.
        let significant = digits.trim_start_matches('0');
        return if significant.is_empty() { digits } else { significant.to_owned() };
    }
    db::fold(text.trim())
}

/// Whether mail could be sent there, by the contract's rule.
pub fn is_email(text: &str) -> bool {
    proto::validate(&Email(text)).is_ok()
}

/// Characters of an address.
pub const MAX_EMAIL: usize = 254;

struct Email<'a>(&'a str);

impl proto::Validate for Email<'_> {
    fn validate(&self, v: &mut proto::Validator) {
        let rules = proto::TextRules { required: true, max_length: MAX_EMAIL, format: proto::TextFormat::Email };
        v.text("email", self.0, &rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Details {
        Details {
            name: "Ada Löve".into(),
            phone_number: "+442079460018".into(),
            email: Some("Ada@Example.org".into()),
            tags: vec!["vip".into()],
            metadata: [("City".to_owned(), "London".to_owned())].into(),
        }
    }

    #[test]
    fn is_found_by_name_number_and_address_however_they_are_written() {
        let search = ada().search();
        for text in ["ada love", "LÖVE", "ada@example", "+44 20 7946", "020 7946-0018", "(0)20 7946", "7946"] {
            assert!(search.contains(&search_for(text)), "{text}");
        }
        for text in ["bob", "+45", "79460019"] {
            assert!(!search.contains(&search_for(text)), "{text}");
        }
        assert_eq!(search_for("0"), "0");
    }

    #[test]
    fn the_order_of_names_has_a_bounded_key() {
        let name = "\u{fdfa}".repeat(200); // one character that folds to eighteen
        assert_eq!(Details { name, ..ada() }.sort_name().chars().count(), SORT_NAME_LENGTH);
    }

    #[test]
    fn an_update_does_not_empty_what_it_lacks() {
        let mut contact = ada();
        let nothing_but_a_number = Details {
            name: contact.phone_number.clone(),
            email: None,
            tags: vec![],
            metadata: BTreeMap::new(),
            ..ada()
        };
        contact.update(nothing_but_a_number);
        assert_eq!(contact, ada());
        let all = Details {
            name: "A. King".into(),
            email: Some("a@b.co".into()),
            tags: vec!["new".into()],
            metadata: [("Town".to_owned(), "Ockham".to_owned())].into(),
            ..ada()
        };
        contact.update(all.clone());
        assert_eq!(contact, all);
    }

    #[test]
    fn tags_are_trimmed_and_unique() {
        assert_eq!(tags([" a", "b ", "", "a", "A"]), ["a", "b", "A"]);
    }

    #[test]
    fn addresses_are_those_of_the_contract() {
        assert!(is_email("ü@bücher.example"));
        for bad in ["", "a", "a@b", "a b@c.de"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
