//! Checks of what comes in, as the contract's rules say. The calls are generated; see `codegen::validation`.

use crate::Timestamp;
use callfairy_core::{FieldError, Id, Problem};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Entries of a map.
const MAX_MAP_ENTRIES: usize = 100;
/// Characters of a map's key.
const MAX_KEY_LENGTH: usize = 100;
/// Characters of a map's value.
const MAX_VALUE_LENGTH: usize = 1_000;
/// More bad fields than these are not told.
const MAX_ERRORS: usize = 20;

/// A message that can say what is wrong with it.
pub trait Validate {
    fn validate(&self, v: &mut Validator);
}

/// All that is wrong with a message, or nothing.
pub fn validate(message: &impl Validate) -> Result<(), Problem> {
    let mut validator = Validator::default();
    message.validate(&mut validator);
    if validator.errors.is_empty() { Ok(()) } else { Err(Problem::fields(validator.errors)) }
}

#[derive(Debug, Clone, Copy)]
pub struct TextRules {
    pub required: bool,
    /// Unicode scalar values.
    pub max_length: usize,
    pub format: TextFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    Any,
    Uuid,
    Email,
    Country,
}

/// Collects bad fields with their paths.
#[derive(Debug, Default)]
pub struct Validator {
    path: Vec<Step>,
    errors: Vec<FieldError>,
}

#[derive(Debug)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Validator {
    pub fn text(&mut self, name: &'static str, value: &str, rules: &TextRules) {
        if value.is_empty() {
            if rules.required {
                self.error(name, "is required");
            }
        } else if rules.required && value.trim().is_empty() {
            self.error(name, "is required");
        } else if value.contains('\0') {
            self.error(name, "contains a NUL character");
        } else if value.len() > rules.max_length && value.chars().count() > rules.max_length {
            self.error(name, format!("has more than {} characters", rules.max_length));
        } else if let Some(expected) = rules.format.mismatch(value) {
            self.error(name, expected);
        }
    }

    /// Whether the items are worth a look.
    pub fn list(&mut self, name: &'static str, length: usize, max_items: usize, required: bool) -> bool {
        if required && length == 0 {
            self.error(name, "is required");
        }
        if length > max_items {
            self.error(name, format!("has more than {max_items} items"));
        }
        length <= max_items
    }

    pub fn map(&mut self, name: &'static str, map: &BTreeMap<String, String>) {
        if map.len() > MAX_MAP_ENTRIES {
            return self.error(name, format!("has more than {MAX_MAP_ENTRIES} entries"));
        }
        for (key, value) in map {
            if key.is_empty() || key.chars().count() > MAX_KEY_LENGTH || key.contains('\0') {
                self.error(name, format!("has a key that is empty or longer than {MAX_KEY_LENGTH} characters"));
            } else if value.len() > MAX_VALUE_LENGTH && value.chars().count() > MAX_VALUE_LENGTH {
                self.error(name, format!("has a value longer than {MAX_VALUE_LENGTH} characters, at {key}"));
            } else if value.contains('\0') {
                self.error(name, format!("contains a NUL character, at {key}"));
            }
        }
    }

    pub fn enumeration(&mut self, name: &'static str, value: i32, required: bool, known: bool) {
        if required && value == 0 {
            self.error(name, "is required");
        } else if !known {
            self.error(name, "is not a value of this field");
        }
    }

    pub fn number(&mut self, name: &'static str, value: i128, min: i64, max: i64) {
        if value < i128::from(min) || value > i128::from(max) {
            self.error(name, format!("must be from {min} to {max}"));
        }
    }

    pub fn time(&mut self, name: &'static str, value: Option<&Timestamp>, required: bool) {
        match value {
            None if required => self.error(name, "is required"),
            Some(time) if time.checked().is_none() => self.error(name, "is out of range"),
            _ => {}
        }
    }

    pub fn nested(&mut self, name: &'static str, value: Option<&impl Validate>, required: bool) {
        match value {
            None if required => self.error(name, "is required"),
            None => {}
            Some(value) => {
                self.path.push(Step::Field(name));
                value.validate(self);
                self.path.pop();
            }
        }
    }

    /// Checks one item of a list.
    pub fn at(&mut self, name: &'static str, index: usize, check: impl FnOnce(&mut Self)) {
        self.path.extend([Step::Field(name), Step::Index(index)]);
        check(self);
        self.path.truncate(self.path.len() - 2);
    }

    fn error(&mut self, name: &'static str, message: impl Into<Cow<'static, str>>) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let mut field = String::new();
        let last = Step::Field(name);
        let last = (!name.is_empty()).then_some(&last);
        for step in self.path.iter().chain(last) {
            let dot = if field.is_empty() { "" } else { "." };
            let _ = match step {
                Step::Field(name) => write!(field, "{dot}{name}"),
                Step::Index(index) => write!(field, "[{index}]"),
            };
        }
        self.errors.push(FieldError { field, message: message.into().into_owned() });
    }
}

impl TextFormat {
    /// What was expected, when the value is not of this format.
    fn mismatch(self, value: &str) -> Option<&'static str> {
        let (fits, expected) = match self {
            Self::Any => (true, ""),
            Self::Uuid => (value.parse::<Id<()>>().is_ok(), "is not a UUID"),
            Self::Email => (is_email(value), "is not an e-mail address"),
            Self::Country => {
                let capitals = value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase());
                (capitals, "is not a country code of two capital letters")
            }
        };
        (!fits).then_some(expected)
    }
}

/// Whether mail could be sent there; whether it arrives, only a mail can tell.
fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && !l.ends_with('-');
    !local.is_empty()
        && local.len() <= 64
        && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;<>()[]\"\\:".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(label)
        && domain.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telephony::{ContactSelection, CreateCampaignRequest};
    use crate::types::Pacing;

    fn bad_fields(message: &impl Validate) -> Vec<String> {
        validate(message).err().map_or(vec![], |p| p.fields.into_iter().map(|f| f.field).collect())
    }

    #[test]
    fn names_bad_fields_by_their_paths() {
        let id = Id::<()>::new().to_string();
        let mut request = CreateCampaignRequest {
            organisation_id: id.clone(),
            name: "Spring".into(),
            contacts: Some(ContactSelection { ids: vec![id, "7".into()], ..Default::default() }),
            pacing: Some(Pacing { max_concurrent: 0, calls_per_second: 5 }),
            ..Default::default()
        };
        assert_eq!(bad_fields(&request), ["contacts.ids[1]", "pacing.max_concurrent"]);
        request.contacts = None;
        request.pacing = None;
        request.name = " ".into();
        request.task = "a\0b".into();
        assert_eq!(bad_fields(&request), ["name", "task", "contacts"]);
        request.task = "é".repeat(20_001);
        assert_eq!(bad_fields(&request), ["name", "task", "contacts"]);
    }

    #[test]
    fn addresses() {
        for good in ["a@b.co", "first.last+tag@sub.example.org", "ü@bücher.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "@b.co", "a@", "a@b", "a b@c.de", "a@b..c", "a@-b.co", "a\n@b.co", "a@b.co>", ".a@b.co"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
