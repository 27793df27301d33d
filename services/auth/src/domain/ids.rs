//! What auth gives ids to, beside users.

use callfairy_core::Id;

/// Names the ids of sessions.
#[derive(Debug)]
pub enum Session {}
/// Names the ids of mails.
#[derive(Debug)]
pub enum Mail {}

pub type SessionId = Id<Session>;
pub type MailId = Id<Mail>;
