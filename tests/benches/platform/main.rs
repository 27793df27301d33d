//! What the platform does in a second, as ratios to something plain that is measured in the same run: absolute figures
//! say as much about the machine as about the code. `tests/bench` builds this and runs it.
//!
//! Each module measures one thing and answers a [`report::Table`]; to add a measurement, write such a module and a line
//! in [`measure`].
#![allow(clippy::print_stdout)]

mod calls;
mod checks;
mod contacts;
mod imports;
mod load;
mod people;
mod postgres;
mod reads;
mod reference;
mod report;
mod revocations;
// The stories' own, checked with them.
#[allow(dead_code, clippy::pedantic, clippy::unwrap_used)]
#[path = "../../stories/world.rs"]
mod world;

use anyhow::{Context as _, Result};
use report::Table;
use std::time::Duration;

const MEASUREMENTS: [&str; 6] = ["reads", "checks", "people", "revocations", "imports", "calls"];
/// How long one thing is measured for, in seconds.
const SECONDS: &str = "BENCH_SECONDS";
const DEFAULT_SECONDS: f64 = 5.0;
/// Contacts in the imported file.
const ROWS: &str = "BENCH_ROWS";
const DEFAULT_ROWS: usize = 100_000;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub time: Duration,
    pub rows: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, database] = arguments.as_slice()
        && command == reference::COMMAND
    {
        return reference::serve(database);
    }
    // What `cargo bench` adds: other ways to run every target must not start a benchmark.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("run it with tests/bench");
        return Ok(());
    }
    let chosen: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
    let unknown = chosen.iter().find(|name| !MEASUREMENTS.contains(name));
    anyhow::ensure!(unknown.is_none(), "{unknown:?} is none of {MEASUREMENTS:?}");
    // One thread: the load generator shall take little of what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&chosen))
}

async fn measure(chosen: &[&str]) -> Result<()> {
    let extent = Extent {
        time: Duration::try_from_secs_f64(variable(SECONDS, DEFAULT_SECONDS)?)?,
        rows: variable(ROWS, DEFAULT_ROWS)?,
    };
    for name in MEASUREMENTS.into_iter().filter(|name| chosen.is_empty() || chosen.contains(name)) {
        let table: Table = match name {
            "reads" => reads::measure(extent).await,
            "checks" => checks::measure(extent).await,
            "people" => people::measure(extent).await,
            "revocations" => revocations::measure(extent).await,
            "imports" => imports::measure(extent).await,
            _ => calls::measure(extent).await,
        }
        .context(name)?;
        println!("{table}");
    }
    Ok(())
}

fn variable<T>(name: &str, default: T) -> Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value.parse().with_context(|| format!("{name}={value}")),
        _ => Ok(default),
    }
}
