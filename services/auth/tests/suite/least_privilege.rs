//! auth is nobody to PostgreSQL who could do more than its work: the tables belong to whoever migrates.

use crate::world::World;

testkit::on_both!(the_service_owns_nothing_and_alters_nothing);

async fn the_service_owns_nothing_and_alters_nothing(world: &World) {
    if !world.database.is_postgres() {
        return;
    }
    assert_eq!(world.text("SELECT current_user::text AS text").await, "callfairy_auth");
    let mine = "relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)";
    assert_eq!(world.count(&format!("pg_class WHERE {mine}")).await, 0);
    let rights = "rolname = current_user AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolcanlogin)";
    assert_eq!(world.count(&format!("pg_roles WHERE {rights}")).await, 0);
    for sql in [
        "ALTER TABLE users ADD COLUMN trap text",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "CREATE TABLE mine (id integer)",
        "CREATE INDEX mine ON users (name)",
        "DROP TABLE identities",
        "TRUNCATE signing_keys CASCADE",
        "DELETE FROM __diesel_schema_migrations",
        "CREATE ROLE mine",
        "GRANT SELECT ON users TO public",
    ] {
        let tried = world.pool.write(move |db| Ok::<_, db::Error>(db.batch_execute(sql)?)).await;
        let refused = tried.map_or_else(|error| error.to_string(), |()| "it was done".to_owned());
        let known = ["permission denied", "must be owner", "must have"].iter().any(|why| refused.contains(why));
        // GRANT only warns.
        assert!(known || sql.starts_with("GRANT"), "{sql}: {refused}");
    }
    let public = "information_schema.table_privileges WHERE grantee = 'PUBLIC' AND table_name = 'users'";
    assert_eq!(world.count(public).await, 0);
}
