//! A mail server, by SMTP.

use super::{DeliveryError, Letter, Mailer};
use crate::Error;
use crate::store::mail::MailRow;
use async_trait::async_trait;
use callfairy_core::Secret;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::fmt;
use std::time::Duration;
use url::Url;

/// How long each step of the conversation may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Hands mail over to one server.
pub struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// `smtps://user:password@host`: TLS from the start. `smtp://…`: STARTTLS, which is required when there is a
    /// password to protect and used when the server offers it otherwise; `?tls=required` requires it always.
    pub fn new(url: &Secret) -> Result<Self, Error> {
        let bad = |why: String| Error::Setting { name: "CALLFAIRY_SMTP_URL", why };
        let url = with_tls(url.expose()).map_err(|error| bad(error.to_string()))?;
        // The error's text does not repeat the URL.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
        let builder = builder.map_err(|error| bad(error.to_string()))?;
        Ok(Self(builder.timeout(Some(STEP_TIMEOUT)).build()))
    }
}

/// Says in the URL itself which TLS there is to be.
fn with_tls(url: &str) -> Result<Secret, url::ParseError> {
    let mut parsed = Url::parse(url)?;
    if parsed.scheme() == "smtp" && !parsed.query_pairs().any(|(name, _)| name == "tls") {
        // The usual port of plain SMTP, where STARTTLS is spoken too.
        let port = parsed.port().unwrap_or(25);
        let _ = parsed.set_port(Some(port));
        let tls = if parsed.password().is_some() { "required" } else { "opportunistic" };
        parsed.query_pairs_mut().append_pair("tls", tls);
    }
    Ok(Secret::new(parsed))
}

#[async_trait]
impl Mailer for Smtp {
    async fn deliver(&self, _: &MailRow, letter: &Letter) -> Result<(), DeliveryError> {
        match self.0.send(letter.clone()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(DeliveryError::Never(error.to_string())),
            Err(error) => Err(DeliveryError::NotNow(error.to_string())),
        }
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smtp")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_never_travels_in_the_clear() {
        let url = |text: &str| with_tls(text).unwrap().expose().to_owned();
        assert_eq!(url("smtp://u:p@mail.example.com:2525"), "smtp://u:p@mail.example.com:2525?tls=required");
        assert_eq!(url("smtp://mail.example.com"), "smtp://mail.example.com:25?tls=opportunistic");
        assert_eq!(url("smtp://mail.example.com:1025?tls=required"), "smtp://mail.example.com:1025?tls=required");
        assert_eq!(url("smtps://u:p@mail.example.com"), "smtps://u:p@mail.example.com");
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_by_the_variable_s_name() {
        for url in ["smtp://mail.example.com?tls=perhaps", "http://mail.example.com"] {
            let error = Smtp::new(&Secret::new(url)).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("CALLFAIRY_SMTP_URL: "), "{error}");
        }
        assert!(Smtp::new(&Secret::new("smtps://user:secret@mail.example.com")).is_ok());
    }
}
