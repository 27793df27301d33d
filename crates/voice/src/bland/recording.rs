//! Recordings, streamed through.

use super::Bland;
use super::answer::Answer;
use crate::address::is_public;
use crate::http::describe;
use crate::{Account, LookupError, Recording};
use futures_util::{StreamExt, stream};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, StatusCode};
use std::time::Duration;
use url::{Host, Url};

/// The largest recording that is passed on: nine hours of uncompressed telephone sound.
pub const MAX_RECORDING_BYTES: u64 = 256 * 1024 * 1024;
/// From the request to the last byte.
const RECORDING_TIMEOUT: Duration = Duration::from_mins(10);

pub(super) async fn open(bland: &Bland, account: &Account, url: Url) -> Result<Recording, LookupError> {
    let request = if url.origin() == account.base_url.origin() {
        let mut key = HeaderValue::from_str(account.api_key.expose()).map_err(|_| LookupError::AccountBlocked {
            message: "the API key has characters that no key has".into(),
        })?;
        key.set_sensitive(true);
        bland.client.get(url).header(AUTHORIZATION, key)
    } else {
        // The URL came in a webhook, so whoever holds the webhook's secret may have written it. The key stays
        // here, and nothing of the inner network is fetched.
        allow(&url)?;
        bland.public.get(url)
    };
    let response =
        request.timeout(RECORDING_TIMEOUT).send().await.map_err(|error| LookupError::Unreachable(describe(&error)))?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    if response.content_length().is_some_and(|length| length > MAX_RECORDING_BYTES) {
        return Err(LookupError::TooLarge { limit: MAX_RECORDING_BYTES });
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(Recording {
        content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
        bytes: bounded(response, MAX_RECORDING_BYTES).boxed(),
    })
}

/// The resolver of [`Bland::public`] sees names only, so addresses are looked at here.
fn allow(url: &Url) -> Result<(), LookupError> {
    let address = match url.host() {
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        None => return Err(LookupError::Refused("the recording's URL has no host".to_owned())),
    };
    if url.scheme() != "https" || address.is_some_and(|address| !is_public(address)) {
        return Err(LookupError::Refused("the recording's URL is not a public https URL".to_owned()));
    }
    Ok(())
}

/// Recordings may lie at others, whose errors are no JSON: here the status alone says that there is none.
async fn refusal(response: Response) -> LookupError {
    let answer = Answer::read(response).await;
    let message = answer.message();
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return LookupError::Gone(message);
    }
    answer.found().err().unwrap_or(LookupError::Refused(message))
}

fn bounded(response: Response, limit: u64) -> impl stream::Stream<Item = Result<bytes::Bytes, LookupError>> + Send {
    stream::try_unfold((response, 0), move |(mut response, read)| async move {
        let chunk = response.chunk().await.map_err(|error| LookupError::Unreachable(describe(&error)))?;
        let Some(chunk) = chunk else { return Ok(None) };
        let read = read + chunk.len() as u64;
        if read > limit {
            return Err(LookupError::TooLarge { limit });
        }
        Ok(Some((chunk, (response, read))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[test]
    fn fetches_public_https_alone() {
        for url in ["https://example.com/a", "https://1.1.1.1/", "https://[2606:4700::1111]/"] {
            assert_eq!(allow(&Url::parse(url).unwrap()), Ok(()), "{url}");
        }
        for url in [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
            "file:///etc/passwd",
            "data:,x",
        ] {
            assert!(matches!(allow(&Url::parse(url).unwrap()), Err(LookupError::Refused(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn stops_at_the_limit() {
        let response = || Response::from(http::Response::new("12345678"));
        let all: Result<Vec<_>, _> = bounded(response(), 8).try_collect().await;
        assert_eq!(all.map(|chunks| chunks.concat()), Ok(b"12345678".to_vec()));
        let cut: Result<Vec<_>, _> = bounded(response(), 7).try_collect().await;
        assert_eq!(cut, Err(LookupError::TooLarge { limit: 7 }));
    }
}
