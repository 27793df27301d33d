//! PostgreSQL keeps the tenants apart by itself, whatever a query says.

use crate::files::{THOUSAND, Uploader, Worker};
use crate::pipeline::{Desk, opt_out, report};
use crate::world::World;
use callfairy_core::OrganisationId;
use db::diesel::prelude::*;
use db::diesel::sql_types::{BigInt, Bool, Text};
use db::{Pool, diesel};
use proto::jobs::SendResult;
use proto::rpc::assistants::CreateAssistant;
use proto::rpc::campaigns::CreateCampaign;
use proto::telephony::{ContactSelection, CreateAssistantRequest, CreateCampaignRequest, CreateImportRequest};
use testkit::Database;

/// What belongs to organisations, by the schema itself: a new table is in here the day it is made.
const TENANTS_TABLES: &str = "SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS separated, \
     pg_get_userbyid(c.relowner) = current_user AS owned \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     WHERE a.attname = 'organisation_id' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace";

#[derive(Debug, QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    separated: bool,
    #[diesel(sql_type = Bool)]
    owned: bool,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn tables(pool: &Pool) -> Vec<Table> {
    let load = |db: &mut db::Db| -> Result<Vec<Table>, db::Error> {
        Ok(db::on!(db, |c| diesel::sql_query(TENANTS_TABLES).load(c))?)
    };
    pool.read(load).await.unwrap()
}

/// How many rows a query sees that asks for all of them, or for all but an organisation's.
async fn seen(pool: &Pool, table: &str, but: Option<OrganisationId>) -> i64 {
    let but = but.map(|but| format!(" WHERE organisation_id <> '{but}'")).unwrap_or_default();
    let sql = format!("SELECT count(*) AS count FROM {table}{but}");
    let count = move |db: &mut db::Db| -> Result<Count, db::Error> {
        Ok(db::on!(db, |c| diesel::sql_query(sql).get_result(c))?)
    };
    pool.read(count).await.unwrap().count
}

async fn refusal(pool: &Pool, sql: &str) -> String {
    let sql = sql.to_owned();
    pool.write(move |db| -> Result<(), db::Error> { Ok(db.batch_execute(&sql)?) }).await.unwrap_err().to_string()
}

/// Rows in every table, for one organisation.
async fn fill(world: &World) -> OrganisationId {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let desk = Desk { world, organisation: uploader.organisation, user: uploader.user };
    let organisation_id = desk.organisation.to_string();
    let tagged = CreateImportRequest { tags: vec!["friends".to_owned()], ..uploader.form() };
    let import = uploader.upload_with(tagged, THOUSAND).await.unwrap();
    uploader.end_of(&import.id).await;
    worker.stop().await;
    let assistant = CreateAssistantRequest {
        organisation_id: organisation_id.clone(),
        name: "Ada".to_owned(),
        prompt: "Say hello".to_owned(),
        ..CreateAssistantRequest::default()
    };
    world.call::<CreateAssistant>(desk.user, assistant).await.unwrap();
    let campaign = CreateCampaignRequest {
        organisation_id,
        name: "Spring".to_owned(),
        task: "Say hello".to_owned(),
        contacts: Some(ContactSelection { all: true, ..ContactSelection::default() }),
        ..CreateCampaignRequest::default()
    };
    world.call::<CreateCampaign>(desk.user, campaign).await.unwrap();
    let call = desk.create("+442079460018").await;
    let order = desk.send(&call.id).await;
    report(world, &order, SendResult::Accepted).await;
    opt_out(world, &order).await;
    desk.organisation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_shows_an_organisation_its_own_rows() {
    let world = World::start(Database::postgres("telephony"), true).await;
    let (ours, theirs) = (fill(&world).await, fill(&world).await);
    let everyone = &world.pool;
    let nobody = Pool::open(world.database_url(), "telephony", 1).unwrap();
    let (us, stranger) = (nobody.of(ours), nobody.of(OrganisationId::new()));
    let tables = tables(&nobody).await;
    assert!(tables.len() >= 12, "{tables:?}");
    for Table { name, separated, owned } in tables {
        assert!(separated, "{name}: CALL separate_tenants(ARRAY['{name}']) in its migration");
        assert!(!owned, "{name}: who owns a table can switch its policies off");
        assert!(seen(everyone, &name, Some(ours)).await > 0, "{name} has no row of the other organisation");
        assert!(seen(&us, &name, None).await > 0, "{name} shows an organisation nothing");
        assert_eq!(seen(&us, &name, Some(ours)).await, 0, "{name} shows another organisation's rows");
        assert_eq!(seen(&nobody, &name, None).await, 0, "{name} is shown to a session of no organisation");
        assert_eq!(seen(&stranger, &name, None).await, 0, "{name} is shown to a stranger");
    }
    // Nor can rows be made, changed or taken for another.
    let row = format!("INSERT INTO suppressions VALUES ('{theirs}', '+12125550142', 'x', now())");
    assert!(refusal(&us, &row).await.contains("row-level security"));
    let gift = format!("UPDATE contacts SET organisation_id = '{theirs}'");
    assert!(refusal(&us, &gift).await.contains("row-level security"));
    let (before, delete) =
        (seen(everyone, "contacts", Some(ours)).await, "DELETE FROM contact_tags; DELETE FROM contacts");
    us.write(move |db| -> Result<(), db::Error> { Ok(db.batch_execute(delete)?) }).await.unwrap();
    assert_eq!(seen(everyone, "contacts", Some(ours)).await, before);
    for sql in
        ["ALTER TABLE contacts DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant ON contacts", "DROP TABLE contacts"]
    {
        assert!(refusal(everyone, sql).await.contains("must be owner"), "{sql}");
    }
    world.end().await;
}
