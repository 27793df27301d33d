//! Which field could not be read, and why, in the caller's words.

use callfairy_core::{ErrorCode, Problem};
use serde::de::{self, Expected, Unexpected};
use std::fmt::{self, Display, Write as _};

/// Why a value was not read. It never repeats the value, which may be a secret.
#[derive(Debug)]
pub struct Error {
    /// From the innermost outwards.
    path: Vec<Step>,
    message: String,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Index(usize),
}

impl Error {
    pub fn expected(what: impl Display) -> Self {
        Self { path: Vec::new(), message: format!("expected {what}") }
    }

    pub fn twice(field: &str) -> Self {
        Self { path: Vec::new(), message: "is given more than once".to_owned() }.in_field(field)
    }

    pub fn in_field(mut self, name: &str) -> Self {
        self.path.push(Step::Field(name.to_owned()));
        self
    }

    pub fn in_item(mut self, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self
    }

    pub fn into_problem(self) -> Problem {
        let mut field = String::new();
        for step in self.path.iter().rev() {
            let dot = if field.is_empty() { "" } else { "." };
            let _ = match step {
                Step::Field(name) => write!(field, "{dot}{name}"),
                Step::Index(index) => write!(field, "[{index}]"),
            };
        }
        if field.is_empty() {
            Problem::new(ErrorCode::InvalidArgument, self.message)
        } else {
            Problem::field(field, self.message)
        }
    }
}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self { path: Vec::new(), message: message.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("must be one of: {}", known.join(", ")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::custom("is not a field of this request").in_field(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::twice(field)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
