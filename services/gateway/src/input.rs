//! What a request says, field by field, wherever it stands: in the path, the query, a form or a JSON body. All of it
//! becomes one [`Value`], and the message's own serde code reads that, strictly.
//!
//! A body is read in two steps, text to [`Value`] and [`Value`] to message, because the second step then knows of each
//! value where it stands, and refuses what serde's derive lets pass: a name given twice, a list where an object
//! belongs.

mod error;
mod typed;
mod value;

pub use value::Value;

use callfairy_core::{ErrorCode, Problem};
use error::Error;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Values in one query or form: as many as the longest list of the contract has items.
const MAX_VALUES: usize = 1_000;

/// The fields of a request message, each with its value. Names are in it once for each place that gives them, so that
/// a value of the query never replaces one of the path: it is a field given twice.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    pub fn add(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.0.push((name.into(), value));
    }

    /// Adds one place's values, whose type only the message knows; those of one name are one list.
    pub fn add_texts(&mut self, texts: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<(), Problem> {
        let start = self.0.len();
        for (count, (name, text)) in texts.into_iter().enumerate() {
            if count == MAX_VALUES {
                let why = format!("there are more than {MAX_VALUES} values");
                return Err(Problem::new(ErrorCode::InvalidArgument, why));
            }
            match self.0.iter_mut().skip(start).find(|(known, _)| *known == name) {
                Some((_, Value::Texts(texts))) => texts.push(text),
                _ => self.0.push((name, Value::Texts(vec![text]))),
            }
        }
        Ok(())
    }

    /// Adds the fields of a JSON object. No content at all counts as an empty one.
    pub fn add_json(&mut self, json: &'a [u8]) -> Result<(), Problem> {
        if json.is_empty() {
            return Ok(());
        }
        let value = serde_json::from_slice(json).map_err(|error| {
            Problem::new(ErrorCode::InvalidArgument, format!("the body is not valid JSON: {error}"))
        })?;
        let Value::Object(fields) = value else {
            return Err(Problem::new(ErrorCode::InvalidArgument, "the body must be a JSON object"));
        };
        self.0.extend(fields);
        Ok(())
    }

    /// The message with these fields. The problem names the first that is unknown, doubled or of the wrong type.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        T::deserialize(Value::Object(self.0)).map_err(Error::into_problem)
    }
}

#[cfg(test)]
mod tests;
