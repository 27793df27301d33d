//! `callfairy demo`: the platform, a sample organisation, and a campaign that runs before your eyes. Everything is done
//! over HTTP, as any client would.
#![allow(clippy::print_stdout)] // it is what it is for

mod client;
mod contacts;
mod story;

use crate::cli::DemoArgs;
use crate::platform::{self, Started};
use callfairy_core::Secret;
use client::Client;
use runtime::{BoxError, Settings, Shutdown, Tasks};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::sync::oneshot;

/// A phone call of two minutes takes two seconds.
const SPEED: f64 = 60.0;
/// Calls at a time, and in a second.
const MAX_CONCURRENT: u32 = 100;
const CALLS_PER_SECOND: u32 = 50;

/// Runs the platform on data of its own, tells the story, and stops.
pub async fn start(arguments: DemoArgs, mut settings: Settings, shutdown: Shutdown) -> Result<(), BoxError> {
    let data = tempfile::Builder::new().prefix("callfairy-demo-").tempdir()?;
    let environment = runtime::config::Environment::from([
        ("CALLFAIRY_DATA_DIR".to_owned(), data.path().display().to_string()),
        ("CALLFAIRY_HTTP_ADDR".to_owned(), free_address(settings.http.addr)?.to_string()),
        ("CALLFAIRY_SIMULATOR_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
        ("CALLFAIRY_SIMULATOR_SPEED".to_owned(), SPEED.to_string()),
        ("CALLFAIRY_MAX_CONCURRENT_CALLS".to_owned(), MAX_CONCURRENT.to_string()),
        ("CALLFAIRY_CALLS_PER_SECOND".to_owned(), CALLS_PER_SECOND.to_string()),
    ]);
    // Nothing of the real deployment is used: neither its databases nor its provider account.
    settings = Settings::load(settings.program, None, &environment)?;

    let (up, started) = oneshot::channel();
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn("the platform", platform::run(settings, up, shutdown.clone()));
    let mail = data.path().join("mail");
    tasks.spawn_once("the demo", async move {
        let Ok(Started { url, superadmin: Some(superadmin), .. }) = started.await else { return Ok(()) };
        let password = superadmin.password.unwrap_or_else(|| Secret::new(""));
        println!("\n  The platform is up at {url}, its documentation at {url}/docs\n");
        let client = Client::new(&url)?;
        let told = tokio::select! {
            told = story::tell(&client, &superadmin.email, &password, &mail, arguments.contacts) => told,
            () = shutdown.wait() => return Ok(()),
        };
        match (told, arguments.stay) {
            (Err(error), _) => return Err(error),
            (Ok(()), true) => println!("\n  It keeps running; Ctrl-C stops it.\n"),
            (Ok(()), false) => shutdown.begin(),
        }
        Ok::<_, BoxError>(())
    });
    Ok(tasks.join().await?)
}

/// The usual address, or another port when something listens there.
fn free_address(usual: SocketAddr) -> std::io::Result<SocketAddr> {
    match std::net::TcpListener::bind(usual) {
        Ok(listener) => listener.local_addr(),
        Err(_) => std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr(),
    }
}
