//! Closed sets that are kept as text.

/// The text is not one of the set that [`text_enum!`](crate::text_enum) made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {set}")]
pub struct UnknownText {
    pub set: &'static str,
    pub text: String,
}

/// A closed set kept as `TEXT`, read and written as its words everywhere: SQL, serde, `Display`, `FromStr`.
///
/// ```
/// # use db::diesel;
/// db::text_enum!(
///     /// Where an import stands.
///     pub enum Status {
///         Queued = "queued",
///         /// No row is touched any more.
///         Finished = "finished",
///     }
/// );
/// assert_eq!(Status::ALL.len(), 2);
/// assert_eq!("queued".parse(), Ok(Status::Queued));
/// assert_eq!(Status::Finished.as_str(), "finished");
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            $crate::serde::Serialize, $crate::serde::Deserialize,
            $crate::diesel::expression::AsExpression, $crate::diesel::deserialize::FromSqlRow,
        )]
        #[serde(crate = "db::serde")]
        #[diesel(sql_type = $crate::diesel::sql_types::Text)]
        $vis enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+
        }

        #[allow(dead_code)]
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownText;

            fn from_str(text: &str) -> ::std::result::Result<Self, $crate::UnknownText> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownText { set: stringify!($name), text: text.to_owned() }),
                }
            }
        }

        impl<DB> $crate::diesel::serialize::ToSql<$crate::diesel::sql_types::Text, DB> for $name
        where
            DB: $crate::diesel::backend::Backend,
            str: $crate::diesel::serialize::ToSql<$crate::diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut $crate::diesel::serialize::Output<'b, '_, DB>,
            ) -> $crate::diesel::serialize::Result {
                $crate::diesel::serialize::ToSql::<$crate::diesel::sql_types::Text, DB>::to_sql(self.as_str(), out)
            }
        }

        impl<DB> $crate::diesel::deserialize::FromSql<$crate::diesel::sql_types::Text, DB> for $name
        where
            DB: $crate::diesel::backend::Backend,
            String: $crate::diesel::deserialize::FromSql<$crate::diesel::sql_types::Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> $crate::diesel::deserialize::Result<Self> {
                let text =
                    <String as $crate::diesel::deserialize::FromSql<$crate::diesel::sql_types::Text, DB>>::from_sql(value)?;
                Ok(text.parse()?)
            }
        }
    };
}
