//! The HTTP client for dialing, and how answers are read within limits.

use crate::address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, ClientBuilder, Response};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// DNS, TCP and TLS together. Shorter than `total`, so that "could not connect" is told from "no answer".
    pub connect: Duration,
    /// From the start to the last byte of the answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(15) }
    }
}

/// The largest answer that is read.
pub const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// Longer waits than this are not believed.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);
/// The longest message that is kept of a provider's answer, in characters.
const MAX_MESSAGE_LENGTH: usize = 500;

/// The client could not be made: a defect of the build, not of the network.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client: {0}")]
pub struct ClientError(String);

/// A client that sends each request at most once, on a connection of its own.
///
/// Two layers below `send` repeat requests silently, and a repeated POST may dial twice:
/// - hyper-util's pool sends a request again when the idle connection it was given to had been closed
///   (`retry_canceled_requests`, which reqwest does not expose). It does so only for a reused connection, so
///   none is ever reused: `pool_max_idle_per_host(0)` turns the pool off. This also keeps a POST from being
///   lost on a connection that the server is just closing, whose outcome would be unknown.
/// - reqwest repeats what an HTTP/2 server refuses or says goodbye to: `retry::never()` and HTTP/1 only.
///
/// Redirects are not followed and no proxy is taken from the environment, since both may repeat or reroute a
/// request. TLS is rustls with ring and the Mozilla roots, passed in, so that nothing depends on which
/// process-wide provider is installed.
pub fn client(timeouts: Timeouts) -> Result<Client, ClientError> {
    build(builder(timeouts)?)
}

/// The same for URLs that others chose: names are resolved once and only public addresses are connected to.
pub(crate) fn public_client(timeouts: Timeouts) -> Result<Client, ClientError> {
    build(builder(timeouts)?.https_only(true).dns_resolver(Arc::new(PublicResolver)))
}

pub(crate) fn build(builder: ClientBuilder) -> Result<Client, ClientError> {
    builder.build().map_err(|error| ClientError(describe(&error)))
}

pub(crate) fn builder(timeouts: Timeouts) -> Result<ClientBuilder, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .user_agent(concat!("callfairy/", env!("CARGO_PKG_VERSION"))))
}

struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Why an answer's body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    Broken(String),
}

/// Reads at most `limit` bytes.
pub(crate) async fn read_body(mut response: Response, limit: u64) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > limit => return Err(BodyError::TooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(BodyError::Broken(describe(&error))),
        }
    }
}

/// `Retry-After` in seconds, or as a date against the server's own `Date`.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = |text| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
        let until = date(value)?.duration_since(date(text(reqwest::header::DATE)?)?);
        Duration::try_from(until).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// An error with its causes, without the URL: it may hold a phone number.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut parts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = match error.downcast_ref::<reqwest::Error>() {
            Some(error) => reqwest_kind(error).to_owned(),
            None => error.to_string(),
        };
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = error.source();
    }
    clean(&parts.join(": "))
}

fn reqwest_kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "could not connect"
    } else if error.is_builder() {
        "the request could not be made"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    }
}

/// One line of bounded length.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Response {
        let mut builder = ::http::Response::builder();
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body("").map(Response::from).unwrap()
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let of = |headers: &[(&str, &str)]| retry_after(&answer(headers));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(&[("retry-after", "99999999")]), Some(MAX_RETRY_AFTER));
        assert_eq!(of(&[("retry-after", "soon")]), None);
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(Duration::from_secs(30)));
        assert_eq!(of(&[date, ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(of(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None);
    }

    #[test]
    fn messages_stay_on_one_short_line() {
        assert_eq!(clean("a\nb\u{1b}c"), "a b c");
        assert_eq!(clean(&"ä".repeat(9_000)).chars().count(), MAX_MESSAGE_LENGTH);
    }

    #[tokio::test]
    async fn resolves_to_public_addresses_alone() {
        let inner = PublicResolver.resolve("localhost".parse().unwrap()).await;
        assert!(inner.is_err_and(|error| error.to_string().contains("no public address")));
    }
}
