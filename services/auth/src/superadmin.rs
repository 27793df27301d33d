//! Superadmins that are made from outside: the first one at the first start, others by the command line.

use crate::Error;
use crate::domain::email::Email;
use crate::domain::password;
use crate::hasher::{Hasher, MAX_WAIT};
use crate::store::one_at_a_time;
use crate::store::user::{self, Registration, UserRow};
use audit::{Action, Actor, Entry, Subject};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Problem, Secret, Timestamp, UserId};
use db::{Db, Pool, Sql};
use runtime::config::Superadmin;
use zeroize::Zeroizing;

/// The name that the first superadmin has.
const NAME: &str = "Superadmin";
/// Bytes of a random password, which has four characters for three of them.
const PASSWORD_BYTES: usize = 18;

/// The superadmin that a first start has made.
#[derive(Debug)]
pub struct FirstSuperadmin {
    pub email: String,
    /// Only if it is random: to be shown once. One that was configured is known.
    pub password: Option<Secret>,
}

impl FirstSuperadmin {
    /// What to show to whoever started the program, and nowhere else: it holds the random password.
    pub fn notice(&self) -> String {
        match &self.password {
            Some(password) => {
                let password = password.expose();
                format!("The first superadmin: {}, password {password} (shown this once)", self.email)
            }
            None => format!("The first superadmin: {}, with the configured password", self.email),
        }
    }
}

/// Makes a superadmin if there is none, with an address that counts as verified. Of several starts at one time one
/// makes it; the others, and all later starts, answer `None`.
pub async fn first_superadmin(
    pool: &Pool,
    wanted: &Superadmin,
    now: Timestamp,
) -> Result<Option<FirstSuperadmin>, Error> {
    if pool.read(|db| Ok::<_, Error>(user::has_superadmin(db)?)).await? {
        return Ok(None);
    }
    let setting = |name| move |problem: Problem| Error::Setting { name, why: problem.detail };
    let email = Email::parse(&wanted.email).map_err(setting("CALLFAIRY_SUPERADMIN_EMAIL"))?;
    let random = if wanted.password.is_some() { None } else { Some(random_password()?) };
    if let Some(password) = &wanted.password {
        let about = password::About { email: &email, name: "", company: None };
        password::check("password", password.expose(), about).map_err(setting("CALLFAIRY_SUPERADMIN_PASSWORD"))?;
    }
    let password = wanted.password.clone().or_else(|| random.clone()).unwrap_or_default();
    let row = row(&email, NAME, password, now).await?;
    let made = pool.write(move |db| {
        one_at_a_time(db, "first superadmin")?;
        if user::has_superadmin(db)? {
            return Ok(false);
        }
        if !user::insert(db, &row)? {
            let why = "this address belongs to an account that is no superadmin: choose another".to_owned();
            return Err(Error::Setting { name: "CALLFAIRY_SUPERADMIN_EMAIL", why });
        }
        announce(db, &row, now)?;
        Ok(true)
    });
    let made = made.await?;
    if made {
        tracing::info!("made the first superadmin");
    }
    Ok(made.then_some(FirstSuperadmin { email: email.given, password: random }))
}

/// Makes a superadmin whose address counts as verified. `conflict` if the address has an account; the problem of a
/// refused address, name or password names the field. tenancy hears of it from a running auth within seconds.
pub async fn create_superadmin(
    pool: &Pool,
    email: &str,
    name: &str,
    password: Secret,
    now: Timestamp,
) -> Result<UserId, Error> {
    let email = Email::parse(email)?;
    let name = name.trim();
    if name.is_empty() {
        return Err(Problem::field("name", "is required").into());
    }
    password::check("password", password.expose(), password::About { email: &email, name, company: None })?;
    let row = row(&email, name, password, now).await?;
    let write = pool.write(move |db| {
        if !user::insert(db, &row)? {
            return Err(Error::Problem(Problem::conflict("this address has an account")));
        }
        announce(db, &row, now)?;
        Ok(row.id.0)
    });
    write.await
}

/// To the authority on access, and to the audit log.
fn announce(db: &mut Db, row: &UserRow, now: Timestamp) -> Result<(), Error> {
    user::report(db, row.id.0)?;
    let entry = Entry::new(Actor::System, Action::SuperadminMade).about(Subject::User, row.id.0);
    Ok(audit::record(db, &entry, now)?)
}

async fn row(email: &Email, name: &str, password: Secret, now: Timestamp) -> Result<UserRow, Error> {
    let password_hash = Hasher::new(1, MAX_WAIT).hash(password).await?;
    let registration =
        Registration { name: name.to_owned(), company: None, job_title: None, phone: None, password_hash };
    let mut row = UserRow::new(email, &registration, now);
    row.is_superadmin = true;
    row.email_verified_at = Some(Sql(now));
    Ok(row)
}

fn random_password() -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0_u8; PASSWORD_BYTES]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
