//! Outgoing mail: a row for each, a queue that rings for it, and a sweep for rings that were lost.
//!
//! A mail is written in the transaction of the change that causes it, and sent by whichever replica hears the queue
//! first. It is sent once, unless a sender dies between sending and saying so; its Message-ID is the same then.
//!
//! To add a mail: a variant in [`MailKind`], its words in `letter`.

mod files;
mod letter;
mod smtp;

pub use files::Files;
pub use letter::Letterhead;
pub use smtp::Smtp;

use crate::Error;
use crate::domain::email;
use crate::domain::ids::MailId;
use crate::store::mail::{self, MailKind, MailRow};
use crate::store::single_use_token::{INVITATION_LIFETIME, RESET_LIFETIME, VERIFICATION_LIFETIME};
use crate::vault::Vault;
use async_trait::async_trait;
use callfairy_core::{Clock, Timestamp};
use db::Pool;
use lettre::Message as Letter;
use queue::{Message, Outcome, Queue, QueueName};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Mails that one replica sends at one time.
pub const AT_ONE_TIME: u16 = 8;
/// How often to look for mails that should have been sent by now.
const SWEEP: Duration = Duration::from_secs(10);
/// Attempts in quick succession, by the queue; the later ones, with growing pauses, are the sweep's.
const QUICK_ATTEMPTS: i32 = 5;
/// How long sending one mail may take: less than its claim.
const SEND_TIMEOUT: Duration = Duration::from_secs(45);

/// Takes mail to its recipient, or to the next server.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// The same mail may be delivered twice.
    async fn deliver(&self, mail: &MailRow, letter: &Letter) -> Result<(), DeliveryError>;
}

/// Why a mail was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It may work later.
    #[error("{0}")]
    NotNow(String),
    /// It will not work.
    #[error("{0}")]
    Never(String),
}

/// What a message in the queue says.
#[derive(Debug, Deserialize)]
struct Ring {
    mail_id: MailId,
}

/// Sends the mails that the queue rings for. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    pub pool: Pool,
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
    pub letterhead: Arc<Letterhead>,
    pub mailer: Arc<dyn Mailer>,
}

impl Sender {
    pub async fn handle(self, message: Message) -> Outcome {
        let Ok(Ring { mail_id }) = serde_json::from_slice(&message.body) else {
            return Outcome::Dead("the message names no mail".to_owned());
        };
        match self.send(mail_id).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(mail = %mail_id, %error, "a mail was not sent; it is tried again");
                Outcome::Retry
            }
        }
    }

    async fn send(&self, id: MailId) -> Result<Outcome, Error> {
        let Some(mail) = self.pool.write(move |db| Ok::<_, Error>(mail::claim(db, id)?)).await? else {
            return Ok(Outcome::Done);
        };
        let now = self.clock.now();
        match self.deliver(&mail).await {
            Ok(()) => {
                self.pool.write(move |db| Ok::<_, Error>(mail::sent(db, id, now)?)).await?;
                let (kind, recipient) = (mail.kind, email::mask(&mail.recipient));
                tracing::info!(mail = %id, %kind, recipient, "mail sent");
                Ok(Outcome::Done)
            }
            Err(DeliveryError::NotNow(why)) if now.since(mail.created_at) < give_up_after(mail.kind) => {
                tracing::warn!(mail = %id, attempt = mail.attempts, why, "a mail could not be sent yet");
                let quick = mail.attempts < QUICK_ATTEMPTS;
                self.pool.write(move |db| Ok::<_, Error>(mail::postpone(db, &mail)?)).await?;
                Ok(if quick { Outcome::Retry } else { Outcome::Done })
            }
            Err(DeliveryError::NotNow(why) | DeliveryError::Never(why)) => {
                tracing::error!(mail = %id, why, "a mail is given up");
                self.pool.write(move |db| Ok::<_, Error>(mail::give_up(db, id, now)?)).await?;
                Ok(Outcome::Done)
            }
        }
    }

    async fn deliver(&self, mail: &MailRow) -> Result<(), DeliveryError> {
        let letter = self.letterhead.write(mail, &self.vault).map_err(|error| match error {
            // The operator may give the key back.
            Error::Undecryptable(_) => DeliveryError::NotNow(error.to_string()),
            error => DeliveryError::Never(error.to_string()),
        })?;
        match tokio::time::timeout(SEND_TIMEOUT, self.mailer.deliver(mail, &letter)).await {
            Ok(result) => result,
            Err(_) => Err(DeliveryError::NotNow(format!("it took longer than {} s", SEND_TIMEOUT.as_secs()))),
        }
    }
}

/// Rings again for mails whose message was lost: a broker that was wiped, a process that stopped.
pub async fn sweep(pool: Pool, queue: Queue, shutdown: CancellationToken) -> Result<(), Infallible> {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        // An outage is logged by whoever meets it first; the next look is soon.
        let ids = pool.write(|db| Ok::<_, db::Error>(mail::overdue(db)?)).await.unwrap_or_default();
        if ids.is_empty() {
            continue;
        }
        tracing::info!(mails = ids.len(), "ringing again for mails that were not sent");
        let ring = |id: MailId| Message::new(serde_json::json!({ "mail_id": id }).to_string().into_bytes());
        queue.publish(QueueName::Mail, ids.into_iter().map(ring).collect()).await;
    }
}

/// A mail that could not be sent for so long is given up: the link in it is dead by then, or the news old.
const fn give_up_after(kind: MailKind) -> Duration {
    match kind {
        MailKind::PasswordReset => RESET_LIFETIME,
        MailKind::Invitation | MailKind::MembershipInvited => INVITATION_LIFETIME,
        _ => VERIFICATION_LIFETIME,
    }
}

/// `20260101T120000Z`, for the names of files.
fn compact(time: Timestamp) -> String {
    time.get().strftime("%Y%m%dT%H%M%SZ").to_string()
}
