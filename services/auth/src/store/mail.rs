//! Mail to be sent. Leases and due times are by the database's clock, which all replicas share.

use super::schema::mails;
use crate::Error;
use crate::domain::ids::MailId;
use crate::relay;
use crate::vault::{Place, Vault};
use callfairy_core::{Secret, Timestamp};
use db::{Db, Json, Sql, on, outbox};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A mail that was not sent after this is rung for again.
const OVERDUE: Duration = Duration::from_secs(30);
/// The pause doubles with each attempt, up to this.
const MAX_PAUSE: Duration = Duration::from_mins(15);
/// A sender that falls silent gives its mail to another one after this; it must be done before.
const CLAIM: Duration = Duration::from_mins(1);
/// How many overdue mails one look takes.
const OVERDUE_BATCH: i64 = 500;

db::text_enum!(
    /// What a mail says.
    pub enum MailKind {
        /// Confirm your address with this link.
        Verification = "verification",
        /// Somebody registered an address that has an account.
        AlreadyRegistered = "already_registered",
        /// A refresh token was used twice; its session was ended.
        SessionEnded = "session_ended",
        /// Set a new password with this link.
        PasswordReset = "password_reset",
        /// The password was changed, or set anew with a link.
        PasswordChanged = "password_changed",
        /// Signing in asks for a code from now on.
        TotpEnabled = "totp_enabled",
        /// Signing in asks for no code any more.
        TotpDisabled = "totp_disabled",
        /// Somebody has signed in with Google for the first time.
        GoogleJoined = "google_joined",
        /// A superadmin has made an account for you: take it over with this link.
        Invitation = "invitation",
        /// You become a member of an organisation when you have an account.
        MembershipInvited = "membership_invited",
        /// You are a member of an organisation now.
        MembershipAdded = "membership_added",
    }
);

/// What a mail tells of a membership. The names were written by people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// How to address whom it is for; may be empty.
    pub name: String,
    pub organisation: String,
    /// May be empty.
    pub invited_by: String,
    pub expires_at: Timestamp,
}

/// A mail that somebody has claimed to send it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = mails)]
pub struct MailRow {
    pub id: MailId,
    pub recipient: String,
    pub kind: MailKind,
    token: Option<Vec<u8>>,
    pub created_at: Timestamp,
    pub attempts: i32,
    membership: Option<Json<Membership>>,
}

impl MailRow {
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref().map(|json| &json.0)
    }

    /// The token of its link.
    pub fn token(&self, vault: &Vault) -> Result<Option<Secret>, Error> {
        let Some(sealed) = &self.token else { return Ok(None) };
        let token = vault.open(Place::Mail(self.id.as_bytes()), sealed)?;
        let token = std::str::from_utf8(&token).map_err(|_| Error::Defect("a mail's token is no text".into()))?;
        Ok(Some(Secret::new(token)))
    }
}

/// A mail to be added.
pub struct NewMail<'a> {
    pub recipient: &'a str,
    pub kind: MailKind,
    pub token: Option<&'a Secret>,
    /// W3C trace context of the request that causes it.
    pub trace: &'a BTreeMap<String, String>,
}

/// Adds a mail, in the transaction of the change that causes it, and the message that rings for it.
pub fn add(db: &mut Db, vault: &Vault, mail: &NewMail<'_>, now: Timestamp) -> Result<MailId, Error> {
    let id = MailId::new();
    let token =
        mail.token.map(|token| vault.seal(Place::Mail(id.as_bytes()), token.expose().as_bytes())).transpose()?;
    let row = (
        mails::id.eq(Sql(id)),
        mails::recipient.eq(mail.recipient),
        mails::kind.eq(mail.kind),
        mails::token.eq(token),
        mails::created_at.eq(Sql(now)),
        mails::attempts.eq(0),
        mails::due_at.eq(db::now_plus(OVERDUE)),
    );
    on!(db, |c| diesel::insert_into(mails::table).values(row).execute(c))?;
    ring(db, id, mail.trace)?;
    Ok(id)
}

/// A mail about a membership, which another service asks for under an id of its own.
pub struct MembershipMail<'a> {
    pub id: MailId,
    pub recipient: &'a str,
    pub kind: MailKind,
    pub membership: Membership,
    pub trace: &'a BTreeMap<String, String>,
}

/// As [`add`]. A mail that was asked for before is not added again.
pub fn add_membership(db: &mut Db, mail: MembershipMail<'_>, now: Timestamp) -> QueryResult<()> {
    let row = (
        mails::id.eq(Sql(mail.id)),
        mails::recipient.eq(mail.recipient),
        mails::kind.eq(mail.kind),
        mails::created_at.eq(Sql(now)),
        mails::attempts.eq(0),
        mails::due_at.eq(db::now_plus(OVERDUE)),
        mails::membership.eq(Some(Json(mail.membership))),
    );
    let added =
        on!(db, |c| diesel::insert_into(mails::table).values(row).on_conflict(mails::id).do_nothing().execute(c))?;
    if added == 1 { ring(db, mail.id, mail.trace) } else { Ok(()) }
}

fn ring(db: &mut Db, id: MailId, trace: &BTreeMap<String, String>) -> QueryResult<()> {
    let mut message = outbox::Outgoing::new(relay::MAIL, serde_json::json!({ "mail_id": id })).about(id);
    message.headers.clone_from(trace);
    outbox::add(db, message).map(drop)
}

/// Takes the mail to send it; `None` when that is done, given up, or being done by another one.
pub fn claim(db: &mut Db, id: MailId) -> QueryResult<Option<MailRow>> {
    let free = mails::table
        .find(Sql(id))
        .filter(mails::sent_at.is_null())
        .filter(mails::failed_at.is_null())
        .filter(mails::claimed_until.is_null().or(mails::claimed_until.le(db::now().nullable())));
    let claimed = (mails::claimed_until.eq(db::now_plus(CLAIM).nullable()), mails::attempts.eq(mails::attempts + 1));
    on!(db, |c| diesel::update(free).set(claimed).returning(MailRow::as_returning()).get_result(c).optional())
}

/// It was sent; its token and what it told are forgotten.
pub fn sent(db: &mut Db, id: MailId, now: Timestamp) -> QueryResult<()> {
    let done = (mails::sent_at.eq(Sql(now)), forgotten());
    on!(db, |c| diesel::update(mails::table.find(Sql(id))).set(done).execute(c))?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn forgotten() -> _ {
    let (token, membership): (Option<Vec<u8>>, Option<Json<Membership>>) = (None, None);
    (mails::token.eq(token), mails::membership.eq(membership))
}

/// It could not be sent; another attempt follows.
pub fn postpone(db: &mut Db, mail: &MailRow) -> QueryResult<()> {
    let doublings = u32::try_from(mail.attempts.clamp(1, 10) - 1).unwrap_or_default();
    let pause = (OVERDUE * 2_u32.pow(doublings)).min(MAX_PAUSE);
    let later = (mails::claimed_until.eq(None::<Sql<Timestamp>>), mails::due_at.eq(db::now_plus(pause)));
    on!(db, |c| diesel::update(mails::table.find(Sql(mail.id))).set(later).execute(c))?;
    Ok(())
}

/// It will never be sent.
pub fn give_up(db: &mut Db, id: MailId, now: Timestamp) -> QueryResult<()> {
    let failed = (mails::failed_at.eq(Sql(now)), forgotten());
    on!(db, |c| diesel::update(mails::table.find(Sql(id))).set(failed).execute(c))?;
    Ok(())
}

/// Mails that should have been sent by now. Each is named once in [`OVERDUE`].
pub fn overdue(db: &mut Db) -> QueryResult<Vec<MailId>> {
    let due = mails::table
        .filter(mails::sent_at.is_null())
        .filter(mails::failed_at.is_null())
        .filter(mails::due_at.le(db::now()))
        .filter(mails::claimed_until.is_null().or(mails::claimed_until.le(db::now().nullable())))
        .order(mails::due_at)
        .limit(OVERDUE_BATCH)
        .select(mails::id);
    let ids: Vec<MailId> = on!(db, |c| due.load(c))?;
    let named = mails::table.filter(mails::id.eq_any(ids.iter().copied().map(Sql)));
    on!(db, |c| diesel::update(named).set(mails::due_at.eq(db::now_plus(OVERDUE))).execute(c))?;
    Ok(ids)
}
