//! Sessions and their refresh tokens.

use super::schema::{refresh_tokens, sessions, users};
use super::user::{self, UserRow};
use crate::Error;
use crate::domain::ids::SessionId;
use crate::domain::opaque_token::{self, Hash};
use crate::domain::session::{self, Standing, Verdict};
use crate::vault::{Place, Vault};
use access::Origin;
use callfairy_core::{Page, Secret, Timestamp, UserId};
use db::{Db, Sql, on};
use diesel::prelude::*;
use std::net::IpAddr;
use uuid::Uuid;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct SessionRow {
    pub id: Sql<SessionId>,
    user_id: Sql<UserId>,
    pub created_at: Sql<Timestamp>,
    expires_at: Sql<Timestamp>,
    ends_at: Sql<Timestamp>,
    revoked_at: Option<Sql<Timestamp>>,
    pub device: Option<String>,
    pub address: Option<String>,
    pub last_used_at: Sql<Timestamp>,
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens, treat_none_as_default_value = false)]
struct TokenRow {
    hash: Vec<u8>,
    session_id: Sql<SessionId>,
    created_at: Sql<Timestamp>,
    replaced_at: Option<Sql<Timestamp>>,
    successor: Option<Vec<u8>>,
}

/// A refresh token with its session and its user.
pub struct Presented {
    session: SessionRow,
    token: TokenRow,
    pub user: UserRow,
}

impl Presented {
    pub fn session_id(&self) -> SessionId {
        self.session.id.0
    }

    pub fn verdict(&self, now: Timestamp) -> Verdict<'_> {
        if !self.user.counts() {
            return Verdict::Over;
        }
        let standing = Standing {
            expires_at: self.session.expires_at.0,
            revoked_at: self.session.revoked_at.map(|at| at.0),
            replaced_at: self.token.replaced_at.map(|at| at.0),
            successor: self.token.successor.as_deref(),
        };
        standing.verdict(now)
    }
}

/// What came of presenting a refresh token.
pub enum Refreshed {
    /// The token's successor, new or once more.
    Next { session: SessionId, token: Secret },
    /// The token had been exchanged before: its session was ended.
    Reused,
    /// It is unknown, or its session is over.
    Refused,
}

/// Begins a session whose first refresh token has this hash.
pub fn start(db: &mut Db, user: UserId, first: &Hash, origin: &Origin, now: Timestamp) -> QueryResult<SessionId> {
    let (id, ends_at) = (SessionId::new(), now.plus(session::LIFETIME));
    let row = SessionRow {
        id: Sql(id),
        user_id: Sql(user),
        created_at: Sql(now),
        expires_at: Sql(session::expires_at(now, ends_at)),
        ends_at: Sql(ends_at),
        revoked_at: None,
        device: origin.device().map(str::to_owned),
        address: origin.address().map(|address| address.to_string()),
        last_used_at: Sql(now),
    };
    on!(db, |c| diesel::insert_into(sessions::table).values(&row).execute(c))?;
    add_token(db, id, first, now)?;
    Ok(id)
}

pub fn find(db: &mut Db, hash: &Hash) -> QueryResult<Option<Presented>> {
    let found: Option<(TokenRow, SessionRow, UserRow)> = on!(db, |c| refresh_tokens::table
        .inner_join(sessions::table.inner_join(users::table))
        .filter(refresh_tokens::hash.eq(hash.as_slice()))
        .select((TokenRow::as_select(), SessionRow::as_select(), UserRow::as_select()))
        .first(c)
        .optional())?;
    Ok(found.map(|(token, session, user)| Presented { session, token, user }))
}

/// Exchanges the token with the hash `presented` for `next`, unless it was exchanged before. Of several at one time
/// one exchanges, and the others get its successor.
pub fn refresh(
    db: &mut Db,
    vault: &Vault,
    presented: &Hash,
    next: &Secret,
    origin: &Origin,
    now: Timestamp,
) -> Result<Refreshed, Error> {
    lock(db, presented)?;
    let Some(found) = find(db, presented)? else { return Ok(Refreshed::Refused) };
    let session = found.session.id.0;
    match found.verdict(now) {
        Verdict::Over => Ok(Refreshed::Refused),
        Verdict::Repeat(sealed) => {
            let token = vault.open(Place::Successor(presented), sealed)?;
            let token = std::str::from_utf8(&token).map_err(|_| Error::Defect("a successor is no text".into()))?;
            Ok(Refreshed::Next { session, token: Secret::new(token) })
        }
        Verdict::Reused => {
            end(db, found.user.id.0, session, now)?;
            Ok(Refreshed::Reused)
        }
        Verdict::Exchange => {
            let sealed = vault.seal(Place::Successor(presented), next.expose().as_bytes())?;
            exchange(db, &found, sealed, origin, now)?;
            add_token(db, session, &opaque_token::hash(next.expose()), now)?;
            Ok(Refreshed::Next { session, token: next.clone() })
        }
    }
}

/// Ends a session of the user, and lets the authority on access know. Answers whether it was open: one that has ended
/// stays as it is, and another one's is left alone.
pub fn end(db: &mut Db, user: UserId, session: SessionId, now: Timestamp) -> QueryResult<bool> {
    let open = sessions::table
        .find(Sql(session))
        .filter(sessions::user_id.eq(Sql(user)))
        .filter(sessions::revoked_at.is_null());
    let ended = on!(db, |c| diesel::update(open).set(sessions::revoked_at.eq(Sql(now))).execute(c))?;
    if ended == 0 {
        return Ok(false);
    }
    on!(db, |c| diesel::update(with_successor(session)).set(refresh_tokens::successor.eq(None::<Vec<u8>>)).execute(c))?;
    user::report(db, user)?;
    Ok(true)
}

/// Ends all sessions of the user, or all but one, and lets the authority on access know. Hold the user's row, so that no
/// session begins meanwhile.
pub fn end_all(db: &mut Db, user: UserId, but: Option<SessionId>, now: Timestamp) -> QueryResult<()> {
    // No session has the nil id.
    let but = but.unwrap_or(SessionId::from_uuid(Uuid::nil()));
    let open = sessions::table
        .filter(sessions::user_id.eq(Sql(user)))
        .filter(sessions::id.ne(Sql(but)))
        .filter(sessions::revoked_at.is_null());
    on!(db, |c| diesel::update(open).set(sessions::revoked_at.eq(Sql(now))).execute(c))?;
    user::report(db, user)
}

/// The user's sessions that were ended while their access tokens may live.
pub fn ended(db: &mut Db, user: UserId, now: Timestamp) -> QueryResult<Vec<SessionId>> {
    on!(db, |c| sessions::table
        .filter(sessions::user_id.eq(Sql(user)))
        .filter(sessions::revoked_at.is_not_null())
        .filter(sessions::last_used_at.gt(Sql(now.minus(session::TOKENS_LIVE))))
        .order(sessions::id)
        .select(sessions::id)
        .load(c))
}

/// Whether the owner of the folded address has signed in from this address, as far as that is remembered.
pub fn is_known(db: &mut Db, email_folded: &str, address: IpAddr) -> QueryResult<bool> {
    let known = sessions::table
        .inner_join(users::table)
        .filter(users::email_folded.eq(email_folded))
        .filter(sessions::address.eq(address.to_string()));
    on!(db, |c| diesel::select(diesel::dsl::exists(known)).get_result(c))
}

/// The key of a list of sessions: newest first.
pub type Key = (Timestamp, SessionId);

/// The user's open sessions.
pub fn list(db: &mut Db, user: UserId, page: &Page<Key>, now: Timestamp) -> QueryResult<Vec<SessionRow>> {
    on!(db, |c| {
        let mut query = sessions::table
            .filter(sessions::user_id.eq(Sql(user)))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(Sql(now)))
            .into_boxed();
        if let Some((at, id)) = page.after {
            // The first condition tells the database where in the index to begin; an OR alone does not.
            query = query.filter(sessions::created_at.le(Sql(at)));
            query = query.filter(sessions::created_at.lt(Sql(at)).or(sessions::id.lt(Sql(id))));
        }
        query
            .order((sessions::created_at.desc(), sessions::id.desc()))
            .limit(page.limit())
            .select(SessionRow::as_select())
            .load(c)
    })
}

fn exchange(db: &mut Db, found: &Presented, sealed: Vec<u8>, origin: &Origin, now: Timestamp) -> QueryResult<()> {
    let session = &found.session;
    // The exchange of a token proves that it arrived: its parent need not be answered again.
    on!(db, |c| diesel::update(with_successor(session.id.0))
        .set(refresh_tokens::successor.eq(None::<Vec<u8>>))
        .execute(c))?;
    on!(db, |c| diesel::update(refresh_tokens::table.find(&found.token.hash))
        .set((refresh_tokens::replaced_at.eq(Sql(now)), refresh_tokens::successor.eq(&sealed)))
        .execute(c))?;
    let used = (
        sessions::expires_at.eq(Sql(session::expires_at(now, session.ends_at.0))),
        sessions::last_used_at.eq(Sql(now)),
        sessions::device.eq(origin.device()),
        sessions::address.eq(origin.address().map(|address| address.to_string())),
    );
    on!(db, |c| diesel::update(sessions::table.find(session.id)).set(used).execute(c))?;
    Ok(())
}

fn add_token(db: &mut Db, session: SessionId, hash: &Hash, now: Timestamp) -> QueryResult<()> {
    let row = TokenRow {
        hash: hash.to_vec(),
        session_id: Sql(session),
        created_at: Sql(now),
        replaced_at: None,
        successor: None,
    };
    on!(db, |c| diesel::insert_into(refresh_tokens::table).values(&row).execute(c))?;
    Ok(())
}

#[diesel::dsl::auto_type]
fn with_successor(session: SessionId) -> _ {
    let session: Sql<SessionId> = Sql(session);
    refresh_tokens::table.filter(refresh_tokens::session_id.eq(session)).filter(refresh_tokens::successor.is_not_null())
}

/// Holds the session of the token until the transaction ends. SQLite has one writer anyway.
fn lock(db: &mut Db, presented: &Hash) -> QueryResult<()> {
    if let Db::Postgres(c) = db {
        let session = refresh_tokens::table
            .filter(refresh_tokens::hash.eq(presented.as_slice()))
            .select(refresh_tokens::session_id)
            .into_boxed::<diesel::pg::Pg>();
        let _: Option<SessionId> = sessions::table
            .filter(sessions::id.eq_any(session))
            .select(sessions::id)
            .for_update()
            .first(c)
            .optional()?;
    }
    Ok(())
}
