//! Hashes of passwords: our own, and those that came with imported accounts.

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::Sha256;
use subtle::ConstantTimeEq;

pub const MEMORY_KIB: u32 = 19_456;
pub const ITERATIONS: u32 = 2;
pub const LANES: u32 = 1;
/// Verified when there is no account, so that an unknown address costs what a known one does. No password has it.
pub const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$+Q2m0qC8S8nYIVqSQnCkzrgnXB5U9uhSeVQ0aWYqFbY";
/// No password has this hash either: whoever it belongs to has to set one.
pub const NONE: &str = "!";

/// Of a hash that came from elsewhere: what a sign-in may cost at most. Django's own default is a million.
const MAX_FOREIGN_ROUNDS: u32 = 4_000_000;
const MAX_FOREIGN_MEMORY_KIB: u32 = 131_072;
const MAX_FOREIGN_ITERATIONS: u32 = 16;
const PBKDF2_SHA256_BYTES: usize = 32;

/// The hash is none that can be verified here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HashError(String);

/// The form in which a hash of Django's is kept: `pbkdf2_sha256$…` as it is, `argon2$argon2id$…` without Django's prefix,
/// an unusable one (`!…`) or none as [`NONE`].
pub fn of_django(text: &str) -> Result<String, HashError> {
    if text.is_empty() || text.starts_with('!') {
        return Ok(NONE.to_owned());
    }
    let kept = text.strip_prefix("argon2").filter(|rest| rest.starts_with("$argon2id$")).unwrap_or(text);
    Parsed::read(kept).map(|_| kept.to_owned())
}

/// What one hash works in: 19 MiB once it was used, and kept for the next. Given back after each, an allocator would keep
/// such a piece for each thread that ever hashed.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn fill(&mut self, params: &Params, password: &[u8], salt: &[u8], version: Version) -> Result<Output, HashError> {
        let (own, count) = (usize::try_from(MEMORY_KIB).unwrap_or(usize::MAX), params.block_count());
        self.0.resize(count.max(own), Block::new());
        let mut output = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = output.get_mut(..length).ok_or_else(|| defect("its output is too long"))?;
        let argon = Argon2::new(Algorithm::Argon2id, version, params.clone());
        argon.hash_password_into_with_memory(password, salt, output, &mut self.0).map_err(defect)?;
        // A hash from elsewhere may have needed more.
        self.0.truncate(own);
        self.0.shrink_to_fit();
        Output::new(output).map_err(defect)
    }
}

/// The password's hash as a PHC string.
pub fn hash(password: &[u8], memory: &mut Memory) -> Result<String, HashError> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).map_err(defect)?;
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt).map_err(defect)?;
    let salt = Salt::new(&salt).map_err(defect)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(defect)?,
        salt: Some(salt),
        hash: Some(memory.fill(&params, password, &salt, Version::V0x13)?),
    };
    Ok(hash.to_string())
}

/// Whether the password has this hash.
pub fn verify(password: &[u8], hash: &str, memory: &mut Memory) -> Result<bool, HashError> {
    match Parsed::read(hash)? {
        Parsed::None => Ok(false),
        Parsed::Argon2id(hash) => {
            let params = Params::try_from(&*hash).map_err(defect)?;
            let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(defect)?;
            let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(defect("it is not whole")) };
            let computed = memory.fill(&params, password, salt, version)?;
            Ok(computed.as_bytes().ct_eq(expected.as_bytes()).into())
        }
        Parsed::Pbkdf2 { rounds, salt, hash } => {
            let mut computed = [0; PBKDF2_SHA256_BYTES];
            pbkdf2::pbkdf2_hmac::<Sha256>(password, salt.as_bytes(), rounds, &mut computed);
            Ok(computed.ct_eq(&hash).into())
        }
    }
}

/// Whether it costs less to guess than one that is made today: to be made anew when its password is known.
pub fn is_outdated(hash: &str) -> bool {
    match Parsed::read(hash) {
        Ok(Parsed::Argon2id(hash)) => Params::try_from(&*hash).is_ok_and(|params| {
            params.m_cost() < MEMORY_KIB || params.t_cost() < ITERATIONS || hash.version != Some(0x13)
        }),
        Ok(Parsed::Pbkdf2 { .. }) => true,
        Ok(Parsed::None) | Err(_) => false,
    }
}

enum Parsed {
    None,
    Argon2id(Box<PasswordHash>),
    Pbkdf2 { rounds: u32, salt: String, hash: [u8; PBKDF2_SHA256_BYTES] },
}

impl Parsed {
    fn read(text: &str) -> Result<Self, HashError> {
        let refused = |why: &str| HashError(why.to_owned());
        if text == NONE {
            return Ok(Self::None);
        }
        let Some(pbkdf2) = text.strip_prefix("pbkdf2_sha256$") else {
            let hash = PasswordHash::new(text).map_err(|_| refused("is no hash that is known here"))?;
            let params = Params::try_from(&hash).map_err(|_| refused("is no hash of Argon2"))?;
            if hash.algorithm.as_str() != "argon2id" {
                return Err(refused("is no hash of Argon2id"));
            }
            if params.m_cost() > MAX_FOREIGN_MEMORY_KIB || params.t_cost() > MAX_FOREIGN_ITERATIONS {
                return Err(refused("costs too much to verify"));
            }
            return Ok(Self::Argon2id(Box::new(hash)));
        };
        let mut parts = pbkdf2.split('$');
        let (Some(rounds), Some(salt), Some(hash), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused("is not pbkdf2_sha256$<iterations>$<salt>$<hash>"));
        };
        let rounds = rounds.parse().ok().filter(|rounds| (1..=MAX_FOREIGN_ROUNDS).contains(rounds));
        let rounds = rounds.ok_or_else(|| refused("has no number of iterations that can be verified"))?;
        let hash = BASE64_STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or_else(|| refused("does not end in 32 bytes as base64"))?;
        Ok(Self::Pbkdf2 { rounds, salt: salt.to_owned(), hash })
    }
}

fn defect(error: impl std::fmt::Display) -> HashError {
    HashError(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hash(password: &[u8]) -> Result<String, HashError> {
        super::hash(password, &mut Memory::default())
    }

    fn verify(password: &[u8], hash: &str) -> Result<bool, HashError> {
        super::verify(password, hash, &mut Memory::default())
    }

    /// Made with Python's hashlib, in the form that Django writes.
    const DJANGO: &str = "pbkdf2_sha256$1000$salt1234salt$YdQaeYckK+2YJ/w56k0546sGBqij8KvCy5rHpJymDis=";
    const DJANGO_UNICODE: &str = "pbkdf2_sha256$600000$Zk3rTqO9aLw2$LQmfPN0pbrLOV9HQ+jECKgOyg7AerX0E8mNqn3EYJVA=";

    #[test]
    fn verifies_what_django_hashed() {
        assert_eq!(of_django(DJANGO).as_deref(), Ok(DJANGO));
        assert_eq!(verify(b"plain blue teapots sing", DJANGO), Ok(true));
        assert_eq!(verify(b"plain blue teapots sinG", DJANGO), Ok(false));
        assert_eq!(verify("grüne Töpfe singen".as_bytes(), DJANGO_UNICODE), Ok(true));
        assert!(is_outdated(DJANGO));
    }

    #[test]
    fn keeps_argon2_without_djangos_prefix() {
        let ours = hash(b"plain blue teapots sing").unwrap();
        assert_eq!(of_django(&format!("argon2{ours}")), Ok(ours.clone()));
        assert_eq!((verify(b"plain blue teapots sing", &ours), is_outdated(&ours)), (Ok(true), false));
        // RFC 9106's reference implementation, with less memory.
        let weak = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!((verify(b"password", weak), is_outdated(weak)), (Ok(true), true));
    }

    #[test]
    fn nobody_has_an_unusable_password() {
        for unusable in ["", "!", "!kFbW8uEJ2dCnLrM"] {
            assert_eq!(of_django(unusable).as_deref(), Ok(NONE));
        }
        assert_eq!((verify(b"!", NONE), verify(b"", NONE), is_outdated(NONE)), (Ok(false), Ok(false), false));
    }

    #[test]
    fn refuses_what_cannot_be_verified() {
        for bad in [
            "md5$salt$hash",
            "plain text",
            "pbkdf2_sha256$0$salt$YdQaeYckK+2YJ/w56k0546sGBqij8KvCy5rHpJymDis=",
            "pbkdf2_sha256$4000001$salt$YdQaeYckK+2YJ/w56k0546sGBqij8KvCy5rHpJymDis=",
            "pbkdf2_sha256$1000$salt$short",
            "pbkdf2_sha256$1000$salt",
            "pbkdf2_sha256$1000$salt$YdQaeYckK+2YJ/w56k0546sGBqij8KvCy5rHpJymDis=$",
            "$argon2id$v=19$m=1000000,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ] {
            assert!(of_django(bad).is_err(), "{bad}");
        }
    }
}
