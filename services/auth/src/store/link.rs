//! Mails with links, and the links that somebody asked for.
//!
//! Who asks for a link names an address, which may be anybody's. Whether it has an account is looked up after the answer,
//! from the outbox: so the answer takes as long for every address.

use super::mail::{self, MailKind, NewMail};
use super::single_use_token;
use super::user::{self, Registration, UserRow};
use crate::domain::opaque_token;
use crate::vault::Vault;
use crate::{Error, relay};
use callfairy_core::{Secret, Timestamp};
use db::{Db, outbox};
use diesel::QueryResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

db::text_enum!(
    /// What a link is to do.
    pub enum Wanted {
        Verification = "verification",
        PasswordReset = "password_reset",
    }
);

/// That somebody asked for a link.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// As [`crate::domain::email::fold`] gives it.
    pub address: String,
    pub wanted: Wanted,
}

/// What a mail needs beside its recipient. Made before the transaction, which may run more than once.
pub struct Sending<'a> {
    pub vault: &'a Vault,
    pub token: &'a Secret,
    pub trace: &'a BTreeMap<String, String>,
    pub now: Timestamp,
}

/// Notes that a link is asked for; [`Sending::answer`] follows.
pub fn ask(db: &mut Db, asked: &Asked, trace: &BTreeMap<String, String>) -> QueryResult<()> {
    let payload = serde_json::json!(asked);
    let mut message = outbox::Outgoing::new(relay::LINK, payload);
    message.headers.clone_from(trace);
    outbox::add(db, message)?;
    Ok(())
}

impl Sending<'_> {
    /// Mails the link, if there is somebody to mail it to. Who has not confirmed their address yet can have no other
    /// link than the one that does it: before, the address is not known to be theirs, and the account is of no use.
    pub fn answer(&self, db: &mut Db, asked: &Asked) -> Result<(), Error> {
        let Some(user) = user::find_by_email(db, &asked.address)?.filter(|user| user.is_active) else { return Ok(()) };
        match (user.is_verified(), asked.wanted) {
            (false, _) => {
                let registration = single_use_token::latest_registration(db, user.id.0)?;
                self.verification(db, &user, registration)
            }
            (true, Wanted::PasswordReset) => {
                single_use_token::add_reset(db, &opaque_token::hash(self.token.expose()), &user, self.now)?;
                self.mail(db, &user, MailKind::PasswordReset, Some(self.token))
            }
            (true, Wanted::Verification) => Ok(()),
        }
    }

    pub fn verification(&self, db: &mut Db, user: &UserRow, registration: Option<Registration>) -> Result<(), Error> {
        let hash = opaque_token::hash(self.token.expose());
        single_use_token::add_verification(db, &hash, user, registration, self.now)?;
        self.mail(db, user, MailKind::Verification, Some(self.token))
    }

    /// To whom an account was made for.
    pub fn invitation(&self, db: &mut Db, user: &UserRow) -> Result<(), Error> {
        single_use_token::add_invitation(db, &opaque_token::hash(self.token.expose()), user, self.now)?;
        self.mail(db, user, MailKind::Invitation, Some(self.token))
    }

    /// To the address as the account has it, whatever spelling was given now.
    pub fn mail(&self, db: &mut Db, user: &UserRow, kind: MailKind, token: Option<&Secret>) -> Result<(), Error> {
        let mail = NewMail { recipient: &user.email, kind, token, trace: self.trace };
        mail::add(db, self.vault, &mail, self.now)?;
        Ok(())
    }
}
