//! JSON forms that serde's derive does not give by itself.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::marker::PhantomData;

/// `google.protobuf.Timestamp`, as RFC 3339 in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&prost_types::Timestamp { seconds: self.seconds, nanos: self.nanos })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let t: prost_types::Timestamp = text.parse().map_err(|_| D::Error::custom("expected an RFC 3339 time"))?;
        Ok(Self { seconds: t.seconds, nanos: t.nanos })
    }
}

/// A field's wire form `Self`, read and written as JSON through `T`: alone, optional or repeated.
trait Through<T>: Sized {
    fn write<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error>;
}

macro_rules! shapes {
    ($wire:ty, $json:ty, [$($bound:tt)*]) => {
        impl<$($bound)*> Through<$json> for $wire {
            fn write<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                <$json>::from(self).serialize(s)
            }
            fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <$json>::deserialize(d).map(Into::into)
            }
        }
        impl<$($bound)*> Through<$json> for Option<$wire> {
            fn write<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.as_ref().map(<$json>::from).serialize(s)
            }
            fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Ok(Option::<$json>::deserialize(d)?.map(Into::into))
            }
        }
        impl<$($bound)*> Through<$json> for Vec<$wire> {
            fn write<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_seq(self.iter().map(<$json>::from))
            }
            fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Ok(Vec::<$json>::deserialize(d)?.into_iter().map(Into::into).collect())
            }
        }
    };
}

/// An enum that prost keeps as `i32`. A value from a newer server reads as the default one.
pub struct EnumAs<E>(PhantomData<E>);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Named<E>(E);

impl<E: TryFrom<i32> + Default> From<&i32> for Named<E> {
    fn from(n: &i32) -> Self {
        Self(E::try_from(*n).unwrap_or_default())
    }
}
impl<E: Into<i32>> From<Named<E>> for i32 {
    fn from(named: Named<E>) -> i32 {
        named.0.into()
    }
}
shapes!(i32, Named<E>, [E: TryFrom<i32> + Into<i32> + Default + Serialize + for<'e> Deserialize<'e>]);

#[allow(private_bounds)]
impl<E> EnumAs<E> {
    pub fn serialize<W: Through<Named<E>>, S: Serializer>(wire: &W, s: S) -> Result<S::Ok, S::Error> {
        wire.write(s)
    }
    pub fn deserialize<'de, W: Through<Named<E>>, D: Deserializer<'de>>(d: D) -> Result<W, D::Error> {
        W::read(d)
    }
}

struct Base64(Vec<u8>);

impl From<&Vec<u8>> for Base64 {
    fn from(bytes: &Vec<u8>) -> Self {
        Self(bytes.clone())
    }
}
impl From<Base64> for Vec<u8> {
    fn from(b: Base64) -> Self {
        b.0
    }
}
impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&::base64::display::Base64Display::new(&self.0, &::base64::prelude::BASE64_STANDARD))
    }
}
impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        ::base64::Engine::decode(&::base64::prelude::BASE64_STANDARD, text)
            .map(Self)
            .map_err(|_| D::Error::custom("expected base64"))
    }
}
shapes!(Vec<u8>, Base64, []);

#[allow(private_bounds)]
pub mod base64 {
    use super::{Base64, Deserializer, Serializer, Through};
    pub fn serialize<W: Through<Base64>, S: Serializer>(wire: &W, s: S) -> Result<S::Ok, S::Error> {
        wire.write(s)
    }
    pub fn deserialize<'de, W: Through<Base64>, D: Deserializer<'de>>(d: D) -> Result<W, D::Error> {
        W::read(d)
    }
}
