//! Reading a [`Value`] as what the message says it is. Each method answers what it expected, in the caller's words.

use super::error::Error;
use super::value::Value;
use serde::de::value::{CowStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::{iter, vec};

/// Of texts under one name, the only one.
fn only(mut texts: Vec<Cow<'_, str>>) -> Result<Cow<'_, str>, Error> {
    match (texts.pop(), texts.pop()) {
        (Some(text), None) => Ok(text),
        _ => Err(Error::expected("one value")),
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $ty:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = match self {
                Value::Number(number) => {
                    let number = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
                    number.and_then(|number| <$ty>::try_from(number).ok())
                }
                Value::Texts(texts) => only(texts)?.parse().ok(),
                _ => None,
            };
            let range = format_args!("a whole number from {} to {}", <$ty>::MIN, <$ty>::MAX);
            visitor.$visit(number.ok_or_else(|| Error::expected(range))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    whole_numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = match self {
            Self::Number(number) => number.as_f64(),
            Self::Texts(texts) => only(texts)?.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        visitor.visit_f64(number.ok_or_else(|| Error::expected("a number"))?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = match self {
            Self::Bool(value) => Some(value),
            Self::Texts(texts) => only(texts)?.parse().ok(),
            _ => None,
        };
        visitor.visit_bool(value.ok_or_else(|| Error::expected("true or false"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => CowStrDeserializer::new(text).deserialize_str(visitor),
            Self::Texts(texts) => CowStrDeserializer::new(only(texts)?).deserialize_str(visitor),
            _ => Err(Error::expected("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text = match self {
            Self::Text(text) => text,
            Self::Texts(texts) => only(texts)?,
            _ => return Err(Error::expected("a string")),
        };
        visitor.visit_enum(StrDeserializer::new(&text))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::List(list) => visitor.visit_seq(Items(list.into_iter().enumerate())),
            Self::Texts(texts) => {
                let list: Vec<_> = texts.into_iter().map(|text| Self::Texts(vec![text])).collect();
                visitor.visit_seq(Items(list.into_iter().enumerate()))
            }
            _ => Err(Error::expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Object(object) => {
                visitor.visit_map(Entries { rest: object.into_iter(), seen: HashSet::new(), next: None })
            }
            _ => Err(Error::expected("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    // Nothing in the contract asks for these.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'de>(iter::Enumerate<vec::IntoIter<Value<'de>>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((index, value)) = self.0.next() else { return Ok(None) };
        seed.deserialize(value).map(Some).map_err(|error| error.in_item(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'de> {
    rest: vec::IntoIter<(Cow<'de, str>, Value<'de>)>,
    seen: HashSet<Cow<'de, str>>,
    /// The entry whose name was read.
    next: Option<(Cow<'de, str>, Value<'de>)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        if !self.seen.insert(name.clone()) {
            return Err(Error::twice(&name));
        }
        self.next = Some((name.clone(), value));
        let name: CowStrDeserializer<'de, Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some((name, value)) = self.next.take() else { return Err(Error::expected("a value")) };
        seed.deserialize(value).map_err(|error| error.in_field(&name))
    }
}
