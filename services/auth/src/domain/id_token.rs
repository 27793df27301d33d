//! What an ID token says (OpenID Connect Core), and whether it is said to us, now.

use super::email::Email;
use super::opaque_token::{self, Hash};
use super::text::line;
use callfairy_core::{ErrorCode, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Google names itself either way.
const GOOGLE: &str = "https://accounts.google.com";
const GOOGLE_WITHOUT_SCHEME: &str = "accounts.google.com";

/// Their clock may be ahead of ours by this much.
const LEEWAY: Duration = Duration::from_mins(1);
/// Bytes of a subject, by the standard.
const MAX_SUBJECT: usize = 255;
/// Characters of a name that is taken over.
const MAX_NAME: usize = 200;

#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token must say.
#[derive(Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// The hash of the nonce that was sent, if one was.
    pub nonce: Option<Hash>,
}

/// Somebody whom the issuer knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer's own id of them.
    pub subject: String,
    /// Theirs, as the issuer has verified.
    pub email: String,
    pub name: String,
}

/// Why an ID token is not taken. It is told: whoever sent the token can read it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the ID token is none, or its signature is not good")]
    Forged,
    #[error("the ID token's key is not known")]
    UnknownKey,
    #[error("the ID token is from another issuer")]
    Issuer,
    #[error("the ID token is for another client")]
    Audience,
    #[error("the ID token has expired")]
    Expired,
    #[error("the ID token is not valid yet")]
    NotYetValid,
    #[error("the ID token belongs to another sign-in")]
    Nonce,
    #[error("the ID token names nobody")]
    Subject,
    #[error("the address of this account is not verified")]
    Unverified,
}

impl Refusal {
    /// As the audit log names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::UnknownKey => "unknown_key",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Nonce => "wrong_nonce",
            Self::Subject => "no_subject",
            Self::Unverified => "unverified_address",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorCode::InvalidCredentials, refusal.to_string())
    }
}

/// Who the token says it is, if all that it says is as expected. The signature was checked before.
pub fn check(claims: Claims, expected: &Expected<'_>, now: Timestamp) -> Result<Identity, Refusal> {
    let is_google = expected.issuer == GOOGLE && claims.iss == GOOGLE_WITHOUT_SCHEME;
    if claims.iss != expected.issuer && !is_google {
        return Err(Refusal::Issuer);
    }
    // For us, and for nobody else that we would have to trust.
    let for_us = match &claims.aud {
        Audience::One(client) => client == expected.client_id,
        Audience::Many(clients) => !clients.is_empty() && clients.iter().all(|client| client == expected.client_id),
    };
    if !for_us || claims.azp.as_ref().is_some_and(|party| party != expected.client_id) {
        return Err(Refusal::Audience);
    }
    let (seconds, soon) = (now.get().as_second(), now.plus(LEEWAY).get().as_second());
    if claims.exp <= seconds {
        return Err(Refusal::Expired);
    }
    if claims.iat > soon || claims.nbf.is_some_and(|from| from > soon) {
        return Err(Refusal::NotYetValid);
    }
    if let Some(nonce) = expected.nonce {
        let given = claims.nonce.as_deref().map(opaque_token::hash);
        if !given.is_some_and(|given| given.ct_eq(&nonce).into()) {
            return Err(Refusal::Nonce);
        }
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT || claims.sub.contains(char::is_control) {
        return Err(Refusal::Subject);
    }
    let email = claims.email.filter(|_| claims.email_verified == Some(true));
    let email = email.and_then(|email| Email::parse(&email).ok()).ok_or(Refusal::Unverified)?;
    let name = claims.name.and_then(|name| line("name", &name).ok());
    let name = name.filter(|name| !name.is_empty() && name.chars().count() <= MAX_NAME);
    let name = name.unwrap_or_else(|| email.local_part().to_owned());
    Ok(Identity { subject: claims.sub, email: email.given, name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn says(changes: Value) -> Result<Identity, Refusal> {
        let now = Timestamp::UNIX_EPOCH.plus(Duration::from_secs(1_000));
        let mut claims = json!({
            "iss": GOOGLE, "sub": "7", "aud": "us", "azp": "us", "exp": 1_001, "iat": 1_000, "nonce": "n",
            "email": "ada@example.com", "email_verified": true, "name": "Ada",
        });
        claims.as_object_mut().unwrap().append(&mut changes.as_object().unwrap().clone());
        let expected = Expected { issuer: GOOGLE, client_id: "us", nonce: Some(opaque_token::hash("n")) };
        check(serde_json::from_value(claims).unwrap(), &expected, now)
    }

    #[test]
    fn takes_what_is_said_to_us_now() {
        let ada = Identity { subject: "7".into(), email: "ada@example.com".into(), name: "Ada".into() };
        assert_eq!(says(json!({})), Ok(ada.clone()));
        assert_eq!(says(json!({"iss": GOOGLE_WITHOUT_SCHEME})), Ok(ada.clone()));
        assert_eq!(says(json!({"aud": ["us"], "azp": null})), Ok(ada.clone()));
        assert_eq!(says(json!({"iat": 1_060, "nbf": 1_060})), Ok(ada));
        for nameless in [json!(null), json!(""), json!("A\u{0}"), json!("a".repeat(201))] {
            assert_eq!(says(json!({"name": nameless})).unwrap().name, "ada");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (changes, refusal) in [
            (json!({"iss": "https://accounts.google.com/"}), Refusal::Issuer),
            (json!({"iss": "https://accounts.google.com.evil.org"}), Refusal::Issuer),
            (json!({"aud": "them"}), Refusal::Audience),
            (json!({"aud": ["us", "them"]}), Refusal::Audience),
            (json!({"aud": []}), Refusal::Audience),
            (json!({"azp": "them"}), Refusal::Audience),
            (json!({"exp": 1_000}), Refusal::Expired),
            (json!({"iat": 1_061}), Refusal::NotYetValid),
            (json!({"nbf": 1_061}), Refusal::NotYetValid),
            (json!({"nonce": "m"}), Refusal::Nonce),
            (json!({"nonce": null}), Refusal::Nonce),
            (json!({"sub": ""}), Refusal::Subject),
            (json!({"sub": "7".repeat(256)}), Refusal::Subject),
            (json!({"email_verified": false}), Refusal::Unverified),
            (json!({"email_verified": null}), Refusal::Unverified),
            (json!({"email": null}), Refusal::Unverified),
            (json!({"email": "nobody"}), Refusal::Unverified),
        ] {
            assert_eq!(says(changes.clone()), Err(refusal), "{changes}");
        }
    }
}
