//! What mails say: plain text, and the same in HTML.

use crate::Error;
use crate::store::mail::{MailKind, MailRow};
use crate::vault::Vault;
use callfairy_core::Secret;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart};
use std::error::Error as StdError;
use std::time::SystemTime;
use url::Url;

/// The product, in words.
const PRODUCT: &str = "CallFairy";

/// Characters of a line that travels as it is (RFC 5322).
const MAX_LINE: usize = 998;

/// What all mails of a deployment have in common.
#[derive(Debug)]
pub struct Letterhead {
    pub from: Mailbox,
    /// Where people reach the platform; links begin with it.
    pub public_url: Url,
}

/// The words of one mail. Nothing in them was written by whoever caused the mail: strangers must not be able to send
/// their own words to others' mailboxes.
struct Words {
    subject: &'static str,
    before: &'static str,
    link: Option<String>,
    after: &'static str,
}

impl Letterhead {
    /// `no-reply` at the platform's host.
    pub fn sender(public_url: &Url) -> Result<Mailbox, Error> {
        // A domain literal, as of an address without a name, is legal but lettre does not read its own back.
        let host = public_url.domain().unwrap_or("localhost");
        let address = lettre::Address::new("no-reply", host).or_else(|_| lettre::Address::new("no-reply", "localhost"));
        let address = address.map_err(|error| Error::Defect(format!("no sender's address at {host}: {error}")))?;
        Ok(Mailbox::new(Some(PRODUCT.to_owned()), address))
    }

    /// The mail as it is sent. The same each time, but for the boundaries between its parts.
    pub fn write(&self, mail: &MailRow, vault: &Vault) -> Result<Message, Error> {
        let words = self.words(mail, vault)?;
        let defect = |error: &dyn StdError| Error::Defect(format!("the mail {} cannot be written: {error}", mail.id));
        let to = mail.recipient.parse().map_err(|error| defect(&error))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words.subject)
            .date(SystemTime::from(mail.created_at.get()))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(body(words.plain()), body(words.html())))
            .map_err(|error| defect(&error))
    }

    fn words(&self, mail: &MailRow, vault: &Vault) -> Result<Words, Error> {
        Ok(match mail.kind {
            MailKind::Verification => Words {
                subject: "Confirm your e-mail address",
                before: "Somebody, most likely you, has registered this address at CallFairy.\n\
                         Follow this link to confirm it. It works once, for 24 hours.",
                link: Some(self.link("verify-email", token(mail, vault)?.expose())),
                after: "If it was not you, ignore this mail: without the link nothing happens.",
            },
            MailKind::PasswordReset => Words {
                subject: "Set a new password",
                before: "Somebody, most likely you, has forgotten the password of your account at CallFairy.\n\
                         Follow this link to set a new one. It works once, for 10 minutes.",
                link: Some(self.link("reset-password", token(mail, vault)?.expose())),
                after: "If it was not you, ignore this mail: your password stays as it is.",
            },
            MailKind::PasswordChanged => Words {
                subject: "Your password was changed",
                before: "The password of your account at CallFairy was changed just now.\n\
                         Other devices were signed out.",
                link: None,
                after: "If it was not you, set a new password at once: choose \"forgot password\" when signing in.",
            },
            MailKind::TotpEnabled => Words {
                subject: "Signing in asks for a code now",
                before: "From now on, signing in to your account at CallFairy asks for a code of your\n\
                         authenticator app as well. Keep the recovery codes in a safe place.",
                link: None,
                after: "If it was not you, set a new password at once, and tell whoever runs your platform.",
            },
            MailKind::TotpDisabled => Words {
                subject: "Signing in asks for no code any more",
                before: "From now on, signing in to your account at CallFairy asks for the password alone.",
                link: None,
                after: "If it was not you, set a new password at once, and turn the codes on again.",
            },
            MailKind::GoogleJoined => Words {
                subject: "You can sign in with Google now",
                before: "Somebody, most likely you, has signed in to your account at CallFairy with the\n\
                         account that this address has at Google. That works from now on.",
                link: None,
                after: "If it was not you, somebody else can use this address at Google: see to it there first, and\n\
                        tell whoever runs your platform.",
            },
            MailKind::AlreadyRegistered => Words {
                subject: "You already have an account",
                before: "Somebody, most likely you, has tried to register this address at CallFairy.\n\
                         It has an account already, and nothing has changed: sign in as before.",
                link: None,
                after: "If it was not you, ignore this mail.",
            },
            MailKind::SessionEnded => Words {
                subject: "You were signed out on one device",
                before: "A device of yours was signed out of CallFairy: its key was used twice.\n\
                         That happens when somebody has copied it. Sign in again on that device.",
                link: None,
                after: "If this comes again, or you do not know the device, change your password.",
            },
        })
    }

    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}?token={token}", self.public_url.as_str().trim_end_matches('/'))
    }
}

/// The token of the mail's link.
fn token(mail: &MailRow, vault: &Vault) -> Result<Secret, Error> {
    mail.token(vault)?.ok_or_else(|| Error::Defect(format!("a mail of the kind {} has no token", mail.kind)))
}

impl Words {
    fn plain(&self) -> String {
        let link = self.link.as_ref().map(|link| format!("{link}\n\n")).unwrap_or_default();
        format!("Hello,\n\n{}\n\n{link}{}\n\n{PRODUCT}\n", self.before, self.after)
    }

    fn html(&self) -> String {
        let link = self.link.as_deref().map(escape).map(|link| format!("<p><a href=\"{link}\">{link}</a></p>\n"));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n\
             <p>Hello,</p>\n<p>{}</p>\n{}<p>{}</p>\n<p>{PRODUCT}</p>\n</body>\n</html>\n",
            escape(self.subject),
            escape(self.before),
            link.unwrap_or_default(),
            escape(self.after),
        )
    }
}

/// As it is, where it may: the link stays in one piece for whoever reads the file.
fn body(text: String) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE) {
        let lines = text.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Tells other programs not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_sender_is_at_the_platform_s_host() {
        for (url, sender) in [
            ("https://calls.example.com", "no-reply@calls.example.com"),
            ("http://localhost:8080", "no-reply@localhost"),
            ("http://127.0.0.1:8080/", "no-reply@localhost"),
        ] {
            assert_eq!(Letterhead::sender(&url.parse().unwrap()).unwrap().email.to_string(), sender, "{url}");
        }
    }

    #[test]
    fn links_keep_the_path_of_the_platform() {
        let letterhead = |url: &str| {
            let public_url: Url = url.parse().unwrap();
            Letterhead { from: Letterhead::sender(&public_url).unwrap(), public_url }
        };
        for (url, link) in [
            ("https://calls.example.com", "https://calls.example.com/verify-email?token=t"),
            ("https://example.com/calls/", "https://example.com/calls/verify-email?token=t"),
        ] {
            assert_eq!(letterhead(url).link("verify-email", "t"), link);
        }
    }

    #[test]
    fn html_is_escaped() {
        let link = Some("https://example.com/?a=1&token=\"<x>".to_owned());
        let words = Words { subject: "s", before: "b", link, after: "a" };
        assert!(words.html().contains("href=\"https://example.com/?a=1&amp;token=&quot;&lt;x&gt;\""));
    }
}
