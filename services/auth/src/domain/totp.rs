//! Codes of authenticator apps: TOTP (RFC 6238) as every app knows it, with SHA-1, 30 seconds and six digits.

use crate::Error;
use callfairy_core::{ErrorCode, Problem, Secret, Timestamp};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Wrong codes in succession.
pub const MAX_TRIES: i32 = 5;
/// After so many, no code is looked at for this long.
pub const PAUSE: Duration = Duration::from_mins(15);

/// Bytes of a secret: as many as SHA-1 gives (RFC 4226).
const LENGTH: usize = 20;
/// Seconds that a code is shown.
const PERIOD: i64 = 30;
const DIGITS: u32 = 6;
/// Who the app says that the code is for.
const ISSUER: &str = "CallFairy";

/// What the app and we have in common.
pub struct TotpSecret(Zeroizing<[u8; LENGTH]>);

impl TotpSecret {
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0_u8; LENGTH]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As people type it.
    pub fn base32(&self) -> Secret {
        Secret::new(BASE32_NOPAD.encode(self.bytes()))
    }

    /// All that an app must know.
    pub fn provisioning_uri(&self, email: &str) -> Result<Secret, Error> {
        let defect = |why: &str| Error::Defect(format!("a provisioning address cannot be made: {why}"));
        let mut uri = Url::parse("otpauth://totp/").map_err(|error| defect(&error.to_string()))?;
        let label = format!("{ISSUER}:{email}");
        uri.path_segments_mut().map_err(|()| defect("it has no path"))?.pop_if_empty().push(&label);
        uri.query_pairs_mut()
            .append_pair("secret", self.base32().expose())
            .append_pair("issuer", ISSUER)
            .append_pair("algorithm", "SHA1")
            .append_pair("digits", &DIGITS.to_string())
            .append_pair("period", &PERIOD.to_string());
        Ok(Secret::new(uri.as_str()))
    }

    /// The time step whose code this is: now's or the one before, for clocks that lag and fingers that are slow.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Result<Option<i64>, Error> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let well_formed = digits.len() == DIGITS as usize && digits.bytes().all(|c| c.is_ascii_digit());
        let Some(given) = well_formed.then(|| digits.parse::<u32>().ok()).flatten() else { return Ok(None) };
        let current = now.get().as_second().div_euclid(PERIOD);
        for step in [current, current - 1] {
            if hotp(self.bytes(), step, DIGITS)? == given {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }
}

/// The code of a counter (RFC 4226, 5.3).
fn hotp(secret: &[u8], counter: i64, digits: u32) -> Result<u32, Error> {
    let mac = Hmac::<Sha1>::new_from_slice(secret).map_err(|error| Error::Defect(error.to_string()))?;
    let mut mac = mac;
    mac.update(&counter.to_be_bytes());
    let hash: [u8; LENGTH] = mac.finalize().into_bytes().into();
    let offset = usize::from(hash[LENGTH - 1] & 0x0f);
    let four = [hash[offset] & 0x7f, hash[offset + 1], hash[offset + 2], hash[offset + 3]];
    Ok(u32::from_be_bytes(four) % 10_u32.pow(digits))
}

/// What somebody shows beside the password.
#[derive(Debug, Clone)]
pub enum Proof {
    Code(Secret),
    RecoveryCode(Secret),
}

impl Proof {
    /// At most one of the two.
    pub fn read(code: Option<String>, recovery_code: Option<String>) -> Result<Option<Self>, Problem> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty()).map(Secret::new);
        match (given(code), given(recovery_code)) {
            (None, None) => Ok(None),
            (Some(code), None) => Ok(Some(Self::Code(code))),
            (None, Some(code)) => Ok(Some(Self::RecoveryCode(code))),
            (Some(_), Some(_)) => Err(Problem::field("recovery_code", "goes instead of the app's code, not beside it")),
        }
    }
}

/// How long no code is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused(pub Duration);

impl From<Paused> for Problem {
    fn from(Paused(pause): Paused) -> Self {
        let why = "too many wrong codes: wait before you try another";
        Self { retry_after: Some(pause), ..Self::new(ErrorCode::TooManyRequests, why) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH.plus(Duration::from_secs(seconds))
    }

    /// That of the RFC's appendix B.
    fn rfc_6238() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    /// RFC 6238, appendix B, for SHA-1.
    const VECTORS: [(u64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    #[test]
    fn agrees_with_the_rfc() {
        for (seconds, code) in VECTORS {
            let step = i64::try_from(seconds).unwrap() / PERIOD;
            assert_eq!(hotp(rfc_6238().bytes(), step, 8).unwrap(), code, "{seconds}");
            let six = format!("{:06}", code % 1_000_000);
            assert_eq!(rfc_6238().step_of(&six, at(seconds)).unwrap(), Some(step), "{seconds}");
        }
    }

    #[test]
    fn one_step_back_is_allowed_and_none_ahead() {
        let (secret, step) = (rfc_6238(), 1_000_000);
        let code = format!("{:06}", hotp(secret.bytes(), step, DIGITS).unwrap());
        let begins = u64::try_from(step * PERIOD).unwrap();
        let step_at = |seconds: u64| secret.step_of(&code, at(seconds)).unwrap();
        assert_eq!(step_at(begins - 1), None);
        assert_eq!(step_at(begins), Some(step));
        assert_eq!(step_at(begins + 59), Some(step));
        assert_eq!(step_at(begins + 60), None);
    }

    #[test]
    fn reads_six_digits_and_nothing_else() {
        let code = |text: &str| rfc_6238().step_of(text, at(59)).unwrap();
        assert_eq!(code("287082"), Some(1));
        assert_eq!(code(" 287 082 "), Some(1));
        for wrong in ["", "94287082", "28708", "+28708", "287082a", "２８７０８２", "287083"] {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_address_tells_the_app_all() {
        let uri = rfc_6238().provisioning_uri("ada+1?#/é@example.com").unwrap();
        let expected = "otpauth://totp/CallFairy:ada+1%3F%23%2F%C3%A9@example.com\
                        ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=CallFairy&algorithm=SHA1&digits=6&period=30";
        assert_eq!(uri.expose(), expected);
    }

    #[test]
    fn one_proof_is_enough() {
        let read = |code: &str, recovery: &str| Proof::read(Some(code.to_owned()), Some(recovery.to_owned()));
        assert!(matches!(read("1", ""), Ok(Some(Proof::Code(_)))));
        assert!(matches!(read(" ", "1"), Ok(Some(Proof::RecoveryCode(_)))));
        assert!(matches!(Proof::read(None, None), Ok(None)));
        assert_eq!(read("1", "2").unwrap_err().fields[0].field, "recovery_code");
    }
}
