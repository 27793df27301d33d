//! Whose account it is that somebody enters with an identity from elsewhere.

use super::user::{self, Registration, UserRow};
use super::{email_domain, identity, one_at_a_time};
use crate::Error;
use crate::domain::email::Email;
use crate::domain::id_token::Identity;
use crate::domain::password_hash;
use callfairy_core::{ErrorCode, Problem, Timestamp, UserId};
use db::Db;

/// Somebody whom an issuer knows.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub issuer: String,
    pub identity: Identity,
    pub email: Email,
}

/// How a visitor stands to the accounts.
#[derive(Debug)]
pub enum Standing {
    /// They have been here before.
    Known(UserRow),
    /// The first time, and the owner of an account has confirmed the same address.
    Joining(UserRow),
    /// The first time, and somebody has registered the same address, which nobody has confirmed.
    ///
    /// It may be a trap: whoever registered it, with a password of their own, waits for the owner of the address to come
    /// by another door and use the account with them. To join it would be their success; to refuse it would let anybody
    /// keep the owner out. So the owner takes it over, as by following the link of a registration of their own: what was
    /// written before, the password above all, is gone, and an unconfirmed account has no sessions, codes or identities.
    TakingOver(UserRow),
    /// Nobody has this address.
    New,
}

/// Why somebody whom the issuer knows is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Domain,
    Deactivated(UserId),
    /// The account of this address is somebody else's at the same issuer, who had the address before. Addresses are given
    /// to new people; accounts are not.
    AnotherIdentity(UserId),
}

impl Refused {
    /// As the audit log names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain_not_allowed",
            Self::Deactivated(_) => "deactivated",
            Self::AnotherIdentity(_) => "another_identity",
        }
    }

    /// Whose account it would have been.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::Domain => None,
            Self::Deactivated(user) | Self::AnotherIdentity(user) => Some(user),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Domain => Self::new(ErrorCode::PermissionDenied, "addresses of this domain are not let in here"),
            Refused::Deactivated(_) | Refused::AnotherIdentity(_) => {
                Self::new(ErrorCode::InvalidCredentials, "this account of Google's cannot sign in here")
            }
        }
    }
}

impl Standing {
    pub fn user(&self) -> Option<&UserRow> {
        match self {
            Self::Known(user) | Self::Joining(user) | Self::TakingOver(user) => Some(user),
            Self::New => None,
        }
    }
}

impl Visitor {
    pub fn new(issuer: &str, identity: Identity) -> Result<Self, Problem> {
        let email = Email::parse(&identity.email)?;
        Ok(Self { issuer: issuer.to_owned(), identity, email })
    }

    pub fn standing(&self, db: &mut Db) -> Result<Result<Standing, Refused>, Error> {
        if !email_domain::allows(db, &self.email)? {
            return Ok(Err(Refused::Domain));
        }
        if let Some(known) = self.known(db)? {
            return Ok(known);
        }
        let Some(user) = user::find_by_email(db, &self.email.folded)? else { return Ok(Ok(Standing::New)) };
        let id = user.id.0;
        if !user.is_active {
            return Ok(Err(Refused::Deactivated(id)));
        }
        if identity::has_one(db, &self.issuer, id)? {
            // It may be the visitor's own, since a moment ago.
            return Ok(self.known(db)?.unwrap_or(Err(Refused::AnotherIdentity(id))));
        }
        Ok(Ok(if user.is_verified() { Standing::Joining(user) } else { Standing::TakingOver(user) }))
    }

    fn known(&self, db: &mut Db) -> Result<Option<Result<Standing, Refused>>, Error> {
        let user = identity::find(db, &self.issuer, &self.identity.subject)?;
        let standing = |user: UserRow| {
            if user.counts() { Ok(Standing::Known(user)) } else { Err(Refused::Deactivated(user.id.0)) }
        };
        Ok(user.map(standing))
    }

    /// As [`Self::standing`], until the transaction ends.
    pub fn lasting_standing(&self, db: &mut Db) -> Result<Result<Standing, Refused>, Error> {
        one_at_a_time(db, &format!("identity {} {}", self.issuer, self.identity.subject))?;
        if let Ok(standing) = self.standing(db)?
            && let Some(user) = standing.user()
        {
            user::lock(db, user.id.0)?;
        }
        // What has changed before the row was held is seen now.
        self.standing(db)
    }

    /// Makes the account the visitor's, from now on. `None` if another one has registered the address in this moment.
    pub fn admit(&self, db: &mut Db, standing: Standing, now: Timestamp) -> Result<Option<UserRow>, Error> {
        let user = match standing {
            Standing::Known(user) => return Ok(Some(user)),
            Standing::Joining(user) => user,
            Standing::TakingOver(user) => {
                user::verify(db, user.id.0, &user.email, Some(self.registration()), now)?;
                user::find(db, user.id.0)?.ok_or_else(|| Error::Defect("an account that is held is gone".to_owned()))?
            }
            Standing::New => {
                let mut user = UserRow::new(&self.email, &self.registration(), now);
                user.email_verified_at = Some(db::Sql(now));
                if !user::insert(db, &user)? {
                    return Ok(None);
                }
                user::report(db, user.id.0)?;
                user
            }
        };
        identity::add(db, &self.issuer, &self.identity.subject, user.id.0, now)?;
        Ok(Some(user))
    }

    /// Without a password: one can be set with a link, as when it is forgotten.
    fn registration(&self) -> Registration {
        Registration {
            name: self.identity.name.clone(),
            company: None,
            job_title: None,
            phone: None,
            password_hash: password_hash::DUMMY.to_owned(),
        }
    }
}
