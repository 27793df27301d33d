//! `callfairy migrate`, and what one process does at its start.

use db::Migrations;
use runtime::{BoxError, Service, Settings};

/// The services with a database, and what their schemas are made of.
const ALL: [(Service, &Migrations); 4] = [
    (Service::Auth, &auth::MIGRATIONS),
    (Service::Tenancy, &tenancy::MIGRATIONS),
    (Service::Agent, &agent::MIGRATIONS),
    (Service::Telephony, &telephony::MIGRATIONS),
];

/// Migrates every service's database, or says what would be run.
pub async fn run(settings: &Settings, plan: bool) -> Result<(), BoxError> {
    let verb = if plan { "would run" } else { "ran" };
    for (service, names) in each(settings, plan).await? {
        if names.is_empty() {
            println!("{service}: up to date");
        }
        for name in names {
            println!("{service}: {verb} {name}");
        }
    }
    Ok(())
}

/// Brings every service's database up to date.
pub async fn up_to_date(settings: &Settings) -> Result<(), BoxError> {
    each(settings, false).await.map(|_| ())
}

async fn each(settings: &Settings, plan: bool) -> Result<Vec<(&'static str, Vec<String>)>, BoxError> {
    let mut done = vec![];
    for (service, migrations) in ALL {
        let url = settings.database(service).clone();
        let run = move || {
            let run = if plan { db::plan } else { db::migrate };
            run(url.expose(), service.name(), migrations)
        };
        done.push((service.name(), tokio::task::spawn_blocking(run).await??));
    }
    Ok(done)
}
