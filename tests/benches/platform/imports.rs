//! A file of contacts, from the upload to the last row, against the bare database.

use crate::contacts::{ContactRow, contacts, copied, file, rows};
use crate::report::{Aim, Row, Table};
use crate::world::{World, import};
use crate::{Extent, postgres};
use anyhow::{Context as _, Result, ensure};
use callfairy_core::{Clock as _, OrganisationId, SystemClock};
use db::{Db, on};
use diesel::prelude::*;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;
use testkit::{Database, Layout};

/// The design's million in 30 s, of the 56,000 rows a second that PostgreSQL merged on the same two cores.
const AIM: Aim = Aim::Ratio(0.6);
const SQLITE_TABLES: &str = include_str!("../../../migrations/telephony/sqlite/0001_contacts/up.sql");
/// Rows in one transaction, as an import has them, and in one statement: SQLite takes 32,766 values.
const BATCH: usize = 5_000;
const STATEMENT: usize = 1_000;

pub async fn measure(extent: Extent) -> Result<Table> {
    let rows = rows(extent.rows, OrganisationId::new(), SystemClock.now());
    let file = file(extent.rows).into_bytes();

    let world = World::new(Layout::SixProcesses).await;
    let on_postgres = imported(&world, &file, extent.rows).await?;
    let bare_postgres = merged(world.platform.database().context("no database")?, &rows).await?;
    drop(world);

    let on_sqlite = imported(&World::new(Layout::OneProcess).await, &file, extent.rows).await?;
    let bare_sqlite = inserted(rows).await?;
    Ok(Table {
        title: format!("import of {} contacts", extent.rows),
        unit: "rows/s",
        rows: vec![
            Row::new("reference: PostgreSQL, COPY and one INSERT", bare_postgres),
            Row::new("six processes, PostgreSQL, RabbitMQ", on_postgres).ratio(on_postgres / bare_postgres).aim(AIM),
            Row::new("reference: SQLite, prepared batches", bare_sqlite),
            Row::new("one process, SQLite", on_sqlite).ratio(on_sqlite / bare_sqlite).aim(AIM),
        ],
        note: "From the upload's first byte to the last row; the references put rows in that are parsed already.",
    })
}

/// Through the API; answers rows a second, as the others.
async fn imported(world: &World, file: &[u8], count: usize) -> Result<f64> {
    let began = Instant::now();
    let import = import(&world.agent, &world.organisation, &[], file).await;
    let speed = speed(count, began);
    ensure!(import["imported_rows"].as_u64() == u64::try_from(count).ok(), "not all rows were imported: {import}");
    Ok(speed)
}

/// Into a table like telephony's, in the same database.
async fn merged(database: &Database, rows: &[ContactRow]) -> Result<f64> {
    let directory = TempDir::new()?;
    let path = directory.path().join("rows");
    std::fs::write(&path, copied(rows)?)?;
    let like = "CREATE TABLE reference.contacts (LIKE telephony.contacts INCLUDING ALL)";
    postgres::psql(database.url(), &["CREATE SCHEMA reference", like]).await?;

    let began = Instant::now();
    let copy = format!("\\copy staging FROM '{}'", path.display());
    let merge =
        "INSERT INTO reference.contacts SELECT * FROM staging ON CONFLICT (organisation_id, phone_number) DO NOTHING";
    postgres::psql(database.url(), &["CREATE TEMP TABLE staging (LIKE reference.contacts)", &copy, merge]).await?;
    let speed = speed(rows.len(), began);
    let count = postgres::psql(database.url(), &["SELECT count(*) FROM reference.contacts"]).await?;
    ensure!(count == rows.len().to_string(), "the reference has {count} rows");
    Ok(speed)
}

/// Into a file like telephony's.
async fn inserted(rows: Vec<ContactRow>) -> Result<f64> {
    let (database, count) = (Database::sqlite("reference"), rows.len());
    let pool = db::Pool::open(database.url(), "reference", 1)?;
    pool.write(|db| -> Result<(), db::Error> { Ok(db.batch_execute(SQLITE_TABLES)?) }).await?;
    let batches: Vec<Arc<[ContactRow]>> = rows.chunks(BATCH).map(Arc::from).collect();

    let began = Instant::now();
    for batch in batches {
        pool.write(move |db| -> Result<(), db::Error> { Ok(insert(db, &batch)?) }).await?;
    }
    let speed = speed(count, began);
    drop(pool);
    Ok(speed)
}

fn insert(db: &mut Db, rows: &[ContactRow]) -> QueryResult<()> {
    for rows in rows.chunks(STATEMENT) {
        on!(db, |c| diesel::insert_into(contacts::table)
            .values(rows)
            .on_conflict((contacts::organisation_id, contacts::phone_number))
            .do_nothing()
            .execute(c))?;
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn speed(count: usize, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}
