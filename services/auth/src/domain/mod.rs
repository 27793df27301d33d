//! Parsed types and pure rules.

pub mod email;
pub mod email_domain;
pub mod id_token;
pub mod ids;
pub mod opaque_token;
pub mod password;
pub mod password_hash;
pub mod recovery_code;
pub mod session;
pub mod signing_key;
pub mod text;
pub mod throttle;
pub mod totp;
