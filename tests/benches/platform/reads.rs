//! The read path: gateway → telephony → PostgreSQL, for one contact by its id.

use crate::Extent;
use crate::load::{self, Load, Requests};
use crate::reference::Reference;
use crate::report::{Aim, Row, Table};
use crate::world::World;
use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::Layout;

const CONNECTIONS: usize = 32;
/// Of the three in turn, so that a disturbance does not hit one alone. The middle one counts.
const ROUNDS: usize = 3;
const OVER_TCP: Aim = Aim::Ratio(0.5);
const IN_PROCESS: Aim = Aim::Ratio(0.8);

struct Subject {
    url: String,
    requests: Requests,
}

pub async fn measure(extent: Extent) -> Result<Table> {
    let apart = World::new(Layout::SixProcesses).await;
    let together = World::new(Layout::OneProcessOnPostgres).await;
    let reference = Reference::start(apart.platform.database().context("no database")?.url()).await?;
    let (over_tcp, path) = subject(&apart).await?;
    let (in_process, _) = subject(&together).await?;
    // The token is sent along, so that the requests are of one length.
    let token = apart.agent.token().context("no token")?;
    let request = load::request("GET", &reference.url, &path, token, "");
    let reference = Subject { url: reference.url.clone(), requests: load::always(request) };

    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        let mut loads = vec![];
        for Subject { url, requests } in [&reference, &over_tcp, &in_process] {
            loads.push(load::run(url, CONNECTIONS, extent.time, 200, requests).await?);
        }
        rounds.push(loads);
    }
    let row = |what: &str, n: usize| {
        let load = middle(rounds.iter().map(|loads| loads[n]).collect(), |load: &Load| load.per_second);
        let ratio = |loads: &Vec<Load>| loads[n].per_second / loads[0].per_second;
        Row::of_load(what, &load).ratio(middle(rounds.iter().map(ratio).collect(), |ratio| *ratio))
    };
    Ok(Table {
        title: format!("one contact by its id, {CONNECTIONS} connections"),
        unit: "requests/s",
        rows: vec![
            row("reference: actix-web, diesel, r2d2", 0),
            row("six processes, gRPC over TCP", 1).aim(OVER_TCP),
            row("one process", 2).aim(IN_PROCESS),
        ],
        note: "The reference verifies nothing. The load generator and PostgreSQL share the cores with all three.",
    })
}

/// A platform with a contact to ask for; the path in the reference is the second.
async fn subject(world: &World) -> Result<(Subject, String)> {
    let contact = json!({
        "name": "Ada Lovelace", "phone_number": "+12125550142", "email": "ada@example.com", "tags": ["friends"],
        "metadata": {"Company": "Blue Harbour Travel", "City": "New York"},
    });
    let contact = world.agent.post(&world.path("/contacts"), contact).await.expect(201);
    let path = world.path(&format!("/contacts/{}", contact["id"].as_str().context("no id")?));
    let (url, token) = (world.platform.url(), world.agent.token().context("no token")?);
    let request = load::request("GET", &url, &format!("/api/v1{path}"), token, "");
    Ok((Subject { url, requests: load::always(request) }, path))
}

fn middle<T: Copy>(mut values: Vec<T>, key: impl Fn(&T) -> f64) -> T {
    values.sort_by(|a, b| key(a).total_cmp(&key(b)));
    values[values.len() / 2]
}
