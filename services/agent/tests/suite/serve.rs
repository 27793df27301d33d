//! Starting, and telling how one is.

use crate::world::{DEADLINE, World};
use agent::Config;
use runtime::{Listener, LocalSlots, Shutdown};
use testkit::{Client, Database};
use tokio::net::TcpListener;

testkit::on_both!(refuses_a_schema_that_is_not_its_own, answers_health_checks);

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
    let probe = Client::new(format!("http://{address}"));
    testkit::eventually("it answers", DEADLINE, async || probe.is_ready().await.then_some(())).await;
    shutdown.begin();
    served.await.unwrap().unwrap();
}
