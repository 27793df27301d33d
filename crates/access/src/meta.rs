//! What travels beside a request.

use crate::latest_change;
use callfairy_core::Secret;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// A unary request that takes longer is given up.
pub const MAX_REQUEST_TIME: Duration = Duration::from_secs(30);

/// Characters of an idempotency key.
const MAX_IDEMPOTENCY_KEY: usize = 200;
/// Characters of a request id or a trace header.
const MAX_TRACE: usize = 512;
/// Characters of a device's name; what comes after them is cut off.
const MAX_DEVICE: usize = 200;

const AUTHORIZATION: &str = "authorization";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REQUEST_ID: &str = "x-request-id";
const TRACE: [&str; 2] = ["traceparent", "tracestate"];
const TIMEOUT: &str = "grpc-timeout";
/// Only the gateway sets these, from the connection and never from headers of these names.
const DEVICE: &str = "x-callfairy-device";
const ADDRESS: &str = "x-callfairy-address";

/// Credentials, idempotency key, trace context and deadline of one request, the same over the wire and in process.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// A bearer token, without the word `Bearer`.
    pub token: Option<Secret>,
    pub idempotency_key: Option<String>,
    pub request_id: Option<String>,
    /// W3C trace context.
    pub trace: BTreeMap<String, String>,
    /// How long the caller waits; at most [`MAX_REQUEST_TIME`].
    pub timeout: Option<Duration>,
    pub origin: Origin,
    /// The number of a change of access that the caller has heard of: see [`crate::LatestChange`]. For sending, the
    /// process's own is taken.
    pub latest_change: i64,
}

/// Where a request comes from, as the gateway saw it. For showing and for counting, never a proof of anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    device: Option<String>,
    address: Option<IpAddr>,
}

impl Origin {
    /// `device`: what the client's program calls itself. Of it, 200 characters of visible ASCII are kept.
    pub fn new(device: Option<&[u8]>, address: Option<IpAddr>) -> Self {
        let visible = |c: &u8| c.is_ascii_graphic() || *c == b' ';
        let kept = |name: &[u8]| name.iter().filter(|c| visible(c)).take(MAX_DEVICE).map(|c| char::from(*c)).collect();
        Self { device: device.map(kept).filter(|name: &String| !name.trim().is_empty()), address }
    }

    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Meta {
    pub fn with_token(token: Secret) -> Self {
        Self { token: Some(token), ..Self::default() }
    }

    /// How long a handler may take.
    pub fn time_left(&self) -> Duration {
        self.timeout.unwrap_or(MAX_REQUEST_TIME).min(MAX_REQUEST_TIME)
    }

    /// The idempotency key, if it is one that can be kept.
    pub(crate) fn checked_idempotency_key(&self) -> Result<Option<&str>, callfairy_core::Problem> {
        match self.idempotency_key.as_deref() {
            Some(key) if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY || key.contains(char::is_control) => {
                let why = format!("must have 1 to {MAX_IDEMPOTENCY_KEY} visible characters");
                Err(callfairy_core::Problem::field("Idempotency-Key", why))
            }
            key => Ok(key),
        }
    }

    pub(crate) fn read(headers: &http::HeaderMap) -> Self {
        let text = |name: &str, limit: usize| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= limit).then(|| value.to_owned())
        };
        Self {
            token: headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer).map(Secret::new),
            // Kept even when too long: the guard refuses it, rather than losing it.
            idempotency_key: text(IDEMPOTENCY_KEY, usize::MAX),
            request_id: text(REQUEST_ID, MAX_TRACE),
            trace: TRACE.iter().filter_map(|name| Some(((*name).to_owned(), text(name, MAX_TRACE)?))).collect(),
            timeout: headers.get(TIMEOUT).and_then(|v| v.to_str().ok()).and_then(parse_timeout),
            origin: Origin::new(
                headers.get(DEVICE).map(http::HeaderValue::as_bytes),
                text(ADDRESS, MAX_TRACE).and_then(|address| address.parse().ok()),
            ),
            latest_change: latest_change::read(headers).unwrap_or_default(),
        }
    }

    pub(crate) fn write(&self, metadata: &mut MetadataMap) {
        let mut put = |name: &'static str, value: &str, sensitive: bool| {
            if let Ok(mut value) = value.parse::<AsciiMetadataValue>() {
                value.set_sensitive(sensitive);
                metadata.insert(name, value);
            }
        };
        if let Some(token) = &self.token {
            put(AUTHORIZATION, &format!("Bearer {}", token.expose()), true);
        }
        if let Some(key) = &self.idempotency_key {
            put(IDEMPOTENCY_KEY, key, false);
        }
        if let Some(id) = &self.request_id {
            put(REQUEST_ID, id, false);
        }
        for name in TRACE {
            if let Some(value) = self.trace.get(name) {
                put(name, value, false);
            }
        }
        if let Some(device) = self.origin.device() {
            put(DEVICE, device, false);
        }
        if let Some(address) = self.origin.address() {
            put(ADDRESS, &address.to_string(), false);
        }
    }
}

/// The token of an `Authorization: Bearer …` header; the scheme's case does not count (RFC 9110).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// gRPC's own form: at most eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = (digits.len() <= 8).then(|| digits.parse::<u64>().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrives_as_it_left() {
        let mut sent = Meta::with_token(Secret::new("abc.def"));
        sent.idempotency_key = Some("key-1".into());
        sent.request_id = Some("r1".into());
        sent.trace.insert("traceparent".into(), "00-1-2-01".into());
        sent.origin = Origin::new(Some(b"Firefox/1 (X11; Linux)"), Some([192, 0, 2, 7].into()));
        let mut metadata = MetadataMap::new();
        sent.write(&mut metadata);
        let read = Meta::read(&metadata.into_headers());
        assert_eq!(read.token, sent.token);
        assert_eq!(read.idempotency_key, sent.idempotency_key);
        assert_eq!(read.request_id, sent.request_id);
        assert_eq!(read.trace, sent.trace);
        assert_eq!(read.origin, sent.origin);
    }

    #[test]
    fn timeouts() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("3S"), Some(Duration::from_secs(3)));
        for bad in ["", "S", "3", "-1S", "123456789S", "3s", "é"] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_a_device_s_name_only_what_can_be_shown_is_kept() {
        let device = |name: &[u8]| Origin::new(Some(name), None).device().map(str::to_owned);
        assert_eq!(device(b"curl/8\r\n\x1b[31m\xff!").as_deref(), Some("curl/8[31m!"));
        assert_eq!(device(&[b'x'; 1_000]).unwrap_or_default().len(), 200);
        assert_eq!((device(b""), device(b" \t")), (None, None));
    }

    #[test]
    fn long_idempotency_keys_are_refused() {
        let meta = Meta { idempotency_key: Some("k".repeat(201)), ..Meta::default() };
        assert!(meta.checked_idempotency_key().is_err());
    }
}
