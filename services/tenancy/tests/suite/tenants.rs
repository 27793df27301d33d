//! PostgreSQL keeps the tenants apart by itself, whatever a query says.

use crate::world::World;
use callfairy_core::OrganisationId;
use db::diesel::prelude::*;
use db::diesel::sql_types::{BigInt, Bool, Text};
use db::{Pool, diesel};
use proto::Permission;
use proto::rpc::api_keys::CreateApiKey;
use proto::rpc::settings::UpdateOrganisationSettings;
use proto::tenancy::{CreateApiKeyRequest, UpdateOrganisationSettingsRequest};
use testkit::Database;

/// What belongs to organisations, by the schema itself: a new table is in here the day it is made. Assignments are
/// facts about users, and the audit log is shown to nobody's organisation: see `audit_log`.
const TENANTS_TABLES: &str = "SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS separated \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     WHERE a.attname = 'organisation_id' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace \
     AND c.relname NOT IN ('assignments', 'audit_log')";

#[derive(Debug, QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    separated: bool,
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

async fn seen(pool: &Pool, table: &str) -> i64 {
    let sql = format!("SELECT count(*) AS count FROM {table}");
    let count = move |db: &mut db::Db| -> Result<Count, db::Error> {
        Ok(db::on!(db, |c| diesel::sql_query(sql).get_result(c))?)
    };
    pool.read(count).await.unwrap().count
}

/// A row in every table, for one organisation.
async fn fill(world: &World, name: &str) -> OrganisationId {
    let organisation = world.organisation(name).await.id;
    world.member(&format!("member-of-{name}"), &organisation).await;
    world.invite(&organisation, "nobody-yet@example.com").await;
    let request = CreateApiKeyRequest {
        organisation_id: organisation.clone(),
        name: "Importer".to_owned(),
        permissions: vec![Permission::ViewCalls.into()],
        ..Default::default()
    };
    world.call::<CreateApiKey>(world.superadmin, request).await.unwrap();
    let request = UpdateOrganisationSettingsRequest {
        organisation_id: organisation.clone(),
        timezone: Some("Asia/Tokyo".to_owned()),
        ..Default::default()
    };
    world.call::<UpdateOrganisationSettings>(world.superadmin, request).await.unwrap();
    organisation.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_shows_an_organisation_its_own_rows() {
    let world = World::start(Database::postgres("tenancy"), true).await;
    let (ours, theirs) = (fill(&world, "ours").await, fill(&world, "theirs").await);
    let nobody = Pool::open(world.database.url(), "tenancy", 1).unwrap();
    let tables = tables(&nobody).await;
    assert!(tables.len() >= 3, "{tables:?}");
    for Table { name, separated } in tables {
        assert!(separated, "{name}: CALL separate_tenants(ARRAY['{name}']) in its migration");
        assert_eq!(seen(&nobody.of_everyone(), &name).await, 2, "{name} has no row of each organisation");
        for (pool, rows) in
            [(nobody.of(ours), 1), (nobody.of(theirs), 1), (nobody.of(OrganisationId::new()), 0), (nobody.clone(), 0)]
        {
            assert_eq!(seen(&pool, &name).await, rows, "{name}");
        }
    }
    // Nor can rows be made or taken for another.
    let join = format!("INSERT INTO members VALUES ('{theirs}', '{theirs}', now(), '{theirs}')");
    let refused = nobody.of(ours).write(move |db| -> Result<(), db::Error> { Ok(db.batch_execute(&join)?) }).await;
    assert!(refused.unwrap_err().to_string().contains("row-level security"));
    let delete = |db: &mut db::Db| -> Result<(), db::Error> { Ok(db.batch_execute("DELETE FROM api_keys")?) };
    nobody.of(ours).write(delete).await.unwrap();
    assert_eq!(seen(&nobody.of(theirs), "api_keys").await, 1);
    world.end().await;
}
