//! Reads one value of each kind from its text. A failure says what was expected, never what was found.

use super::settings::LogFormat;
use super::values::Expected;
use callfairy_core::Secret;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use url::Url;

/// The highest speed of the simulator.
const MAX_SPEED: f64 = 100_000.0;
/// The longest queue prefix; AMQP bounds the whole name at 255 bytes.
const MAX_PREFIX: usize = 64;
/// The longest e-mail address (RFC 5321).
const MAX_EMAIL: usize = 254;

pub(super) fn address(text: &str) -> Result<SocketAddr, Expected> {
    text.parse().map_err(|_| "an IP address with a port, such as 127.0.0.1:8080".into())
}

pub(super) fn directory(text: &str) -> Result<PathBuf, Expected> {
    std::path::absolute(Path::new(text)).map_err(|_| "the path of a directory".into())
}

/// Such URLs are shown and logged, so they must not hold a password.
pub(super) fn http_url(text: &str) -> Result<Url, Expected> {
    let expected = || Expected::from("an http:// or https:// URL without user name, query or fragment");
    let url = Url::parse(text).map_err(|_| expected())?;
    let plain = url.username().is_empty() && url.password().is_none();
    let short = url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain && short { Ok(url) } else { Err(expected()) }
}

/// The name of somebody who signs tokens: compared as it stands, so it is not rewritten as a URL would be.
pub(super) fn issuer(text: &str) -> Result<String, Expected> {
    http_url(text).map(|_| text.to_owned())
}

/// Something without spaces.
pub(super) fn word(text: &str) -> Result<String, Expected> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("one word".into());
    }
    Ok(text.to_owned())
}

/// A URL that may hold a password.
pub(super) fn secret_url(schemes: &'static [&'static str]) -> impl Fn(&str) -> Result<Secret, Expected> {
    move |text| {
        let known = |url: &Url| schemes.contains(&url.scheme()) && url.has_host();
        match Url::parse(text) {
            Ok(url) if known(&url) => Ok(Secret::new(text)),
            _ => Err(format!("a URL that begins with {}://", schemes.join(":// or ")).into()),
        }
    }
}

/// One service's database: PostgreSQL, or a SQLite file, which two services must not share.
pub(super) fn database_url(text: &str) -> Result<Secret, Expected> {
    match text.strip_prefix("sqlite:") {
        Some(file) if !file.is_empty() && !file.starts_with("//") => Ok(Secret::new(text)),
        _ => secret_url(POSTGRES)(text).map_err(|_| "postgres://… or sqlite:<file>".into()),
    }
}

pub(super) const POSTGRES: &[&str] = &["postgres", "postgresql"];
pub(super) const AMQP: &[&str] = &["amqp", "amqps"];
pub(super) const SMTP: &[&str] = &["smtp", "smtps"];

pub(super) fn storage_url(text: &str) -> Result<String, Expected> {
    let expected = || Expected::from("file:///an/absolute/directory or s3://bucket/prefix, without a user name");
    let url = Url::parse(text).map_err(|_| expected())?;
    let place = match url.scheme() {
        "file" => url.to_file_path().is_ok(),
        "s3" => url.has_host(),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if place && plain { Ok(text.to_owned()) } else { Err(expected()) }
}

pub(super) fn number(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, Expected> {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {} to {}", range.start(), range.end()).into()),
    }
}

pub(super) fn seconds(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<Duration, Expected> {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(Duration::from_secs(number.into())),
        _ => Err(format!("whole seconds from {} to {}", range.start(), range.end()).into()),
    }
}

pub(super) fn speed(text: &str) -> Result<f64, Expected> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= MAX_SPEED => Ok(speed),
        _ => Err(format!("a number above 0, at most {MAX_SPEED}").into()),
    }
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, Expected> {
    let origin = |text: &str| {
        let url = Url::parse(text).ok()?;
        let whole = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        whole.then(|| text.to_owned())
    };
    let all: Option<Vec<String>> = list(text).map(origin).collect();
    all.ok_or_else(|| "origins by commas, such as https://app.example.com: no path, no *, lower case".into())
}

/// A single address is a network of its own.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Expected> {
    let network = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let all: Option<Vec<IpNet>> = list(text).map(network).collect();
    all.ok_or_else(|| "addresses or networks by commas, such as 10.0.0.0/8".into())
}

/// What stands between commas, without the spaces around it.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn email(text: &str) -> Result<String, Expected> {
    let fits = text.len() <= MAX_EMAIL && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match text.split_once('@') {
        Some((local, domain)) if fits && !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            Ok(text.to_owned())
        }
        _ => Err("an e-mail address".into()),
    }
}

pub(super) fn queue_prefix(text: &str) -> Result<String, Expected> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if text.len() <= MAX_PREFIX && text.chars().all(known) {
        Ok(text.to_owned())
    } else {
        Err(format!("at most {MAX_PREFIX} of a-z, 0-9, '-', '_' and '.'").into())
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, Expected> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a level (error, warn, info, debug, trace), or levels by module such as info,db=debug".into()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Expected> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text or json".into()),
    }
}
