//! Users, credentials, sessions, signing keys.
//!
//! Owns: who has an account and how its owner proves it: passwords and the count of wrong ones, codes of authenticator
//! apps, accounts at Google, sessions with their refresh tokens, single-use tokens, the keys that sign access tokens, and
//! the mail that goes with them; which domains' addresses may make accounts. Refuses: what somebody may do. tenancy is
//! told of accounts and of sessions that ended ([`tenancy`]) and asked for roles; tokens carry identity only.
//!
//! To add an RPC: write it in `proto/callfairy/auth/v1`, build, and the compiler asks for its function in
//! `api`; its queries go to `store`, its rules to `domain`.

mod api;
mod config;
mod domain;
mod error;
mod google;
mod hasher;
mod import;
mod keys;
mod mail;
mod relay;
mod store;
mod superadmin;
mod tenancy;
mod vault;

pub use config::{Announce, Config};
pub use error::Error;
pub use import::{DjangoRole, DjangoUser, HashedPassword, UsersImported, import_users};
pub use keys::{NextKey, rotate_signing_key};
pub use superadmin::{FirstSuperadmin, create_superadmin, first_superadmin};

use crate::google::Google;
use crate::hasher::Hasher;
use crate::keys::{Signers, StoredKeys};
use crate::mail::{Letterhead, Mailer};
use crate::relay::Relay;
use crate::tenancy::Tenancy;
use crate::vault::Vault;
use access::Services;
use db::Pool;
use queue::QueueName;
use runtime::health::Health;
use runtime::{BoxError, Context, Listener, Service, Settings, Shutdown, Tasks, serve_grpc};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;

pub const MIGRATIONS: db::Migrations =
    db::migrations!("../../migrations/auth/postgres", "../../migrations/auth/sqlite");

/// auth as a program of its own: the other services over TCP, RabbitMQ.
pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let context = Context::remote("auth", &settings)?;
    let queue = queue::open(settings.amqp_url.as_ref(), &settings.queue_prefix)?;
    let listener = Listener::bind(settings.endpoints.auth.addr).await?;
    #[allow(clippy::print_stdout)] // a log is kept; this must not be
    let config = Config::new(&settings, context, queue)?.announcing(|first| println!("{}", first.notice()));
    serve(config, listener, shutdown).await
}

/// Runs auth until the shutdown. Refuses a schema that [`MIGRATIONS`] do not fit.
pub async fn serve(config: Config, listener: Listener, shutdown: Shutdown) -> Result<(), BoxError> {
    let Config { context, queue, .. } = config;
    let (url, schema) = (config.database_url.clone(), Service::Auth.name());
    tokio::task::spawn_blocking(move || db::check(url.expose(), schema, &MIGRATIONS)).await??;
    let pool = Pool::open(config.database_url.expose(), schema, config.pool_size)?;

    let clock = context.clock.clone();
    let first = first_superadmin(&pool, &config.superadmin, clock.now()).await?;
    if let (Some(first), Some(announce)) = (first, config.announce) {
        announce(first);
    }
    let (vault, now) = (Vault::new(config.master_keys), clock.now());
    let signers = Signers::open(pool.clone(), vault.clone(), now).await?;
    let google = Google::new(config.google, clock.clone())?;
    let keys = StoredKeys { pool: pool.clone(), clock: clock.clone() };
    let tenancy = Tenancy { client: context.clients.tenancy.clone(), identity: context.identity.clone() };
    let from = Letterhead::sender(&config.public_url)?;
    let mailer: Arc<dyn Mailer> = match &config.smtp_url {
        Some(url) => Arc::new(mail::Smtp::new(url)?),
        None => Arc::new(mail::Files::new(config.mail_directory)),
    };
    let sender = mail::Sender {
        pool: pool.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        letterhead: Arc::new(Letterhead { from, public_url: config.public_url }),
        mailer,
    };
    let state = api::State {
        pool: pool.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        hasher: Hasher::new(config.password_hashers, config.password_wait),
        signers,
        tenancy: tenancy.clone(),
    };
    let guard = context.guard_with(Arc::new(keys.clone()), context.snapshots());
    let services = Services::new(guard)
        .accounts(api::Accounts::new(state.clone()))
        .passwords(api::Passwords::new(state.clone()))
        .sessions(api::Sessions::new(state.clone()))
        .totp(api::Totp::new(state.clone()))
        .users(api::Users::new(state.clone()))
        .user_invitations(api::UserInvitations::new(state.clone()))
        .membership_mail(api::MembershipMail::new(state.clone()))
        .allowed_email_domains(api::AllowedEmailDomains::new(state.clone()))
        .google_sign_in(api::GoogleSignIn::new(state, google))
        .keys(api::Keys::new(keys));

    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("auth's outbox", {
        let (pool, stop) = (pool.clone(), shutdown.token());
        let trail = audit::Trail::new(context.clients.tenancy.clone(), context.identity.clone());
        let relay = Relay { queue: queue.clone(), tenancy, vault, clock: clock.clone() };
        async move {
            let publish = |rows| relay.clone().publish(pool.clone(), rows);
            db::outbox::relay(pool.clone(), stop, |rows| trail.publish_beside(rows, publish)).await;
            Ok::<_, Infallible>(())
        }
    });
    tasks.spawn("auth's queue", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        async move { queue.run(stop).await }
    });
    tasks.spawn("auth's mail", {
        let (queue, stop) = (queue.clone(), shutdown.token());
        let handle = move |message| sender.clone().handle(message);
        async move { queue.consume(QueueName::Mail, mail::AT_ONE_TIME, stop, handle).await }
    });
    tasks.spawn("auth's sweep", mail::sweep(pool.clone(), queue, shutdown.token()));
    tasks.spawn("auth's refusals", audit::refusals(pool.clone(), context.refusals.clone(), shutdown.token()));
    tasks.spawn("auth's purge", db::purge::run(pool.clone(), clock, shutdown.token(), store::purge::ALL));
    if let Some(address) = config.ops_addr {
        let ops = TcpListener::bind(address).await?;
        let health = Health::new().check("database", move || {
            let pool = pool.clone();
            async move { pool.ping().await }
        });
        tasks.spawn("auth's health", health.serve(ops, shutdown.clone()));
    }
    tasks.spawn("auth", serve_grpc(listener, services, shutdown));
    Ok(tasks.join().await?)
}
