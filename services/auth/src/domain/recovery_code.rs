//! Codes that sign in once when the authenticator app is lost.

use super::opaque_token::{self, Hash};
use crate::Error;
use callfairy_core::Secret;
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// Codes that somebody is given.
pub const COUNT: usize = 10;
/// Bytes of randomness in each: enough that no slow hash is needed.
const LENGTH: usize = 10;
/// Characters between hyphens.
const GROUP: usize = 4;

/// A new code, in groups that people can copy: `abcd-efgh-ijkl-mnop`.
pub fn generate() -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0_u8; LENGTH]);
    getrandom::fill(bytes.as_mut_slice())?;
    let text = Zeroizing::new(BASE32_NOPAD.encode(bytes.as_slice()).to_lowercase());
    let mut code = String::with_capacity(text.len() + text.len() / GROUP);
    for (index, c) in text.chars().enumerate() {
        if index > 0 && index % GROUP == 0 {
            code.push('-');
        }
        code.push(c);
    }
    Ok(Secret::new(code))
}

/// The same for every way to write the code: case, hyphens and spaces do not count.
pub fn hash(code: &str) -> Hash {
    let plain = |c: &char| !c.is_whitespace() && *c != '-';
    let code: Zeroizing<String> = Zeroizing::new(code.chars().filter(plain).flat_map(char::to_lowercase).collect());
    opaque_token::hash(&code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn is_known_however_it_is_written() {
        let code = generate().unwrap();
        let code = code.expose();
        assert_eq!((code.len(), code.matches('-').count()), (19, 3), "{code}");
        for written in [code.to_uppercase(), code.replace('-', ""), format!(" {} ", code.replace('-', " "))] {
            assert_eq!(hash(&written), hash(code), "{written}");
        }
        assert_ne!(hash(generate().unwrap().expose()), hash(code));
    }
}
