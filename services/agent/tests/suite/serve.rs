//! Starting, and telling how one is.

use crate::world::{DEADLINE, World};
use agent::Config;
use runtime::{Listener, LocalSlots, Shutdown};
use testkit::Database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

crate::on_both!(refuses_a_schema_that_is_not_its_own, answers_health_checks);

async fn refuses_a_schema_that_is_not_its_own(world: &World) {
    let empty = if world.database.is_postgres() { Database::postgres("agent") } else { Database::sqlite("agent") };
    let config = Config { database_url: empty.url().to_owned().into(), ..world.config() };
    let listener = Listener::local(LocalSlots::default().agent);
    let error = agent::serve(config, listener, Shutdown::new()).await.unwrap_err().to_string();
    assert!(error.contains("run the migrations first") && error.contains("0001"), "{error}");
}

async fn answers_health_checks(world: &World) {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = Config { ops_addr: Some(address), ..world.config() };
    let (shutdown, listener) = (Shutdown::new(), Listener::local(LocalSlots::default().agent));
    let served = tokio::spawn(agent::serve(config, listener, shutdown.clone()));
    let answer = testkit::eventually("it answers", DEADLINE, async || {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    shutdown.begin();
    served.await.unwrap().unwrap();
}
