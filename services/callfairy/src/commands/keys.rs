//! `callfairy keys rotate`.

use callfairy_core::{Clock, SystemClock};
use runtime::{BoxError, Service, Settings};

/// Makes the key that signs access tokens next, in auth's database, beside a running auth or without one.
pub async fn rotate(settings: &Settings) -> Result<(), BoxError> {
    let pool = db::Pool::open(settings.database(Service::Auth).expose(), Service::Auth.name(), 1)?;
    let next = auth::rotate_signing_key(&pool, settings.master_keys()?, SystemClock.now()).await?;
    println!("{}  {}", if next.is_new { "made" } else { "made a moment ago" }, next.kid);
    println!("signs from  {}", next.signs_from);
    Ok(())
}
