//! The second factor.

use super::{State, no_account};
use crate::Error;
use crate::domain::recovery_code;
use crate::domain::totp::{Proof, TotpSecret};
use crate::store::mail::{self, MailKind, NewMail};
use crate::store::totp::{self, Checked};
use crate::store::user::{self, UserRow};
use crate::vault::Vault;
use access::Call;
use audit::{Action, Entry, Subject};
use callfairy_core::{Problem, Secret, Timestamp, UserId};
use db::Db;
use proto::auth::{ConfirmTotpResponse, EnableTotpResponse};
use proto::rpc::totp::{ConfirmTotp, DisableTotp, EnableTotp};
use proto::types::Empty;
use qrcode::QrCode;
use qrcode::render::svg;
use std::collections::BTreeMap;

/// Pixels of the image's side, at least.
const QR_SIDE: u32 = 240;

pub struct Totp(State);

impl Totp {
    pub fn new(state: State) -> Self {
        Self(state)
    }
}

impl access::Totp for Totp {
    async fn enable_totp(&self, call: Call<EnableTotp>) -> Result<EnableTotpResponse, Problem> {
        let (state, caller) = (&self.0, call.user()?);
        let user = state.account(caller).await?;
        state.check_password(&user, "password", call.request.password).await?;
        let secret = TotpSecret::generate()?;
        let uri = secret.provisioning_uri(&user.email)?;
        let answer = EnableTotpResponse {
            secret: secret.base32().expose().to_owned(),
            qr_svg: qr_svg(&uri)?,
            provisioning_uri: uri.expose().to_owned(),
        };
        let vault = state.vault.clone();
        let begun = state.pool.write(move |db| {
            if locked(db, caller.id)?.has_totp() {
                return Err(Error::Problem(Problem::conflict("codes are asked for already: disable them first")));
            }
            totp::begin(db, &vault, caller.id, &secret)
        });
        begun.await?;
        Ok(answer)
    }

    async fn confirm_totp(&self, call: Call<ConfirmTotp>) -> Result<ConfirmTotpResponse, Problem> {
        let (state, id) = (&self.0, call.user()?.id);
        let changing = Changing { vault: state.vault.clone(), trace: call.trace().clone(), now: state.clock.now() };
        let entry = Entry::of(&call, Action::TotpEnabled).about(Subject::User, id);
        let proof = Proof::Code(Secret::new(call.request.code));
        let codes = (0..recovery_code::COUNT).map(|_| recovery_code::generate()).collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<_> = codes.iter().map(|code| recovery_code::hash(code.expose())).collect();
        let confirmed = state.pool.write(move |db| {
            let user = locked(db, id)?;
            if user.has_totp() || !totp::has_begun(db, id)? {
                return Err(Error::Problem(Problem::conflict("there is no new secret to confirm: enable codes first")));
            }
            if let Some(refusal) = changing.refusal(db, id, &proof)? {
                return Ok(Err(refusal));
            }
            totp::enable(db, id, &hashes, changing.now)?;
            changing.mail(db, &user, MailKind::TotpEnabled)?;
            audit::record(db, &entry, changing.now)?;
            Ok(Ok(()))
        });
        confirmed.await??;
        tracing::info!(user = %id, "second factor enabled");
        Ok(ConfirmTotpResponse { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() })
    }

    async fn disable_totp(&self, call: Call<DisableTotp>) -> Result<Empty, Problem> {
        let (state, caller) = (&self.0, call.user()?);
        let changing = Changing { vault: state.vault.clone(), trace: call.trace().clone(), now: state.clock.now() };
        let entry = Entry::of(&call, Action::TotpDisabled).about(Subject::User, caller.id);
        let recovery = Entry::of(&call, Action::RecoveryCodeUsed);
        let request = call.request;
        let proof = Proof::read(request.code, request.recovery_code)?;
        let proof = proof.ok_or_else(|| Problem::field("code", "is required, or a recovery code"))?;
        let user = state.account(caller).await?;
        state.check_password(&user, "password", request.password).await?;
        let id = caller.id;
        let disabled = state.pool.write(move |db| {
            let user = locked(db, id)?;
            if !user.has_totp() {
                return Err(Error::Problem(Problem::conflict("no codes are asked for")));
            }
            if let Some(refusal) = changing.refusal(db, id, &proof)? {
                return Ok(Err(refusal));
            }
            totp::disable(db, id, changing.now)?;
            changing.mail(db, &user, MailKind::TotpDisabled)?;
            if matches!(proof, Proof::RecoveryCode(_)) {
                audit::record(db, &recovery, changing.now)?;
            }
            audit::record(db, &entry, changing.now)?;
            Ok(Ok(()))
        });
        disabled.await??;
        tracing::info!(user = %id, "second factor disabled");
        Ok(Empty {})
    }
}

/// What the changes have in common.
struct Changing {
    vault: Vault,
    trace: BTreeMap<String, String>,
    now: Timestamp,
}

impl Changing {
    /// Why the proof is not good enough. Not an error, so that the count of wrong codes is kept.
    fn refusal(&self, db: &mut Db, id: UserId, proof: &Proof) -> Result<Option<Problem>, Error> {
        let field = match proof {
            Proof::Code(_) => "code",
            Proof::RecoveryCode(_) => "recovery_code",
        };
        Ok(match totp::check(db, &self.vault, id, proof, self.now)? {
            Checked::Good => None,
            Checked::Wrong => Some(Problem::field(field, "is wrong, or was used before")),
            Checked::Paused(pause) => Some(pause.into()),
        })
    }

    /// To the owner, who may not be who did it.
    fn mail(&self, db: &mut Db, user: &UserRow, kind: MailKind) -> Result<(), Error> {
        let mail = NewMail { recipient: &user.email, kind, token: None, trace: &self.trace };
        mail::add(db, &self.vault, &mail, self.now)?;
        Ok(())
    }
}

fn locked(db: &mut Db, id: UserId) -> Result<UserRow, Error> {
    Ok(user::lock(db, id)?.ok_or_else(no_account)?)
}

fn qr_svg(uri: &Secret) -> Result<String, Error> {
    let code =
        QrCode::new(uri.expose()).map_err(|error| Error::Defect(format!("a QR code cannot be made: {error}")))?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build())
}
