//! Whom a service is to PostgreSQL: a role that may work with the service's rows and owns nothing, so that it can change
//! no table and switch off no policy. Whoever migrates owns the tables.

use crate::Error;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;

const PREFIX: &str = "callfairy_";
/// A table with a trigger of this name, which refuses it to everybody, is never updated by a service, nor deleted from.
const APPEND_ONLY: &str = "append_only";
/// PostgreSQL cuts longer identifiers.
const MAX_IDENTIFIER_LENGTH: usize = 63;
/// Of a schema, so that its role has a name.
pub(crate) const MAX_SCHEMA_LENGTH: usize = MAX_IDENTIFIER_LENGTH - PREFIX.len();

pub(crate) fn of(schema: &str) -> String {
    format!("{PREFIX}{schema}")
}

/// Makes the role if the server lacks it, and gives it what there is in the schema by now. Roles belong to the server and
/// not to a database: another database's migration may be making the same one.
pub(crate) fn grant(connection: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let role = of(schema);
    let failed = |error: diesel::result::Error| {
        let remedy = format!("CREATE ROLE {role} NOLOGIN; GRANT {role} TO <the user of the database URL>");
        Error::Migration(format!("the role {role} cannot be set up ({error}); as a superuser: {remedy}"))
    };
    connection
        .batch_execute(&format!(
            "DO $$ BEGIN \
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        ))
        .map_err(failed)?;
    // A superuser is every role, and a grant would only collide with those of other databases' migrations.
    if connection.batch_execute(&format!("SET ROLE {role}; RESET ROLE")).is_err() {
        connection.batch_execute(&format!("GRANT {role} TO CURRENT_USER")).map_err(failed)?;
    }
    connection
        .batch_execute(&format!(
            "GRANT USAGE ON SCHEMA {schema} TO {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}; \
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}; \
             REVOKE INSERT, UPDATE, DELETE ON {schema}.__diesel_schema_migrations FROM {role}; \
             DO $$ DECLARE name regclass; BEGIN \
               FOR name IN SELECT c.oid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
                 WHERE t.tgname = '{APPEND_ONLY}' AND c.relnamespace = '{schema}'::regnamespace \
               LOOP EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM {role}', name); END LOOP; \
             END $$",
        ))
        .map_err(failed)
}
