//! What a database can answer instead of rows.

use callfairy_core::Problem;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as Diesel};

/// Why a query, a transaction or a migration failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is out of reach, too busy or full. The same request may succeed later. When the connection was
    /// lost during a commit, nobody knows whether it happened.
    #[error("the database is out of reach: {0}")]
    Unavailable(String),
    /// A unique index refused the row: its name, see [`Error::is_unique_violation`].
    #[error("the unique index {0} refuses the row")]
    UniqueViolation(String),
    /// A foreign key refused the change: its name, empty on SQLite, which does not tell.
    #[error("the foreign key {0} refuses the change")]
    ForeignKeyViolation(String),
    /// Everything else that a query can answer, `NotFound` too.
    #[error(transparent)]
    Query(Diesel),
    /// The URL or the schema's name is not usable.
    #[error("{0}")]
    Configuration(String),
    /// A migration failed, or the set of migrations is not sound.
    #[error("migration failed: {0}")]
    Migration(String),
    /// The schema lacks migrations that this program needs.
    #[error("the schema {schema} is older than this program: it lacks {}; run the migrations first", .missing.join(", "))]
    SchemaTooOld { schema: String, missing: Vec<String> },
    /// The schema has migrations that this program does not know.
    #[error("the schema {schema} is newer than this program, which does not know its versions {}", .unknown.join(", "))]
    SchemaTooNew { schema: String, unknown: Vec<String> },
    /// The closure panicked; its transaction was rolled back.
    #[error("a query panicked")]
    Panicked,
}

impl Error {
    /// The name of the unique index that refused the row.
    ///
    /// SQLite names only the columns. They are put together the way PostgreSQL names a `UNIQUE` constraint,
    /// `<table>_<column>_<column>_key`: give every unique index that name on both, primary keys too
    /// (`CONSTRAINT users_id_key PRIMARY KEY`) where their name matters.
    pub fn is_unique_violation(&self) -> Option<&str> {
        match self {
            Self::UniqueViolation(name) => Some(name),
            _ => None,
        }
    }

    pub fn is_foreign_key_violation(&self) -> bool {
        matches!(self, Self::ForeignKeyViolation(_))
    }

    /// Whether the same transaction may succeed if it is run again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        match error {
            Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                Self::UniqueViolation(unique_name(&*info))
            }
            Diesel::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, info) => {
                Self::ForeignKeyViolation(info.constraint_name().unwrap_or_default().to_owned())
            }
            Diesel::DatabaseError(kind, info) if passes(kind, info.message()) || is_conflict(kind, info.message()) => {
                Self::Unavailable(info.message().trim().to_owned())
            }
            Diesel::BrokenTransactionManager => Self::Unavailable("the connection was lost".to_owned()),
            Diesel::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            other => Self::Query(other),
        }
    }
}

impl From<diesel::ConnectionError> for Error {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Unavailable(error.to_string().trim().to_owned())
    }
}

/// Logs the cause once, here, since the answer says nothing of it.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.is_transient() {
            // The pool logs an outage once; a line for each request would drown it.
            tracing::debug!(%error, "refused: the database is out of reach");
            return Self::unavailable("the database");
        }
        tracing::error!(%error, "the database refused a query");
        Self::internal()
    }
}

/// Failures that pass by themselves, as far as their kind and text tell: diesel keeps PostgreSQL's SQLSTATE and
/// SQLite's result code to itself.
fn passes(kind: DatabaseErrorKind, message: &str) -> bool {
    const PASSING: &[&str] = &[
        // SQLite: BUSY and LOCKED, FULL, IOERR
        "database is locked",
        "database table is locked",
        "database schema is locked",
        "database or disk is full",
        "disk I/O error",
        // PostgreSQL: 57014, 55P03, 57P01, 57P03, 53100, 53200, 53300, and libpq's own
        "due to statement timeout",
        "due to lock timeout",
        "terminating connection",
        "the database system is",
        "No space left on device",
        "out of memory",
        "out of shared memory",
        "too many clients",
        "no connection to the server",
        "server closed the connection",
        "could not receive data from server",
        "could not send data to server",
    ];
    matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
        || (matches!(kind, DatabaseErrorKind::Unknown) && PASSING.iter().any(|text| message.contains(text)))
}

/// Two transactions were in each other's way and the database gave this one up: run again, it may well succeed.
pub(crate) fn is_conflict(kind: DatabaseErrorKind, message: &str) -> bool {
    matches!(kind, DatabaseErrorKind::SerializationFailure)
        || (matches!(kind, DatabaseErrorKind::Unknown) && message.contains("deadlock detected"))
}

fn unique_name(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    if let Some(name) = info.constraint_name() {
        return name.to_owned();
    }
    // "UNIQUE constraint failed: contacts.organisation_id, contacts.phone", or "… failed: index 'name'"
    let what = info.message().rsplit_once("failed: ").map_or(info.message(), |(_, what)| what);
    if let Some(name) = what.strip_prefix("index '") {
        return name.trim_end_matches('\'').to_owned();
    }
    let table = what.split('.').next().unwrap_or_default();
    let columns = what.split(", ").filter_map(|column| column.split_once('.')).map(|(_, column)| column);
    [table].into_iter().chain(columns).chain(["key"]).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use callfairy_core::ErrorCode;

    fn error(kind: DatabaseErrorKind, message: &str) -> Error {
        Error::from(Diesel::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn what_passes_is_unavailable() {
        for message in [
            "database is locked",
            "database or disk is full",
            "canceling statement due to statement timeout",
            "terminating connection due to administrator command",
            "the database system is starting up",
            "deadlock detected",
        ] {
            let error = error(DatabaseErrorKind::Unknown, message);
            assert!(error.is_transient(), "{message}");
            assert_eq!(Problem::from(error).code, ErrorCode::Unavailable);
        }
        assert!(error(DatabaseErrorKind::ClosedConnection, "").is_transient());
        assert!(error(DatabaseErrorKind::SerializationFailure, "").is_transient());
        let commit = Diesel::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(String::new()));
        let rollback = Box::new(Diesel::BrokenTransactionManager);
        let both = Diesel::RollbackErrorOnCommit { rollback_error: rollback, commit_error: Box::new(commit) };
        assert!(Error::from(both).is_transient());
    }

    #[test]
    fn what_does_not_pass_is_a_defect_and_says_nothing() {
        for error in [
            error(DatabaseErrorKind::Unknown, "relation \"secrets\" does not exist"),
            error(DatabaseErrorKind::CheckViolation, "database is locked"),
            error(DatabaseErrorKind::UniqueViolation, "UNIQUE constraint failed: users.email"),
            Error::Query(Diesel::NotFound),
            Error::Panicked,
        ] {
            assert!(!error.is_transient(), "{error}");
            assert_eq!(Problem::from(error), Problem::internal());
        }
    }

    #[test]
    fn sqlite_indexes_are_named_as_postgresql_names_them() {
        for (message, name) in [
            ("UNIQUE constraint failed: users.email", "users_email_key"),
            (
                "UNIQUE constraint failed: contacts.organisation_id, contacts.phone",
                "contacts_organisation_id_phone_key",
            ),
            ("UNIQUE constraint failed: index 'users_email_key'", "users_email_key"),
        ] {
            let error = error(DatabaseErrorKind::UniqueViolation, message);
            assert_eq!(error.is_unique_violation(), Some(name));
        }
    }
}
