//! Google, or whoever the settings name in its place: which keys it signs with, and what it gives for a code.

mod http;
mod keys;

use crate::domain::id_token::{self, Claims, Expected, Identity, Refusal};
use crate::domain::opaque_token::{self, Hash};
use crate::store::google_flow::NewFlow;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Clock, ErrorCode, Problem, Secret};
use http::Http;
use jsonwebtoken::Validation;
use keys::Keys;
use runtime::BoxError;
use runtime::config::Google as Settings;
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

/// What we want to know of people.
const SCOPES: &str = "openid email profile";

/// Cheap to clone.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    client_id: String,
    settings: Settings,
    http: Http,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

/// Why nobody is known by an ID token or a code.
#[derive(Debug)]
pub enum Failure {
    Refused(Refusal),
    /// Google would not give a token for the code.
    Denied,
    OutOfReach,
}

impl Failure {
    /// As the audit log names it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.word(),
            Self::Denied => "denied",
            Self::OutOfReach => "out_of_reach",
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Denied => Self::new(ErrorCode::InvalidCredentials, "Google did not sign you in: start again"),
            Failure::OutOfReach => Self::unavailable("signing in with Google"),
        }
    }
}

/// What the token endpoint answers; the rest of it is of no use here.
#[derive(Deserialize)]
struct Redeemed {
    id_token: String,
}

impl Google {
    /// `None` without a client there.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Option<Self>, BoxError> {
        let Some(client_id) = settings.client_id.clone() else { return Ok(None) };
        let http = Http::new()?;
        let keys = Keys::new(http.clone(), settings.keys_url.clone(), clock.clone());
        Ok(Some(Self(Arc::new(Inner { client_id, settings, http, keys, clock }))))
    }

    pub fn issuer(&self) -> &str {
        &self.0.settings.issuer
    }

    /// Who the ID token says it is. `nonce`: the hash of the one that it must hold.
    pub async fn verify(&self, id_token: &str, nonce: Option<Hash>) -> Result<Identity, Failure> {
        let header = jsonwebtoken::decode_header(id_token).map_err(|_| Refusal::Forged)?;
        let kid = header.kid.as_deref().ok_or(Refusal::UnknownKey)?;
        let key = self.0.keys.find(kid).await?.ok_or(Refusal::UnknownKey)?;
        // The key decides the algorithm, never the token.
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        // By our clock, and more strictly, in `id_token::check`.
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let token = jsonwebtoken::decode::<Claims>(id_token, &key.key, &validation).map_err(|_| Refusal::Forged)?;
        let expected = Expected { issuer: self.issuer(), client_id: &self.0.client_id, nonce };
        Ok(id_token::check(token.claims, &expected, self.0.clock.now())?)
    }

    /// Where a browser goes to sign in.
    pub fn authorization_url(&self, flow: &NewFlow) -> Secret {
        let Settings { authorization_url, redirect_url, .. } = &self.0.settings;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(opaque_token::hash(flow.verifier.expose()));
        let mut url: Url = authorization_url.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.0.client_id)
            .append_pair("redirect_uri", redirect_url.as_str())
            .append_pair("scope", SCOPES)
            .append_pair("state", flow.state.expose())
            .append_pair("nonce", flow.nonce.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Secret::new(url.as_str())
    }

    /// The ID token for the code that a browser came back with.
    pub async fn redeem(&self, code: &str, verifier: &Secret) -> Result<Secret, Failure> {
        let Settings { token_url, redirect_url, client_secret, .. } = &self.0.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_url.as_str()),
            ("client_id", &self.0.client_id),
            ("code_verifier", verifier.expose()),
        ];
        form.extend(client_secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        let answer = self.0.http.post(token_url, &form).await?;
        let Some(body) = answer else { return Err(Failure::Denied) };
        let redeemed: Redeemed = serde_json::from_slice(&body).map_err(|_| {
            tracing::warn!("Google's token endpoint gave no ID token");
            Failure::OutOfReach
        })?;
        Ok(Secret::new(redeemed.id_token))
    }
}
