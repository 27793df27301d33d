//! Pure rules: no database, no network, no clock.

pub mod access;
pub mod api_key;
pub mod chain;
pub mod country;
pub mod email;
pub mod explanation;
pub mod grants;
pub mod settings;
pub mod text;
