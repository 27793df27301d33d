//! Mail, from the row to the recipient.

use crate::mail_server::MailServer;
use crate::world::{DEADLINE, PASSWORD, World};
use callfairy_core::Secret;
use queue::{Message, QueueName};
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use testkit::Database;
use tracing_subscriber::EnvFilter;

testkit::on_both!(
    is_a_file_that_mail_programs_read,
    a_mail_is_sent_once,
    is_rung_for_again_when_the_ring_was_lost,
    goes_to_the_server_that_is_configured,
    a_server_that_is_busy_gets_it_later,
    a_mail_that_is_refused_for_good_is_given_up,
    nothing_secret_is_logged,
);

async fn is_a_file_that_mail_programs_read(world: &World) {
    world.register("ada@example.com").await.unwrap();
    let mail = world.mails("ada@example.com", 1).await.pop().unwrap();
    assert_eq!(mail.headers["from"], "CallFairy <no-reply@calls.example.com>");
    assert_eq!(mail.headers["date"], "Thu, 01 Jan 2026 12:00:00 +0000");
    assert_eq!(mail.headers["auto-submitted"], "auto-generated");
    assert_eq!(mail.headers["mime-version"], "1.0");
    let token = mail.token();
    assert_eq!(mail.link(), format!("https://calls.example.com/app/verify-email?token={token}"));
    assert!(token.starts_with("cfv_") && token.len() == 47, "{token}");
    assert!(mail.html.contains(&format!("<a href=\"{}\">", mail.link())), "{}", mail.html);
    // Strangers cannot put their own words into others' mailboxes.
    assert!(!mail.text.contains("Ada") && !mail.html.contains("Ada"));

    let files: Vec<_> = std::fs::read_dir(world.mail_directory()).unwrap().map(Result::unwrap).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let (name, id) = (file.file_name().into_string().unwrap(), &mail.headers["message-id"]);
    assert_eq!(format!("<{}@calls.example.com>", &name[17..53]), *id);
    assert_eq!((&name[..17], &name[53..]), ("20260101T120000Z-", ".eml"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

async fn a_mail_is_sent_once(world: &World) {
    // One that needs no token, which is forgotten once it is sent.
    world.signed_up("ada@example.com").await;
    world.clock.advance(Duration::from_secs(1));
    world.register("ada@example.com").await.unwrap();
    let mail = world.last_mail("ada@example.com").await;
    assert_eq!(mail.subject(), "You already have an account");
    std::fs::remove_dir_all(world.mail_directory()).unwrap();
    // Its message comes again, and a later mail shows that the queue got past it.
    let id = mail.headers["message-id"].trim_start_matches('<').split('@').next().unwrap();
    let ring = || Message::new(format!("{{\"mail_id\":\"{id}\"}}").into_bytes());
    assert_eq!(world.queue.publish(QueueName::Mail, vec![ring(), ring()]).await, [Ok(()), Ok(())]);
    world.register("grace@example.com").await.unwrap();
    world.mails("grace@example.com", 1).await;
    world.all_mail_is_sent().await;
    assert!(world.mail_files("ada@example.com").is_empty());
    assert!(world.queue.dead_letters(10).await.unwrap().is_empty());
}

async fn is_rung_for_again_when_the_ring_was_lost(world: &World) {
    world.signed_up("ada@example.com").await;
    // One that needs no token.
    world.register("ada@example.com").await.unwrap();
    world.all_mail_is_sent().await;
    std::fs::remove_dir_all(world.mail_directory()).unwrap();
    let epoch = if world.database.is_postgres() { "'epoch'" } else { "0" };
    let unsent = format!("sent_at = NULL, claimed_until = NULL, due_at = {epoch}");
    world.execute(&format!("UPDATE mails SET {unsent} WHERE kind = 'already_registered'")).await;
    // Each start begins with a look.
    let replica = world.launch(world.config()).await;
    let mail = world.mails("ada@example.com", 1).await.pop().unwrap();
    assert_eq!(mail.subject(), "You already have an account");
    replica.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_through_rabbitmq_as_well() {
    let mut world = World::start(Database::postgres("auth"), true).await;
    let url = std::env::var("CALLFAIRY_TEST_AMQP_URL").expect("CALLFAIRY_TEST_AMQP_URL: run the tests with tests/run");
    let prefix = format!("auth-{}.", uuid::Uuid::now_v7().simple());
    let rabbitmq = queue::open(Some(&Secret::new(url)), &prefix).unwrap();
    let mut config = world.config();
    config.queue = rabbitmq.clone();
    let replica = world.launch(config).await;
    std::mem::replace(&mut world.auth, replica).end().await;
    world.signed_up("ada@example.com").await;
    assert!(rabbitmq.dead_letters(10).await.unwrap().is_empty());
    world.end().await;
    rabbitmq.delete().await.unwrap();
}

/// A platform that hands its mail to the server.
async fn with(world: &World, server: &MailServer) -> World {
    world.another(&[("CALLFAIRY_SMTP_URL", &server.url)]).await
}

async fn goes_to_the_server_that_is_configured(world: &World) {
    let server = MailServer::start(&[]).await;
    let world = with(world, &server).await;
    world.register("ada@example.com").await.unwrap();
    world.all_mail_is_sent().await;
    let received = server.received();
    let [mail] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(mail.to(), "ada@example.com");
    world.verify(mail.token()).await.unwrap();
    assert!(!world.mail_directory().exists());
    world.end().await;
}

async fn a_server_that_is_busy_gets_it_later(world: &World) {
    let server = MailServer::start(&["451 not now", "421 closing"]).await;
    let world = with(world, &server).await;
    world.register("ada@example.com").await.unwrap();
    world.all_mail_is_sent().await;
    assert_eq!((server.refused(), server.received().len()), (2, 1));
    assert_eq!(world.count("mails WHERE attempts = 3").await, 1);
    world.end().await;
}

async fn a_mail_that_is_refused_for_good_is_given_up(world: &World) {
    let server = MailServer::start(&["550 nobody here"]).await;
    let world = with(world, &server).await;
    world.register("ada@example.com").await.unwrap();
    let given_up = "mails WHERE failed_at IS NOT NULL AND token IS NULL AND attempts = 1";
    let condition = async || (world.count(given_up).await == 1).then_some(());
    testkit::eventually("the mail is given up", DEADLINE, condition).await;
    world.register("grace@example.com").await.unwrap();
    let received = async || (server.received().len() == 1).then_some(());
    testkit::eventually("the next mail arrives", DEADLINE, received).await;
    assert_eq!((server.refused(), server.received()[0].to()), (1, "grace@example.com"));
    world.end().await;
}

/// What is logged while the tests of this process run.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let (writer, filter) = (log.clone(), EnvFilter::new("info,auth=trace,access=trace,db=trace,queue=trace"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    log
});

async fn nothing_secret_is_logged(world: &World) {
    LazyLock::force(&LOG);
    let tokens = world.signed_up("secretive@example.com").await;
    let mailed = world.last_mail("secretive@example.com").await.token().to_owned();
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    world.refresh(&tokens.refresh_token).await.unwrap_err();
    world.login("secretive@example.com", "a wrong password").await.unwrap_err();
    let other = world.login("secretive@example.com", PASSWORD).await.unwrap();
    world.logout(&other).await.unwrap();
    world.all_mail_is_sent().await;

    let log = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    for told in ["signed in", "address verified", "s***@example.com", "used twice"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    let access = [&tokens.access_token, &next.access_token, &other.access_token].map(String::as_str);
    let refresh = [&tokens.refresh_token, &next.refresh_token, &other.refresh_token].map(String::as_str);
    let secrets = [PASSWORD, "a wrong password", &mailed, "secretive@example.com", "$argon2"];
    for secret in access.into_iter().chain(refresh).chain(secrets) {
        assert!(!log.contains(secret), "{secret}");
    }
}
