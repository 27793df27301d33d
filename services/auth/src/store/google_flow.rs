//! Browsers that were sent to Google. Each comes back once, and is known by its cookie.

use super::schema::google_flows;
use crate::Error;
use crate::domain::id_token::Identity;
use crate::domain::opaque_token::{self, Hash};
use crate::vault::{Place, Vault};
use callfairy_core::{Secret, Timestamp};
use db::{Db, Json, Sql, on};
use diesel::prelude::*;
use std::time::Duration;

/// How long somebody may take at Google, and to type a code after it.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// What goes out into the world.
pub struct NewFlow {
    pub state: Secret,
    pub browser: Secret,
    pub nonce: Secret,
    pub verifier: Secret,
}

/// What a browser shows when it comes back.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    pub state: Hash,
    pub browser: Hash,
}

/// What is kept for it.
pub struct Kept {
    pub nonce: Hash,
    pub verifier: Secret,
}

pub fn begin(db: &mut Db, vault: &Vault, flow: &NewFlow, now: Timestamp) -> Result<(), Error> {
    let hash = |token: &Secret| opaque_token::hash(token.expose());
    let state = hash(&flow.state);
    let row = (
        google_flows::state.eq(state.to_vec()),
        google_flows::browser.eq(hash(&flow.browser).to_vec()),
        google_flows::nonce.eq(hash(&flow.nonce).to_vec()),
        google_flows::verifier.eq(vault.seal(Place::Verifier(&state), flow.verifier.expose().as_bytes())?),
        google_flows::expires_at.eq(Sql(now.plus(LIFETIME))),
    );
    on!(db, |c| diesel::insert_into(google_flows::table).values(row).execute(c))?;
    Ok(())
}

/// Uses the state up. Of several answers at one time one is good; `None` for the others, for one that is too old, and for
/// another browser, whose try costs nothing.
pub fn use_up(db: &mut Db, vault: &Vault, shown: &Shown, now: Timestamp) -> Result<Option<Kept>, Error> {
    let unused = google_flows::table
        .find(shown.state.as_slice())
        .filter(google_flows::browser.eq(shown.browser.as_slice()))
        .filter(google_flows::used_at.is_null())
        .filter(google_flows::expires_at.gt(Sql(now)));
    let kept: Option<(Vec<u8>, Vec<u8>)> = on!(db, |c| diesel::update(unused)
        .set(google_flows::used_at.eq(Sql(now)))
        .returning((google_flows::nonce, google_flows::verifier))
        .get_result(c)
        .optional())?;
    let Some((nonce, sealed)) = kept else { return Ok(None) };
    let nonce = Hash::try_from(nonce).map_err(|_| Error::Defect("a nonce's hash has a wrong length".to_owned()))?;
    let verifier = vault.open(Place::Verifier(&shown.state), &sealed)?;
    let verifier = std::str::from_utf8(&verifier).map_err(|_| Error::Defect("a verifier is no text".to_owned()))?;
    Ok(Some(Kept { nonce, verifier: Secret::new(verifier) }))
}

/// It is known who it is; a code of their authenticator app is waited for.
pub fn wait_for_code(db: &mut Db, shown: &Shown, identity: &Identity) -> QueryResult<()> {
    let flow = google_flows::table.find(shown.state.as_slice());
    let known = google_flows::identity.eq(Some(Json(identity.clone())));
    on!(db, |c| diesel::update(flow).set(known).execute(c))?;
    Ok(())
}

/// Who it is of whom a code is waited for.
pub fn waiting(db: &mut Db, shown: &Shown, now: Timestamp) -> QueryResult<Option<Identity>> {
    let known: Option<Option<Json<Identity>>> = on!(db, |c| google_flows::table
        .find(shown.state.as_slice())
        .filter(google_flows::browser.eq(shown.browser.as_slice()))
        .filter(google_flows::expires_at.gt(Sql(now)))
        .select(google_flows::identity)
        .first(c)
        .optional())?;
    Ok(known.flatten().map(|json| json.0))
}

pub fn end(db: &mut Db, shown: &Shown) -> QueryResult<()> {
    on!(db, |c| diesel::delete(google_flows::table.find(shown.state.as_slice())).execute(c))?;
    Ok(())
}
