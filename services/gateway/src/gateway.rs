//! What all requests of a worker share.

use crate::rates::Rates;
use crate::{Config, Limits};
use access::{Caller, Client, Guard};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use callfairy_core::{Problem, Secret};
use ipnet::IpNet;
use proto::Access;
use runtime::{Clients, Service, Shutdown};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::context::TokioContext;

#[derive(Clone)]
pub struct Gateway {
    pub clients: Clients,
    pub limits: Limits,
    pub shutdown: Shutdown,
    pub is_behind_tls: bool,
    pub trusted_proxies: Arc<[IpNet]>,
    pub rates: Arc<Rates>,
    runtime: Handle,
    guard: Guard,
}

impl Gateway {
    pub fn new(config: &Config, shutdown: Shutdown, runtime: Handle) -> Self {
        Self {
            clients: config.context.clients.clone(),
            limits: config.limits,
            shutdown,
            runtime,
            is_behind_tls: config.public_url.starts_with("https:"),
            trusted_proxies: config.trusted_proxies.as_slice().into(),
            rates: Arc::new(Rates::new(config.limits.requests_of_caller, config.limits.requests_of_address)),
            guard: config.context.guard(),
        }
    }

    /// Keeps what is known of API keys, and keeps it fresh.
    pub async fn follow_changes(&self) -> Infallible {
        self.guard.follow_changes().await
    }

    /// For one worker: it drives its own connections to the services, so that an answer is read where it is awaited.
    #[must_use]
    pub fn of_this_worker(&self) -> Self {
        Self { clients: self.clients.reconnected(), ..self.clone() }
    }

    /// Runs what calls services. In one process they run here too, and what they spawn has to outlive the worker, whose
    /// own runtime ends with it.
    pub async fn run<T>(&self, calls: impl Future<Output = T>) -> T {
        if self.clients.are_local() { TokioContext::new(calls, self.runtime.clone()).await } else { calls.await }
    }

    pub fn client(&self, service: Service) -> &Client {
        match service {
            Service::Auth => &self.clients.auth,
            Service::Tenancy => &self.clients.tenancy,
            Service::Agent => &self.clients.agent,
            Service::Telephony => &self.clients.telephony,
        }
    }

    /// The token or API key to pass on, once it is known to be good: what is wrong with a body is told only to people who
    /// signed in. What they may do, the service decides, and verifies it again. Public routes take none.
    pub async fn authenticate(&self, access: Access, headers: &HeaderMap) -> Result<Option<Secret>, Problem> {
        if access == Access::Public {
            return Ok(None);
        }
        let token =
            bearer(headers).ok_or_else(|| Problem::unauthenticated("sign in, and send the access token along"))?;
        let caller = match self.guard.caller(token).await? {
            Caller::User(user) => user.id.uuid(),
            Caller::ApiKey(key) => key.id,
            Caller::Anonymous | Caller::Service(_) => {
                return Err(Problem::unauthenticated("this is for people who signed in"));
            }
        };
        self.rates.count_caller(caller)?;
        Ok(Some(Secret::new(token)))
    }
}

/// The token of the one `Authorization: Bearer …` header; the scheme's case does not count (RFC 9110).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn takes_one_bearer_token() {
        let token = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(token(&["bearer  abc "]).as_deref(), Some("abc"));
        for none in [&[][..], &["abc"], &["Basic abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token(none), None, "{none:?}");
        }
    }
}
