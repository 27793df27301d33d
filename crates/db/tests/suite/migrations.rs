//! Schemas that fit the program, and those that do not.

use crate::base::{Base, MIGRATIONS, SCHEMA};
use db::diesel::prelude::*;
use db::diesel::sql_types::BigInt;
use db::{Error, Migrations, Pool, check, migrate, on, plan};

const BROKEN: Migrations = db::migrations!("tests/migrations/broken/postgres", "tests/migrations/broken/sqlite");
const SAME: Migrations = db::migrations!("tests/migrations/same/postgres", "tests/migrations/same/sqlite");
const REBUILD: Migrations = db::migrations!("tests/migrations/rebuild/postgres", "tests/migrations/rebuild/sqlite");
const DANGLING: Migrations = db::migrations!("tests/migrations/dangling/postgres", "tests/migrations/dangling/sqlite");

crate::on_both!(
    both_sets_are_run_once,
    starters_at_the_same_time_do_not_race,
    an_older_schema_is_refused,
    a_newer_schema_is_refused,
    a_failed_migration_is_named_and_undone,
    a_version_that_is_there_twice_is_refused,
    a_table_is_rebuilt_without_losing_its_children,
    foreign_keys_hold_after_a_migration,
);

const ALL: [&str; 3] = ["0000_common", "0000-1_tenants", "0001_init"];

async fn both_sets_are_run_once(base: Base) {
    assert_eq!(plan(&base.url, SCHEMA, &MIGRATIONS).unwrap(), ALL);
    assert_eq!(migrate(&base.url, SCHEMA, &MIGRATIONS).unwrap(), ALL);
    assert_eq!(migrate(&base.url, SCHEMA, &MIGRATIONS).unwrap(), [""; 0]);
    assert_eq!(plan(&base.url, SCHEMA, &MIGRATIONS).unwrap(), [""; 0]);
    check(&base.url, SCHEMA, &MIGRATIONS).unwrap();
    if base.is_postgres() {
        // Another service's schema in the same database knows nothing of it.
        assert_eq!(plan(&base.url, "other", &MIGRATIONS).unwrap(), ALL);
        assert_eq!(migrate(&base.url, "other", &MIGRATIONS).unwrap(), ALL);
    }
}

async fn starters_at_the_same_time_do_not_race(base: Base) {
    let starters: Vec<_> = (0..8)
        .map(|_| {
            let url = base.url.clone();
            std::thread::spawn(move || migrate(&url, SCHEMA, &MIGRATIONS))
        })
        .collect();
    let mut run: Vec<usize> = starters.into_iter().map(|starter| starter.join().unwrap().unwrap().len()).collect();
    run.sort_unstable();
    assert_eq!(run, [0, 0, 0, 0, 0, 0, 0, ALL.len()]);
}

async fn an_older_schema_is_refused(base: Base) {
    let error = check(&base.url, SCHEMA, &MIGRATIONS).unwrap_err();
    assert!(matches!(&error, Error::SchemaTooOld { missing, .. } if missing == &ALL), "{error:?}");
    assert!(error.to_string().contains("it lacks 0000_common, 0000-1_tenants, 0001_init"), "{error}");
    // Asking changed nothing.
    assert_eq!(plan(&base.url, SCHEMA, &MIGRATIONS).unwrap(), ALL);
}

async fn a_newer_schema_is_refused(base: Base) {
    migrate(&base.url, SCHEMA, &MIGRATIONS).unwrap();
    base.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('0002'), ('0003')");
    for refused in [
        check(&base.url, SCHEMA, &MIGRATIONS),
        migrate(&base.url, SCHEMA, &MIGRATIONS).map(|_| ()),
        plan(&base.url, SCHEMA, &MIGRATIONS).map(|_| ()),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(&error, Error::SchemaTooNew { unknown, .. } if unknown == &["0002", "0003"]), "{error:?}");
        assert!(error.to_string().contains("does not know its versions 0002, 0003"), "{error}");
    }
}

async fn a_failed_migration_is_named_and_undone(base: Base) {
    let error = migrate(&base.url, SCHEMA, &BROKEN).unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.contains("0002_broken")), "{error:?}");
    // PostgreSQL keeps the migrations before it, SQLite takes all or nothing; neither keeps a half.
    let left = plan(&base.url, SCHEMA, &BROKEN).unwrap();
    assert_eq!(left.len(), if base.is_postgres() { 1 } else { ALL.len() + 1 }, "{left:?}");
    assert_eq!(left.last().map(String::as_str), Some("0002_broken"));
    base.execute("CREATE TABLE second (id integer)");
}

async fn a_version_that_is_there_twice_is_refused(base: Base) {
    let error = migrate(&base.url, SCHEMA, &SAME).unwrap_err();
    assert!(error.to_string().contains("0000_again has the same version as 0000_common"), "{error}");
}

async fn a_table_is_rebuilt_without_losing_its_children(base: Base) {
    assert_eq!(migrate(&base.url, SCHEMA, &REBUILD).unwrap().len(), ALL.len() + 1);
    assert_eq!(rows(&base.open(1)).await, 1);
}

async fn foreign_keys_hold_after_a_migration(base: Base) {
    let error = migrate(&base.url, SCHEMA, &DANGLING).unwrap_err();
    assert!(matches!(error, Error::Migration(_)), "{error:?}");
    assert!(plan(&base.url, SCHEMA, &DANGLING).unwrap().contains(&"0001_init".to_owned()));
}

async fn rows(pool: &Pool) -> i64 {
    #[derive(QueryableByName)]
    struct Rows {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    pool.read(|db| {
        let rows: Rows = on!(db, |c| diesel::sql_query(
            "SELECT count(*) AS number FROM children JOIN parents ON parents.id = parent_id"
        )
        .get_result(c))?;
        Ok::<_, Error>(rows.number)
    })
    .await
    .unwrap()
}
