//! The reference of the read path: the same query in a plain actix-web handler, with diesel and r2d2. It verifies
//! nothing, limits nothing, logs nothing.

use crate::contacts::{ContactRow, contacts};
use actix_web::error::{ErrorInternalServerError, ErrorNotFound};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, Result};
use db::Sql;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use std::io::Write as _;
use std::time::Duration;
use tempfile::TempDir;
use testkit::Process;
use uuid::Uuid;

/// The argument that makes the benchmark this server; the URL of the database follows.
pub const COMMAND: &str = "reference";
/// As many as a service has by default.
const CONNECTIONS: u32 = 10;
const START_LIMIT: Duration = Duration::from_secs(30);

type Connections = Pool<ConnectionManager<PgConnection>>;

#[derive(Debug)]
struct InSchema;

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for InSchema {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute("SET search_path TO telephony").map_err(diesel::r2d2::Error::QueryError)
    }
}

/// The server as a process of its own, as what it is compared with; killed when dropped.
pub struct Reference {
    pub url: String,
    _process: Process,
    _directory: TempDir,
}

impl Reference {
    pub async fn start(database: &str) -> Result<Self> {
        let directory = TempDir::new()?;
        let program = std::env::current_exe()?;
        let mut process = Process::new(program, &[COMMAND, database], directory.path().join("log"));
        process.start();
        let listens = async || process.output().lines().find(|line| line.starts_with("http://")).map(str::to_owned);
        let url = testkit::eventually("the reference listens", START_LIMIT, listens).await;
        Ok(Self { url, _process: process, _directory: directory })
    }
}

/// Prints where it listens, and serves until it is killed.
pub fn serve(database: &str) -> Result<()> {
    let connections = Pool::builder()
        .max_size(CONNECTIONS)
        // The services' pool does not ask before each loan either.
        .test_on_check_out(false)
        .connection_customizer(Box::new(InSchema))
        .build(ConnectionManager::new(database))?;
    let app = move || {
        App::new()
            .app_data(web::Data::new(connections.clone()))
            .route("/organisations/{organisation_id}/contacts/{id}", web::get().to(get_contact))
    };
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(app).bind("127.0.0.1:0")?;
        let address = *server.addrs().first().context("it does not listen")?;
        writeln!(std::io::stdout(), "http://{address}")?;
        Ok(server.run().await?)
    })
}

async fn get_contact(
    connections: web::Data<Connections>,
    path: web::Path<(Uuid, Uuid)>,
) -> actix_web::Result<HttpResponse> {
    let (organisation, id) = path.into_inner();
    let row = web::block(move || -> Result<Option<ContactRow>> {
        let row = contacts::table
            .filter(contacts::organisation_id.eq(Sql(organisation)))
            .filter(contacts::id.eq(Sql(id)))
            .select(ContactRow::as_select())
            .first(&mut *connections.get()?)
            .optional()?;
        Ok(row)
    });
    let row = row.await?.map_err(ErrorInternalServerError)?.ok_or_else(|| ErrorNotFound("no such contact"))?;
    Ok(HttpResponse::Ok().json(row))
}
