//! Requests to Google: bounded in time and size, never anywhere else than to where the settings say.

use super::Failure;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use runtime::BoxError;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use url::form_urlencoded::Serializer;

/// DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(3);
/// From the start to the last byte.
const TOTAL: Duration = Duration::from_secs(8);
/// Bytes of an answer: a few keys, or a few tokens.
const MAX_ANSWER: usize = 128 * 1024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Http(Client);

impl Http {
    /// TLS is rustls with ring and the Mozilla roots. Nothing is followed, and nothing is taken from the environment.
    pub fn new() -> Result<Self, BoxError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent(concat!("callfairy/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    pub async fn get(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        send(self.0.get(url.clone())).await?.ok_or_else(|| out_of_reach(&"it refuses to say its keys"))
    }

    /// A form. `None`: it was refused.
    pub async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<Option<Vec<u8>>, Failure> {
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        send(self.0.post(url.clone()).header(CONTENT_TYPE, FORM).body(body)).await
    }
}

async fn send(request: RequestBuilder) -> Result<Option<Vec<u8>>, Failure> {
    let response = request.send().await.map_err(|error| out_of_reach(&error.without_url()))?;
    let status = response.status();
    if status.is_client_error() {
        tracing::info!(%status, "Google refused a request");
        return Ok(None);
    }
    if !status.is_success() {
        return Err(out_of_reach(&status));
    }
    read(response).await.map(Some)
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| out_of_reach(&error.without_url()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(out_of_reach(&"its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn out_of_reach(why: &dyn std::fmt::Display) -> Failure {
    tracing::warn!(%why, "Google did not answer as it should");
    Failure::OutOfReach
}
