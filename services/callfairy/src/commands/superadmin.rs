//! `callfairy superadmin create`.

use crate::cli::SuperadminArgs;
use callfairy_core::{Clock, Secret, SystemClock};
use runtime::{BoxError, Service, Settings};

/// Bytes of a password that is made up.
const PASSWORD_BYTES: usize = 12;

/// Makes a superadmin in auth's database, beside a running auth or without one.
pub async fn create(settings: &Settings, arguments: SuperadminArgs) -> Result<(), BoxError> {
    let SuperadminArgs { email, name } = arguments;
    let (given, now) = (settings.superadmin.password.clone(), SystemClock.now());
    let password = match &given {
        Some(password) => password.clone(),
        None => made_up()?,
    };
    let pool = db::Pool::open(settings.database(Service::Auth).expose(), Service::Auth.name(), 1)?;
    auth::create_superadmin(&pool, &email, &name, password.clone(), now).await?;
    println!("superadmin  {email}");
    if given.is_none() {
        println!("password    {}   (shown this once)", password.expose());
    }
    Ok(())
}

fn made_up() -> Result<Secret, BoxError> {
    let mut bytes = [0; PASSWORD_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(hex::encode(bytes)))
}
