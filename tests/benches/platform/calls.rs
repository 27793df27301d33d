//! Calls: how many are accepted, each durable before its answer, and how many are brought to their end.

use crate::contacts::phone_number;
use crate::load::{self, Requests};
use crate::report::{Aim, Row, Table};
use crate::world::World;
use crate::{Extent, postgres};
use anyhow::{Context as _, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::{Layout, Program, eventually};

const FEW: usize = 16;
const MANY: usize = 64;
/// The design's 5,000 accepted and 3,000 finished calls a second, of the 8,200 rows that pgbench made durable on the
/// same two cores.
const ACCEPTED: Aim = Aim::Ratio(0.61);
const DISPATCHED: Aim = Aim::Ratio(0.37);
/// The pace is lifted, and people talk for tenths of a second.
const SETTINGS: [(&str, &str); 3] = [
    ("CALLFAIRY_MAX_CONCURRENT_CALLS", "1000000"),
    ("CALLFAIRY_CALLS_PER_SECOND", "100000"),
    ("CALLFAIRY_SIMULATOR_SPEED", "600"),
];
/// Calls that are over when the counting begins, so that the pipeline is full by then.
const WARM: u64 = 100;
const PATIENCE: Duration = Duration::from_mins(1);
/// What an accepted call is at least: a row with its key.
const TABLE: &str = "CREATE TABLE reference.jobs (id uuid PRIMARY KEY, status text, phone_number text, script jsonb, \
                     created_at timestamptz DEFAULT now())";
const INSERT: &str = "INSERT INTO reference.jobs VALUES (gen_random_uuid(), 'queued', '+12125550142', \
                      '{\"task\": \"Say hello.\"}');";

pub async fn measure(extent: Extent) -> Result<Table> {
    let mut world = World::with(Layout::SixProcesses, &SETTINGS).await;
    let database = world.platform.database().context("no database")?.url().to_owned();
    let [few, many] = references(&database, extent).await?;

    // Accepting alone first: nobody takes what is published.
    world.platform.terminate(Program::Worker).await;
    let (url, requests) = (world.platform.url(), requests(&world)?);
    let by_few = load::run(&url, FEW, extent.time, 202, &requests).await?;
    let by_many = load::run(&url, MANY, extent.time, 202, &requests).await?;
    world.platform.restart(Program::Worker);
    world.platform.wait_ready().await;
    let dispatched = dispatched(&database, extent.time).await?;

    Ok(Table {
        title: "calls".to_owned(),
        unit: "calls/s",
        rows: vec![
            Row::new(format!("reference: pgbench, one INSERT, {FEW} clients"), few),
            Row::of_load(format!("accepted, {FEW} connections"), &by_few).ratio(by_few.per_second / few).aim(ACCEPTED),
            Row::new(format!("reference: pgbench, one INSERT, {MANY} clients"), many),
            Row::of_load(format!("accepted, {MANY} connections"), &by_many)
                .ratio(by_many.per_second / many)
                .aim(ACCEPTED),
            Row::new("from the queue to the end", dispatched).ratio(dispatched / many).aim(DISPATCHED),
        ],
        note: "Six processes, the worker stopped while calls are accepted. The end: POST, the simulator's webhook, final.",
    })
}

async fn references(database: &str, extent: Extent) -> Result<[f64; 2]> {
    let directory = TempDir::new()?;
    let script = directory.path().join("insert.sql");
    std::fs::write(&script, INSERT)?;
    postgres::psql(database, &["CREATE SCHEMA reference", TABLE]).await?;
    let seconds = extent.time.as_secs();
    let few = postgres::pgbench(database, &script, FEW, seconds).await?;
    Ok([few, postgres::pgbench(database, &script, MANY, seconds).await?])
}

/// Each to another number.
fn requests(world: &World) -> Result<Requests> {
    let (url, path) = (world.platform.url(), format!("/api/v1{}", world.path("/calls")));
    let token = world.agent.token().context("no token")?.to_owned();
    let next = AtomicUsize::new(0);
    Ok(Arc::new(move || {
        let number = phone_number(next.fetch_add(1, Ordering::Relaxed));
        let body = format!(r#"{{"phone_number": "{number}", "task": "Say hello."}}"#);
        load::request("POST", &url, &path, &token, &body).into_bytes().into()
    }))
}

/// How many of the waiting calls come to their end in a second.
async fn dispatched(database: &str, time: Duration) -> Result<f64> {
    let patience = "the first calls were over";
    let first =
        eventually(patience, PATIENCE, async || over(database).await.ok().filter(|(over, _)| *over >= WARM)).await;
    let began = Instant::now();
    tokio::time::sleep(time).await;
    let (last, waiting) = over(database).await?;
    let elapsed = began.elapsed().as_secs_f64();
    ensure!(waiting > 0, "all calls were over before the time was: measure for longer");
    #[allow(clippy::cast_precision_loss)]
    let per_second = (last - first.0) as f64 / elapsed;
    Ok(per_second)
}

/// Calls that have come to their end, and that have not.
async fn over(database: &str) -> Result<(u64, u64)> {
    let query = "SELECT count(ended_at), count(*) - count(ended_at) FROM telephony.calls";
    let counts = postgres::psql(database, &[query]).await?;
    let (over, waiting) = counts.split_once('|').context("no counts")?;
    Ok((over.parse()?, waiting.parse()?))
}
