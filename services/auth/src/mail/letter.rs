//! What mails say: plain text, and the same in HTML.

use crate::Error;
use crate::store::mail::{MailKind, MailRow, Membership};
use crate::vault::Vault;
use callfairy_core::Secret;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart};
use std::borrow::Cow;
use std::error::Error as StdError;
use std::time::SystemTime;
use url::Url;

/// The product, in words.
const PRODUCT: &str = "CallFairy";

/// Characters of a line that travels as it is (RFC 5322).
const MAX_LINE: usize = 998;

/// Characters of a name that a mail shows.
const MAX_NAME: usize = 100;

/// What all mails of a deployment have in common.
#[derive(Debug)]
pub struct Letterhead {
    pub from: Mailbox,
    /// Where people reach the platform; links begin with it.
    pub public_url: Url,
}

/// The words of one mail. Nothing in them was written by whoever caused the mail: strangers must not be able to send
/// their own words to others' mailboxes. But who is invited into an organisation reads by whom, and into which: whoever may
/// invite is no stranger. Those names are one short line each, between other words, and never in a header.
struct Words {
    subject: &'static str,
    /// Whom it addresses; may be empty.
    name: String,
    before: Cow<'static, str>,
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
                name: String::new(),
                before: "Somebody, most likely you, has registered this address at CallFairy.\n\
                         Follow this link to confirm it. It works once, for 24 hours."
                    .into(),
                link: Some(self.link("verify-email", token(mail, vault)?.expose())),
                after: "If it was not you, ignore this mail: without the link nothing happens.",
            },
            MailKind::PasswordReset => Words {
                subject: "Set a new password",
                name: String::new(),
                before: "Somebody, most likely you, has forgotten the password of your account at CallFairy.\n\
                         Follow this link to set a new one. It works once, for 10 minutes."
                    .into(),
                link: Some(self.link("reset-password", token(mail, vault)?.expose())),
                after: "If it was not you, ignore this mail: your password stays as it is.",
            },
            MailKind::PasswordChanged => Words {
                subject: "Your password was changed",
                name: String::new(),
                before: "The password of your account at CallFairy was changed just now.\n\
                         Other devices were signed out."
                    .into(),
                link: None,
                after: "If it was not you, set a new password at once: choose \"forgot password\" when signing in.",
            },
            MailKind::TotpEnabled => Words {
                subject: "Signing in asks for a code now",
                name: String::new(),
                before: "From now on, signing in to your account at CallFairy asks for a code of your\n\
                         authenticator app as well. Keep the recovery codes in a safe place."
                    .into(),
                link: None,
                after: "If it was not you, set a new password at once, and tell whoever runs your platform.",
            },
            MailKind::TotpDisabled => Words {
                subject: "Signing in asks for no code any more",
                name: String::new(),
                before: "From now on, signing in to your account at CallFairy asks for the password alone.".into(),
                link: None,
                after: "If it was not you, set a new password at once, and turn the codes on again.",
            },
            MailKind::GoogleJoined => Words {
                subject: "You can sign in with Google now",
                name: String::new(),
                before: "Somebody, most likely you, has signed in to your account at CallFairy with the\n\
                         account that this address has at Google. That works from now on."
                    .into(),
                link: None,
                after: "If it was not you, somebody else can use this address at Google: see to it there first, and\n\
                        tell whoever runs your platform.",
            },
            MailKind::AlreadyRegistered => Words {
                subject: "You already have an account",
                name: String::new(),
                before: "Somebody, most likely you, has tried to register this address at CallFairy.\n\
                         It has an account already, and nothing has changed: sign in as before."
                    .into(),
                link: None,
                after: "If it was not you, ignore this mail.",
            },
            MailKind::SessionEnded => Words {
                subject: "You were signed out on one device",
                name: String::new(),
                before: "A device of yours was signed out of CallFairy: its key was used twice.\n\
                         That happens when somebody has copied it. Sign in again on that device."
                    .into(),
                link: None,
                after: "If this comes again, or you do not know the device, change your password.",
            },
            MailKind::Invitation => Words {
                subject: "You are invited to CallFairy",
                name: String::new(),
                before: "Whoever runs CallFairy for you has made you an account with this address.\n\
                         Follow this link to set your password. It works once, for 7 days."
                    .into(),
                link: Some(self.link("accept-invitation", token(mail, vault)?.expose())),
                after: "If you expect nothing like that, ignore this mail: without the link nothing happens.",
            },
            MailKind::MembershipInvited => self.invited(membership(mail)?),
            MailKind::MembershipAdded => self.added(membership(mail)?),
        })
    }

    fn invited(&self, Membership { name, organisation, invited_by, expires_at }: &Membership) -> Words {
        let (organisation, until) = (shown(organisation), expires_at.get().strftime("%-d %B %Y, %H:%M UTC"));
        Words {
            subject: "You are invited to join an organisation",
            name: shown(name),
            before: format!(
                "{} has invited you to join \"{organisation}\" at CallFairy.\n\
                 Register with this address, or confirm it if you have done so already: once that is done\n\
                 you are a member. The invitation waits until {until}.",
                somebody(invited_by),
            )
            .into(),
            link: Some(self.page("register")),
            after: "If you do not know them, ignore this mail: without an account nothing happens.",
        }
    }

    fn added(&self, Membership { name, organisation, invited_by, .. }: &Membership) -> Words {
        let organisation = shown(organisation);
        Words {
            subject: "You were added to an organisation",
            name: shown(name),
            before: format!(
                "{} has added you to \"{organisation}\" at CallFairy.\n\
                 You are a member from now on: sign in as before.",
                somebody(invited_by),
            )
            .into(),
            link: Some(self.page("login")),
            after: "If you do not know them, tell whoever runs your platform.",
        }
    }

    fn page(&self, page: &str) -> String {
        format!("{}/{page}", self.public_url.as_str().trim_end_matches('/'))
    }

    fn link(&self, page: &str, token: &str) -> String {
        format!("{}?token={token}", self.page(page))
    }
}

fn membership(mail: &MailRow) -> Result<&Membership, Error> {
    mail.membership().ok_or_else(|| Error::Defect(format!("a mail of the kind {} tells of no membership", mail.kind)))
}

/// A name that somebody wrote, as a mail shows it: one line, not too long.
fn shown(name: &str) -> String {
    let line = name.replace(char::is_control, " ");
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_NAME).collect()
}

fn somebody(name: &str) -> String {
    let name = shown(name);
    if name.is_empty() { "Somebody".to_owned() } else { name }
}

/// The token of the mail's link.
fn token(mail: &MailRow, vault: &Vault) -> Result<Secret, Error> {
    mail.token(vault)?.ok_or_else(|| Error::Defect(format!("a mail of the kind {} has no token", mail.kind)))
}

impl Words {
    fn plain(&self) -> String {
        let link = self.link.as_ref().map(|link| format!("{link}\n\n")).unwrap_or_default();
        format!("{}\n\n{}\n\n{link}{}\n\n{PRODUCT}\n", self.greeting(), self.before, self.after)
    }

    fn greeting(&self) -> String {
        if self.name.is_empty() { "Hello,".to_owned() } else { format!("Hello {},", self.name) }
    }

    fn html(&self) -> String {
        let link = self.link.as_deref().map(escape).map(|link| format!("<p><a href=\"{link}\">{link}</a></p>\n"));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n\
             <p>{}</p>\n<p>{}</p>\n{}<p>{}</p>\n<p>{PRODUCT}</p>\n</body>\n</html>\n",
            escape(self.subject),
            escape(&self.greeting()),
            escape(&self.before),
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
        let name = "<b>Nia</b>".to_owned();
        let words = Words { subject: "s", name, before: "\"<Acme>\" & b".into(), link, after: "a" };
        assert!(words.html().contains("<p>Hello &lt;b&gt;Nia&lt;/b&gt;,</p>\n<p>&quot;&lt;Acme&gt;&quot; &amp; b</p>"));
        assert!(words.html().contains("href=\"https://example.com/?a=1&amp;token=&quot;&lt;x&gt;\""));
    }

    #[test]
    fn a_name_is_one_line_and_not_too_long() {
        assert_eq!(shown(" Acme\r\n\r\nBuy now:\t things "), "Acme Buy now: things");
        assert_eq!(shown(&"é".repeat(MAX_NAME + 1)), "é".repeat(MAX_NAME));
        assert_eq!(somebody(" \n"), "Somebody");
    }
}
