//! What an organisation's settings may be, and what they are while nobody has set them.

use super::country::is_country;
use callfairy_core::{FieldError, Problem, Secret};
use jiff::tz::TimeZoneDatabase;
use proto::tenancy::{CallingCaps, Retention};
use proto::types::{CallingWindow, Pacing, Weekday};
use std::collections::BTreeSet;

pub const DEFAULT_TIMEZONE: &str = "UTC";
/// As telephony paces campaigns when it is told of no other.
pub const DEFAULT_PACING: Pacing = Pacing { max_concurrent: 10, calls_per_second: 2 };
pub const DEFAULT_CAPS: CallingCaps = CallingCaps { calls_per_number_per_day: 3, spend_per_month_cents: 0 };
/// For ever.
pub const DEFAULT_RETENTION: Retention = Retention { recordings_days: 0, transcripts_days: 0 };

/// A shorter one is none, and its hint would tell much of it.
const MIN_KEY_LENGTH: usize = 16;
/// The last characters of a key, by which people know it again.
const HINT_LENGTH: usize = 4;

pub fn default_window() -> CallingWindow {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};

    let days = [Mon, Tue, Wed, Thu, Fri, Sat, Sun].map(Into::into).to_vec();
    CallingWindow { start: "08:00".to_owned(), end: "21:00".to_owned(), days }
}

/// The contract's rules have seen that all of it is there.
pub fn check_window(window: &CallingWindow) -> Result<(), Problem> {
    let (start, end) = (minutes(&window.start), minutes(&window.end));
    let mut wrong = vec![];
    let mut say = |field: &str, message: &str| {
        wrong.push(FieldError { field: format!("calling_window.{field}"), message: message.to_owned() });
    };
    match start {
        None => say("start", "is not a time of the day, HH:MM"),
        Some(END_OF_DAY) => say("start", "is the end of the day"),
        Some(_) => {}
    }
    match (start, end) {
        (_, None) => say("end", "is not a time of the day, HH:MM"),
        (Some(start), Some(end)) if start < END_OF_DAY && end <= start => say("end", "is not after start"),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (index, day) in window.days.iter().enumerate() {
        if !Weekday::try_from(*day).is_ok_and(|day| day != Weekday::Unspecified) {
            say(&format!("days[{index}]"), "is not a day of the week");
        } else if !seen.insert(day) {
            say(&format!("days[{index}]"), "is there twice");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
}

const END_OF_DAY: u32 = 24 * 60;

/// Since midnight.
fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
        _ => None,
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= END_OF_DAY).then_some(minutes)
}

/// As the list of time zones writes it.
pub fn timezone(name: &str) -> Result<String, Problem> {
    // Of the same names on every machine, whatever it has installed.
    let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
    let name = zone.as_ref().and_then(|zone| zone.iana_name());
    name.map(str::to_owned).ok_or_else(|| Problem::field("timezone", "is not an IANA time zone, such as Europe/London"))
}

/// Empty stands for none.
pub fn check_country(code: &str) -> Result<(), Problem> {
    let fits = code.is_empty() || is_country(code);
    if fits { Ok(()) } else { Err(Problem::field("default_country", "is not the code of a country")) }
}

/// What to show of a provider's key, if it can be one.
pub fn key_hint(key: &Secret) -> Result<String, Problem> {
    let key = key.expose();
    if key.len() < MIN_KEY_LENGTH || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::field("bland_api_key", "is not a key of Bland AI"));
    }
    Ok(key.get(key.len() - HINT_LENGTH..).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wrong(start: &str, end: &str, days: &[Weekday]) -> Vec<String> {
        let days = days.iter().copied().map(Into::into).collect();
        let window = CallingWindow { start: start.to_owned(), end: end.to_owned(), days };
        check_window(&window).err().map_or(vec![], |problem| problem.fields.into_iter().map(|f| f.field).collect())
    }

    #[test]
    fn windows() {
        let (start, end) = ("calling_window.start", "calling_window.end");
        assert_eq!(check_window(&default_window()), Ok(()));
        for (from, to) in [("00:00", "24:00"), ("09:30", "09:31"), ("23:59", "24:00")] {
            assert_eq!(wrong(from, to, &[Weekday::Mon]), [] as [&str; 0], "{from} {to}");
        }
        for from in ["8:00", "08:0", "0800", "08:60", "24:00", "24:01", "25:00", "+8:00", "08:00 ", "٠٨:٠٠"] {
            assert_eq!(wrong(from, "24:00", &[]), [start], "{from}");
        }
        for to in ["08:00", "07:59", "24:01", "00:00", "9:00"] {
            assert_eq!(wrong("08:00", to, &[]), [end], "{to}");
        }
        assert_eq!(wrong("x", "y", &[]), [start, end]);
        assert_eq!(wrong("08:00", "09:00", &[Weekday::Mon, Weekday::Tue, Weekday::Mon]), ["calling_window.days[2]"]);
    }

    #[test]
    fn time_zones() {
        for name in ["Europe/London", "Asia/Kolkata", "UTC", "America/Argentina/Buenos_Aires"] {
            assert_eq!(timezone(name).unwrap(), name);
        }
        assert_eq!(timezone("europe/LONDON").unwrap(), "Europe/London");
        assert_eq!(timezone(DEFAULT_TIMEZONE).unwrap(), DEFAULT_TIMEZONE);
        for wrong in ["", "London", "+05:30", "Etc/Unknown", "../Europe/London", "posix/Europe/London"] {
            assert_eq!(timezone(wrong).unwrap_err().fields[0].field, "timezone", "{wrong}");
        }
    }

    #[test]
    fn countries_and_keys() {
        assert!(check_country("").is_ok() && check_country("GB").is_ok() && check_country("XX").is_err());
        assert_eq!(key_hint(&Secret::new("sk-0123456789abcdef")).unwrap(), "cdef");
        for wrong in ["sk-0123456789", "sk-01234567 89abcdef", "sk-0123456789abcdéf", "sk-0123456789\nabcdef"] {
            let problem = key_hint(&Secret::new(wrong)).unwrap_err();
            assert!(problem.fields[0].field == "bland_api_key" && !format!("{problem:?}").contains("0123"));
        }
    }
}
