//! Phone numbers: from whatever people write to E.164, and which of them must never be dialed.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

/// Characters of what people write.
const MAX_LENGTH: usize = 40;

/// Words that announce an extension.
const EXTENSION: [&str; 4] = ["x", "ext", "extn", "extension"];

/// Why something is not a phone number that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error("is not a phone number")]
    NotANumber,
    #[error("does not start with + and no country is given")]
    NoCountry,
    #[error("is not a number that exists in its country")]
    Invalid,
    #[error("has an extension, which cannot be dialed")]
    Extension,
    #[error("is not a known country")]
    UnknownCountry,
}

impl PhoneError {
    /// A word that stays the same, for error reports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_phone_number",
            Self::NoCountry => "missing_country",
            Self::Invalid => "invalid_phone_number",
            Self::Extension => "phone_extension",
            Self::UnknownCountry => "unknown_country",
        }
    }
}

/// A country whose numbers can be written without `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(Region);

impl Country {
    /// From an ISO 3166 code of two capital letters.
    pub fn parse(code: &str) -> Result<Self, PhoneError> {
        let region: Region = code.parse().map_err(|_| PhoneError::UnknownCountry)?;
        // Codes are read that no country has, such as `XX`.
        let has_numbers = PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some();
        has_numbers.then_some(Self(region)).ok_or(PhoneError::UnknownCountry)
    }
}

/// The number in E.164. Without a leading `+` it is read as `country` writes it.
pub fn parse(text: &str, country: Option<Country>) -> Result<String, PhoneError> {
    let number = read(text.trim(), country)?;
    if number.extension.is_some() {
        return Err(PhoneError::Extension);
    }
    if !number.is_valid() {
        return Err(PhoneError::Invalid);
    }
    Ok(number.format_as(PhoneNumberFormat::E164).into_owned())
}

fn read(text: &str, country: Option<Country>) -> Result<PhoneNumber, PhoneError> {
    if text.is_empty() || text.len() > MAX_LENGTH * 4 || text.chars().count() > MAX_LENGTH {
        return Err(PhoneError::NotANumber);
    }
    if !text.starts_with(['+', '\u{ff0b}']) && country.is_none() {
        return Err(PhoneError::NoCountry);
    }
    // Vanity numbers would be read as digits; a name in the wrong column must not become a number. Words that announce
    // an extension stay, so that it is told as one.
    let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    if words.any(|word| !EXTENSION.iter().any(|known| word.eq_ignore_ascii_case(known))) {
        return Err(PhoneError::NotANumber);
    }
    let parsed = PHONE_NUMBER_UTIL.parse(text, country.map(|Country(region)| region));
    parsed.map_err(|_| PhoneError::NotANumber)
}

/// Why a number in E.164 must never be dialed; `None` when it may be.
pub fn not_to_be_dialed(e164: &str) -> Option<&'static str> {
    let Ok(number) = PHONE_NUMBER_UTIL.parse(e164, None) else { return Some("it is not a phone number") };
    // Emergency and short numbers are not valid as international numbers.
    if !number.is_valid() {
        return Some("it is not a number that exists in its country");
    }
    match number.get_type() {
        PhoneNumberType::PremiumRate => Some("it is a premium-rate number"),
        PhoneNumberType::SharedCost => Some("it is a shared-cost number"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_many_notations() {
        let gb = Country::parse("GB").ok();
        for text in [
            "+442079460018",
            "+44 20 7946 0018",
            "020 7946 0018",
            "(020) 7946-0018",
            "0044 20 7946 0018",
            " 020.7946.0018 ",
        ] {
            assert_eq!(parse(text, gb).as_deref(), Ok("+442079460018"), "{text}");
        }
    }

    #[test]
    fn refuses_rather_than_guesses() {
        let us = Country::parse("US").ok();
        assert_eq!(parse("020 7946 0018", None), Err(PhoneError::NoCountry));
        assert_eq!(parse("", us), Err(PhoneError::NotANumber));
        assert_eq!(parse("call me", us), Err(PhoneError::NotANumber));
        assert_eq!(parse("1-800-FLOWERS", us), Err(PhoneError::NotANumber));
        assert_eq!(parse("Max 2125550123", us), Err(PhoneError::NotANumber));
        assert_eq!(parse("212 555 0100 x5", us), Err(PhoneError::Extension));
        assert_eq!(parse("12", us), Err(PhoneError::Invalid));
        assert_eq!(parse("911", us), Err(PhoneError::Invalid));
        assert_eq!(parse("+1 212 555 0100 ext. 5", us), Err(PhoneError::Extension));
        assert_eq!(parse("+999 123 456 789", us), Err(PhoneError::NotANumber));
        assert_eq!(parse(&"1".repeat(500), us), Err(PhoneError::NotANumber));
        assert!(Country::parse("XX").is_err());
    }

    #[test]
    fn ordinary_numbers_may_be_dialed() {
        for number in ["+442079460018", "+12125550100", "+4930901820", "+919876543210"] {
            assert_eq!(not_to_be_dialed(number), None, "{number}");
        }
        assert!(not_to_be_dialed("+19005550100").is_some());
    }
}
