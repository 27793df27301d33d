//! auth as it runs, beside a stand-in for tenancy.

use crate::eml::Eml;
use crate::tenancy::Tenancy;
use access::{Client, LocalSlot, Meta, ServiceIdentity, Services};
use auth::{Config, FirstSuperadmin, MIGRATIONS};
use callfairy_core::{ErrorCode, Problem, Secret};
use db::Pool;
use db::diesel::{
    self, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};
use proto::Rpc;
use proto::auth::{LoginRequest, LogoutRequest, RefreshRequest, RegisterRequest, Tokens, User, VerifyEmailRequest};
use proto::rpc::accounts::{Register, VerifyEmail};
use proto::rpc::keys::ListSigningKeys;
use proto::rpc::sessions::{Login, Logout, Refresh};
use proto::rpc::users::GetMe;
use proto::types::Detail;
use queue::{Queue, RetryPolicy};
use runtime::config::Environment;
use runtime::{BoxError, Clients, Context, Listener, LocalSlots, Program, Settings, Shutdown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use testkit::{AuditLog, Database, FixedClock};
use tokio::task::JoinHandle;

/// Longer than anything here should take, however busy the machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
pub const PASSWORD: &str = "correct horse battery";
pub const SUPERADMIN: &str = "root@platform.example";
pub const SUPERADMIN_PASSWORD: &str = "violet-harbour-92-lantern";
const PUBLIC_URL: &str = "https://calls.example.com/app";

pub struct World {
    pub database: Database,
    pub pool: Pool,
    pub clock: FixedClock,
    pub tenancy: Tenancy,
    /// What auth recorded for the audit log.
    pub audit_log: AuditLog,
    pub auth: Auth,
    /// Of another service.
    pub service: ServiceIdentity,
    /// auth's own.
    pub context: Context,
    pub queue: Queue,
    over_tcp: bool,
    data: TempDir,
}

/// One replica.
pub struct Auth {
    pub client: Client,
    /// What it announced.
    pub announced: Arc<Mutex<Option<FirstSuperadmin>>>,
    shutdown: Shutdown,
    served: JoinHandle<Result<(), BoxError>>,
}

impl Auth {
    pub async fn end(self) {
        self.shutdown.begin();
        self.served.await.unwrap().unwrap();
    }
}

impl World {
    /// auth with a superadmin and nobody else.
    pub async fn start(database: Database, over_tcp: bool) -> Self {
        Self::start_with(database, over_tcp, &[]).await
    }

    /// Another platform of the same kind, with other settings.
    pub async fn another(&self, more: &[(&str, &str)]) -> Self {
        let database = if self.over_tcp { Database::postgres("auth") } else { Database::sqlite("auth") };
        Self::start_with(database, self.over_tcp, more).await
    }

    async fn start_with(database: Database, over_tcp: bool, more: &[(&str, &str)]) -> Self {
        let (data, clock) = (TempDir::new().unwrap(), FixedClock::default());
        let url = database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "auth", &MIGRATIONS)).await.unwrap().unwrap();
        let settings = settings(&database, data.path(), more);

        let (slots, keys, tenancy) = (LocalSlots::default(), settings.internal_keys().unwrap(), Tenancy::default());
        let context = |name| Context::new(name, Clients::local(&slots), &keys, Arc::new(clock.clone()));
        let (context, service) = (context("auth"), context("agent").identity);
        let audit_log = AuditLog::default();
        let services = Services::new(context.guard()).authority(tenancy.clone()).audit_log(audit_log.clone());
        slots.tenancy.fill(Arc::new(services));

        let pool = Pool::open(database.url(), "auth", 4).unwrap();
        let queue = Queue::embedded_with(RetryPolicy {
            pause_min: Duration::from_millis(10),
            pause_max: Duration::from_millis(20),
            ..RetryPolicy::default()
        });
        let config = Config::new(&settings, context.clone(), queue.clone()).unwrap();
        let auth = launch(config, over_tcp).await;
        let world = Self { database, pool, clock, tenancy, audit_log, auth, service, context, queue, over_tcp, data };
        world.superadmin_is_known().await;
        world
    }

    async fn superadmin_is_known(&self) {
        testkit::eventually("tenancy knows the superadmin", DEADLINE, async || self.tenancy.fact(SUPERADMIN)).await;
    }

    /// A finished test leaves nothing behind.
    pub async fn end(self) {
        self.auth.end().await;
    }

    /// As the running one was given.
    pub fn config(&self) -> Config {
        self.config_with(&[])
    }

    /// With other settings.
    pub fn config_with(&self, more: &[(&str, &str)]) -> Config {
        let settings = settings(&self.database, self.data.path(), more);
        Config::new(&settings, self.context.clone(), self.queue.clone()).unwrap()
    }

    /// One more replica.
    pub async fn launch(&self, config: Config) -> Auth {
        launch(config, self.over_tcp).await
    }

    /// As nobody.
    pub async fn call<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.auth.client.unary::<R>(&Meta::default(), request).await
    }

    /// As somebody who has signed in.
    pub async fn call_as<R: Rpc>(&self, tokens: &Tokens, request: R::Request) -> Result<R::Response, Problem> {
        self.auth.client.unary::<R>(&bearer(&tokens.access_token), request).await
    }

    /// As another service.
    pub async fn asks<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.auth.client.unary::<R>(&self.service.meta().unwrap(), request).await
    }

    pub async fn register(&self, email: &str) -> Result<Detail, Problem> {
        self.call::<Register>(registration(email)).await
    }

    pub async fn verify(&self, token: &str) -> Result<Detail, Problem> {
        self.call::<VerifyEmail>(VerifyEmailRequest { token: token.to_owned() }).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Result<Tokens, Problem> {
        self.call::<Login>(login(email, password)).await
    }

    pub async fn refresh(&self, token: &str) -> Result<Tokens, Problem> {
        self.call::<Refresh>(RefreshRequest { refresh_token: token.to_owned() }).await
    }

    pub async fn logout(&self, tokens: &Tokens) -> Result<(), Problem> {
        self.call_as::<Logout>(tokens, LogoutRequest::default()).await.map(drop)
    }

    pub async fn me(&self, tokens: &Tokens) -> Result<User, Problem> {
        self.call_as::<GetMe>(tokens, proto::auth::GetMeRequest {}).await
    }

    /// Waits until the access token is refused.
    pub async fn is_refused(&self, tokens: &Tokens) {
        testkit::eventually("the access token is refused", DEADLINE, async || {
            self.me(tokens).await.err().map(|problem| assert_eq!(problem.code, ErrorCode::Unauthenticated))
        })
        .await;
    }

    /// Registered, verified, and signed in with [`PASSWORD`].
    pub async fn signed_up(&self, email: &str) -> Tokens {
        self.register(email).await.unwrap();
        self.verify(self.last_mail(email).await.token()).await.unwrap();
        self.login(email, PASSWORD).await.unwrap()
    }

    pub async fn superadmin(&self) -> Tokens {
        self.login(SUPERADMIN, SUPERADMIN_PASSWORD).await.unwrap()
    }

    pub fn mail_directory(&self) -> PathBuf {
        self.data.path().join("mail")
    }

    /// All mail in files to the address, the oldest first.
    pub fn mail_files(&self, to: &str) -> Vec<Eml> {
        let Ok(entries) = std::fs::read_dir(self.mail_directory()) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        let mails = paths.iter().map(|path| Eml::parse(&std::fs::read_to_string(path).unwrap()));
        mails.filter(|mail| mail.to() == to).collect()
    }

    /// Waits until the address has so many mails.
    pub async fn mails(&self, to: &str, count: usize) -> Vec<Eml> {
        let what = format!("{to} has {count} mails");
        let mails = async || Some(self.mail_files(to)).filter(|mails| mails.len() >= count);
        let mails = testkit::eventually(&what, DEADLINE, mails).await;
        assert_eq!(mails.len(), count, "{to}");
        mails
    }

    /// Waits until all mail is sent; answers the last one to the address.
    pub async fn last_mail(&self, to: &str) -> Eml {
        self.all_mail_is_sent().await;
        self.mail_files(to).pop().unwrap_or_else(|| panic!("no mail for {to}"))
    }

    pub async fn all_mail_is_sent(&self) {
        testkit::eventually("all mail is sent", DEADLINE, async || {
            (self.count("mails WHERE sent_at IS NULL").await == 0).then_some(())
        })
        .await;
    }

    /// The number of rows in `what`, which is a table and perhaps a condition.
    pub async fn count(&self, what: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let query = format!("SELECT count(*) AS count FROM {what}");
        let count = self.pool.read(move |db| {
            Ok::<_, db::Error>(db::on!(db, |c| diesel::sql_query(query).get_result::<Count>(c))?.count)
        });
        count.await.unwrap()
    }

    /// The one text that the query gives, in the column `text`.
    pub async fn text(&self, query: &str) -> String {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let query = query.to_owned();
        let text = self
            .pool
            .read(move |db| Ok::<_, db::Error>(db::on!(db, |c| diesel::sql_query(query).get_result::<Row>(c))?.text));
        text.await.unwrap()
    }

    /// A change from behind auth's back that is not committed yet, so that others wait for it.
    pub async fn hold(&self, sql: &str) -> Held {
        let (release, released) = std::sync::mpsc::channel();
        let (changed, mut is_changed) = tokio::sync::mpsc::channel(1);
        let (pool, sql) = (self.pool.clone(), sql.to_owned());
        let ended = tokio::spawn(async move {
            let write = pool.write(move |db| {
                db.batch_execute(&sql)?;
                changed.blocking_send(()).unwrap();
                released.recv().unwrap();
                Ok::<_, db::Error>(())
            });
            write.await
        });
        is_changed.recv().await.unwrap();
        Held { release, ended }
    }

    /// Waits until so many statements wait for locks. On SQLite nobody knows.
    pub async fn waiting(&self, count: i64) {
        if self.database.is_postgres() {
            let wait = async || (self.count("pg_locks WHERE NOT granted").await >= count).then_some(());
            testkit::eventually("others wait", DEADLINE, wait).await;
        }
    }

    /// A change from behind auth's back.
    pub async fn execute(&self, sql: &str) {
        let sql = sql.to_owned();
        self.pool.write(move |db| Ok::<_, db::Error>(db.batch_execute(&sql)?)).await.unwrap();
    }
}

/// A transaction that is open.
pub struct Held {
    release: std::sync::mpsc::Sender<()>,
    ended: JoinHandle<Result<(), db::Error>>,
}

impl Held {
    pub async fn commit(self) {
        self.release.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

fn settings(database: &Database, data: &Path, more: &[(&str, &str)]) -> Settings {
    let mut environment = Environment::new();
    let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
    set("CALLFAIRY_DATA_DIR", &data.display().to_string());
    set("CALLFAIRY_AUTH_DATABASE_URL", database.url());
    set("CALLFAIRY_PUBLIC_URL", PUBLIC_URL);
    set("CALLFAIRY_SUPERADMIN_EMAIL", SUPERADMIN);
    set("CALLFAIRY_SUPERADMIN_PASSWORD", SUPERADMIN_PASSWORD);
    set("CALLFAIRY_PASSWORD_HASHERS", "2");
    for (name, value) in more {
        set(name, value);
    }
    Settings::load(Program::Platform, None, &environment).unwrap()
}

async fn launch(config: Config, over_tcp: bool) -> Auth {
    let announced = Arc::new(Mutex::new(None));
    let noted = announced.clone();
    let config = config.announcing(move |first| *noted.lock().unwrap() = Some(first));
    let (listener, client) = if over_tcp {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = format!("http://{}", listener.address().unwrap());
        let environment = Environment::from([("CALLFAIRY_AUTH_URL".to_owned(), address)]);
        let settings = Settings::load(Program::Platform, None, &environment).unwrap();
        (listener, Clients::remote(&settings).unwrap().auth)
    } else {
        let slot = LocalSlot::default();
        (Listener::local(slot.clone()), Client::Local(slot))
    };
    let shutdown = Shutdown::new();
    let served = tokio::spawn(auth::serve(config, listener, shutdown.clone()));
    testkit::eventually("auth answers", DEADLINE, async || {
        assert!(!served.is_finished(), "auth has ended");
        let request = proto::auth::ListSigningKeysRequest {};
        client.unary::<ListSigningKeys>(&Meta::default(), request).await.ok().map(drop)
    })
    .await;
    Auth { client, announced, shutdown, served }
}

pub fn registration(email: &str) -> RegisterRequest {
    RegisterRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        name: "Ada Lovelace".to_owned(),
        ..Default::default()
    }
}

pub fn login(email: &str, password: &str) -> LoginRequest {
    LoginRequest { email: email.to_owned(), password: password.to_owned(), ..Default::default() }
}

pub fn bearer(token: &str) -> Meta {
    Meta::with_token(Secret::new(token))
}

pub fn code<T>(answer: Result<T, Problem>) -> ErrorCode {
    match answer {
        Ok(_) => panic!("it was not refused"),
        Err(problem) => problem.code,
    }
}
