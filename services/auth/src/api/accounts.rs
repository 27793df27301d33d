//! Registering, and proving that an address is one's own.

use super::State;
use crate::Error;
use crate::domain::email::{self, Email};
use crate::domain::opaque_token::{self, Hash, Kind};
use crate::domain::password::{self, About};
use crate::domain::text::{line, optional_line};
use crate::store::email_domain;
use crate::store::link::{Asked, Sending, Wanted};
use crate::store::mail::MailKind;
use crate::store::single_use_token::{self, Purpose, Use};
use crate::store::user::{self, Registration, UserRow};
use access::Call;
use audit::{Action, Actor, Entry, Subject};
use callfairy_core::{ErrorCode, OnceKey, Problem, Secret, Timestamp};
use db::{Db, idempotency};
use prost::Message;
use proto::auth::RegisterRequest;
use proto::rpc::accounts::{Register, ResendVerification, VerifyEmail};
use proto::types::Detail;

pub struct Accounts(State);

impl Accounts {
    pub fn new(state: State) -> Self {
        Self(state)
    }
}

impl access::Accounts for Accounts {
    async fn register(&self, call: Call<Register>) -> Result<Detail, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let (key, trace) = (call.idempotency_key().map(str::to_owned), call.trace().clone());
        let request_hash = state.vault.fingerprint(&call.request.encode_to_vec())?;
        let entry = Entry::of(&call, Action::UserRegistered);
        let Applicant { email, password, name, company, job_title, phone } = Applicant::parse(call.request)?;
        let address = email.clone();
        let may = state.pool.read(move |db| Ok::<_, Error>(email_domain::allows(db, &address)?)).await?;
        if !may {
            // Of the domain alone, so it tells nothing of accounts.
            return Err(Problem::field("email", "is of a domain whose addresses may not register here"));
        }
        // Before any account is looked up, so that it takes as long for a known address.
        let password_hash = state.hasher.hash(password).await?;
        let registration = Registration { name, company, job_title, phone, password_hash };
        let (token, vault) = (opaque_token::generate(Kind::SingleUse)?, state.vault.clone());
        let once = OnceKey { scope: format!("register {}", email.folded), key, request_hash };
        let register = state.pool.write(move |db| {
            idempotency::answer(db, &once, now, |db| {
                let sending = Sending { vault: &vault, token: &token, trace: &trace, now };
                take_in(db, &sending, &email, &registration, &entry)?;
                Ok::<_, Error>(on_its_way())
            })
        });
        Ok(register.await?)
    }

    async fn verify_email(&self, call: Call<VerifyEmail>) -> Result<Detail, Problem> {
        let (state, now) = (&self.0, self.0.clock.now());
        let hash = opaque_token::read(Kind::SingleUse, &call.request.token).ok_or_else(unknown_token)?;
        let entry = Entry::of(&call, Action::EmailVerified);
        let verified = state.pool.write(move |db| verify(db, &hash, &entry, now)).await?;
        if let Some(user) = verified {
            tracing::info!(user = %user.id, "address verified");
            state.tell(user.id.0).await;
        }
        Ok(Detail { detail: "The address is confirmed. You can sign in now.".to_owned() })
    }

    async fn resend_verification(&self, call: Call<ResendVerification>) -> Result<Detail, Problem> {
        let asked = Asked { address: email::fold(&call.request.email), wanted: Wanted::Verification };
        self.0.ask_for_link(asked, call.trace()).await?;
        Ok(on_its_way())
    }
}

/// Whoever registers, with fields that are well-formed.
struct Applicant {
    email: Email,
    password: Secret,
    name: String,
    company: Option<String>,
    job_title: Option<String>,
    phone: Option<String>,
}

impl Applicant {
    fn parse(request: RegisterRequest) -> Result<Self, Problem> {
        let email = Email::parse(&request.email)?;
        let password = Secret::new(request.password);
        let name = line("name", &request.name)?;
        let optional = |field, text: Option<String>| optional_line(field, text.as_deref().unwrap_or_default());
        let company = optional("company", request.company)?;
        let about = About { email: &email, name: &name, company: company.as_deref() };
        password::check("password", password.expose(), about)?;
        Ok(Self {
            email,
            password,
            company,
            job_title: optional("job_title", request.job_title)?,
            phone: optional("phone", request.phone)?,
            name,
        })
    }
}

/// A new account, one more mail for an unverified one, or a hint to the owner of a verified one.
///
/// Whoever registers an address may be anybody, so each link carries what was written with it: of two people who
/// registered the same address, the one whose link is followed is the one whose password counts.
fn take_in(
    db: &mut Db,
    sending: &Sending<'_>,
    email: &Email,
    registration: &Registration,
    entry: &Entry,
) -> Result<(), Error> {
    let new = UserRow::new(email, registration, sending.now);
    let user = if user::insert(db, &new)? {
        audit::record(db, &entry.clone().about(Subject::User, new.id.0), sending.now)?;
        new
    } else {
        let known = user::find_by_email(db, &email.folded)?;
        known.ok_or_else(|| Error::Defect("an address is taken by nobody".to_owned()))?
    };
    if user.is_verified() {
        return sending.mail(db, &user, MailKind::AlreadyRegistered, None);
    }
    sending.verification(db, &user, Some(registration.clone()))
}

/// The account, if it is verified by this and was not before.
fn verify(db: &mut Db, hash: &Hash, entry: &Entry, now: Timestamp) -> Result<Option<UserRow>, Error> {
    let (id, email_folded, registration) = match single_use_token::use_up(db, hash, Purpose::Verification, now)? {
        Use::Good { user, email_folded, registration } => (user, email_folded, registration),
        Use::Gone => return Err(gone().into()),
        Use::Unknown => return Err(unknown_token().into()),
    };
    let user = user::find(db, id)?.filter(|user| user.email_folded == email_folded).ok_or_else(gone)?;
    if !user::verify(db, id, &user.email, registration, now)? {
        return Ok(None);
    }
    audit::record(db, &entry.clone().by(Actor::User(id)).about(Subject::User, id), now)?;
    Ok(user::find(db, id)?)
}

/// The same whether or not the address is known.
fn on_its_way() -> Detail {
    Detail { detail: "If this address can be confirmed, a mail with a link is on its way to it.".to_owned() }
}

pub(super) fn gone() -> Problem {
    Problem::new(ErrorCode::Gone, "this link was used before, or is too old")
}

pub(super) fn unknown_token() -> Problem {
    Problem::field("token", "is not a token that was mailed")
}
