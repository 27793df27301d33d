//! Bland AI's HTTP API as a [`VoiceProvider`].
//!
//! `request` writes an order, `answer` maps what comes back of it (the table of errors), `detail` reads a
//! call, `webhook` verifies and reads what Bland sends by itself, `recording` streams a recording.

mod answer;
mod detail;
#[cfg(test)]
mod detail_tests;
mod recording;
pub(crate) mod request;
mod webhook;

pub use recording::MAX_RECORDING_BYTES;
pub use webhook::{SIGNATURE_HEADER, parse_webhook, sign, verify_webhook};

use crate::http::{ClientError, Timeouts, client, describe, public_client};
use crate::{
    Account, CallDetail, CallOrder, LookupError, ParseError, PlaceError, Placed, Recording, StopError, VoiceProvider,
    WebhookEvent,
};
use answer::{Answer, is_call_id};
use async_trait::async_trait;
use callfairy_core::{Secret, Timestamp};
use detail::{call_detail, call_id, time};
use reqwest::header::{AUTHORIZATION, CONNECTION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// Where Bland is, unless an account says otherwise.
pub const DEFAULT_BASE_URL: &str = "https://api.bland.ai";
/// How many calls a look-up asks for. Bland's own default and maximum.
const LIST_LIMIT: usize = 1_000;
/// How many calls a look-up reads one by one.
const MAX_CANDIDATES: usize = 50;
/// How much earlier than ours the provider's clock may read.
const CLOCK_SLACK: Duration = Duration::from_mins(5);
/// Dates in filters are of a time zone that is not documented: ask for a day more.
const DAY: Duration = Duration::from_hours(24);

/// The client. Cheap to clone; one serves all accounts.
#[derive(Debug, Clone)]
pub struct Bland {
    client: Client,
    /// For URLs that Bland did not make sure of: public addresses only.
    public: Client,
}

impl Bland {
    pub fn new(timeouts: Timeouts) -> Result<Self, ClientError> {
        Ok(Self { client: client(timeouts)?, public: public_client(timeouts)? })
    }

    /// A request with the key, or why there can be none.
    fn request(&self, account: &Account, method: Method, path: &[&str]) -> Result<RequestBuilder, String> {
        let mut url = account.base_url.clone();
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the base URL is neither http nor https".to_owned());
        }
        url.path_segments_mut().map_err(|()| "the base URL has no path".to_owned())?.pop_if_empty().extend(path);
        let mut key = HeaderValue::from_str(account.api_key.expose())
            .map_err(|_| "the API key has characters that no key has".to_owned())?;
        key.set_sensitive(true);
        // The server closes, so that the waiting state and its port stay on its side.
        Ok(self.client.request(method, url).header(AUTHORIZATION, key).header(CONNECTION, "close"))
    }

    async fn lookup(
        &self,
        account: &Account,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Option<Value>, LookupError> {
        let request = self
            .request(account, Method::GET, path)
            .map_err(|message| LookupError::AccountBlocked { message })?
            .query(query);
        let response = request.send().await.map_err(|error| LookupError::Unreachable(describe(&error)))?;
        Answer::try_read(response).await?.found()
    }
}

#[async_trait]
impl VoiceProvider for Bland {
    async fn place(&self, account: &Account, order: &CallOrder) -> Result<Placed, PlaceError> {
        let request = self
            .request(account, Method::POST, &["v1", "calls"])
            .map_err(|message| PlaceError::AccountBlocked { message })?
            .json(&request::body(order));
        let response = request.send().await.map_err(|error| {
            // A connect error (DNS, TCP, TLS, or their time running out) comes before the first byte of the
            // request: no pooled connection and no early data is used. Everything else may come after it.
            if error.is_connect() {
                PlaceError::NotSent(describe(&error))
            } else {
                PlaceError::Unknown(describe(&error))
            }
        })?;
        Answer::read(response).await.placed()
    }

    async fn find(
        &self,
        account: &Account,
        to: &str,
        attempt_id: Uuid,
        since: Timestamp,
    ) -> Result<Option<CallDetail>, LookupError> {
        // `created_at` filters a single date and so misses a call just after midnight; `start_date` does not.
        let start = since.minus(DAY).get().strftime("%Y-%m-%d").to_string();
        let query = [("to_number", to.to_owned()), ("start_date", start), ("limit", LIST_LIMIT.to_string())];
        let list = self.lookup(account, &["v1", "calls"], &query).await?;
        let Some(calls) = list.as_ref().and_then(|list| list["calls"].as_array()) else {
            return Err(LookupError::Unreadable("a list of calls without calls".to_owned()));
        };
        let mut candidates = 0;
        for item in calls {
            if time(item, "created_at").is_some_and(|created| created < since.minus(CLOCK_SLACK)) {
                continue;
            }
            let Some(id) = call_id(item) else { continue };
            let listed = call_detail(item.clone()).and_then(|call| call.attempt_id);
            if listed.is_some_and(|listed| listed != attempt_id) {
                continue;
            }
            candidates += 1;
            if candidates > MAX_CANDIDATES {
                return Err(LookupError::TooMany { limit: MAX_CANDIDATES });
            }
            let call = self.get(account, &id).await?;
            if let Some(call) = call.filter(|call| call.attempt_id.or(listed) == Some(attempt_id)) {
                return Ok(Some(call));
            }
        }
        // A list that was cut short does not prove an absence.
        let total = list.as_ref().and_then(|list| list["total_count"].as_u64()).unwrap_or_default();
        if calls.len() >= LIST_LIMIT || total > calls.len() as u64 {
            return Err(LookupError::TooMany { limit: LIST_LIMIT });
        }
        Ok(None)
    }

    async fn get(&self, account: &Account, provider_call_id: &str) -> Result<Option<CallDetail>, LookupError> {
        if !is_call_id(provider_call_id) {
            return Ok(None);
        }
        let Some(body) = self.lookup(account, &["v1", "calls", provider_call_id], &[]).await? else {
            return Ok(None);
        };
        match call_detail(body) {
            Some(call) if call.provider_call_id == provider_call_id => Ok(Some(call)),
            _ => Err(LookupError::Unreadable("not the call that was asked for".to_owned())),
        }
    }

    async fn stop(&self, account: &Account, provider_call_id: &str) -> Result<(), StopError> {
        if !is_call_id(provider_call_id) {
            return Err(StopError::NotActive("no call has such an id".to_owned()));
        }
        let response = self
            .request(account, Method::POST, &["v1", "calls", provider_call_id, "stop"])
            .map_err(|message| StopError::AccountBlocked { message })?
            .send()
            .await
            .map_err(|error| StopError::Unreachable(describe(&error)))?;
        Answer::read(response).await.stopped()
    }

    async fn recording(&self, account: &Account, url: &str) -> Result<Recording, LookupError> {
        let url = Url::parse(url).map_err(|_| LookupError::Refused("not a URL".to_owned()))?;
        recording::open(self, account, url).await
    }

    fn verify_webhook(&self, secret: &Secret, headers: &BTreeMap<String, String>, body: &[u8]) -> bool {
        verify_webhook(secret, headers, body)
    }

    fn parse_webhook(&self, body: &[u8]) -> Result<WebhookEvent, ParseError> {
        parse_webhook(body)
    }
}
