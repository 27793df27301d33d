//! Pure rules: no database, no network, no clock.

pub mod packages;
