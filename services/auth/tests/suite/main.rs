//! auth through its RPCs, on SQLite in this process and on PostgreSQL over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod administering;
mod changing_passwords;
mod devices;
mod email_domains;
mod eml;
mod facts;
mod google;
mod google_flow;
mod importing;
mod inviting;
mod issuer;
mod key_rotation;
mod least_privilege;
mod mail_server;
mod mailing;
mod membership_mail;
mod passwords;
mod profile;
mod purging;
mod recording;
mod refreshing;
mod registering;
mod second_factor;
mod signing_in;
mod signing_out;
mod superadmins;
mod tenancy;
mod throttling;
mod tokens;
mod users;
mod verifying;
mod world;
