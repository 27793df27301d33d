//! The one door to the database.

use crate::connect::{Place, Purpose};
use crate::connections::{Connections, Loan};
use crate::tenant::Tenant;
use crate::{Db, Error, outbox};
use callfairy_core::OrganisationId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often a transaction is run when the database gives it up in favour of another one.
const MAX_ATTEMPTS: u32 = 3;
/// Before the next run, so that the other transaction gets the locks that it waits for.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);

/// Connections to one service's tables. Cheap to clone.
///
/// Tasks wait for their turn without a thread; the queries run on tokio's blocking threads, never on more than there
/// are connections. On SQLite writers queue, in order, in front of a single connection, beside the readers.
///
/// On PostgreSQL it shows no rows of tables that [belong to organisations](Self::of), until it is told whose.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Inner>,
    tenant: Tenant,
    after_write: Option<AfterWrite>,
}

type AfterWrite = Arc<dyn Fn(&mut Db) + Send + Sync>;

struct Inner {
    postgres: bool,
    read: Arc<Connections>,
    /// The same as `read` on PostgreSQL.
    write: Arc<Connections>,
    outbox: Notify,
}

impl Pool {
    /// `postgres://…`, where every connection sees the tables of `schema`, or `sqlite:<file>`, where the file is the
    /// schema. At most `size` connections, made when they are needed: a PostgreSQL that is down is no error here, but
    /// [`Error::Unavailable`] at the first query.
    pub fn open(url: &str, schema: &str, size: u32) -> Result<Self, Error> {
        let place = Place::parse(url, schema)?;
        place.prepare()?;
        let size = usize::try_from(size.max(1)).unwrap_or(1);
        let postgres = place.is_postgres();
        let (read, write) = if postgres {
            let both = Connections::new(place, Purpose::Write, size);
            (Arc::clone(&both), both)
        } else {
            (Connections::new(place.clone(), Purpose::Read, size), Connections::new(place, Purpose::Write, 1))
        };
        let shared = Arc::new(Inner { postgres, read, write, outbox: Notify::new() });
        Ok(Self { shared, tenant: Tenant::Nobody, after_write: None })
    }

    /// From now on each [`Pool::write`] by this pool and its clones runs `look` after its commit and before its answer, on
    /// the same connection, outside of any transaction. It may only read.
    #[must_use]
    pub fn after_each_write(self, look: impl Fn(&mut Db) + Send + Sync + 'static) -> Self {
        Self { after_write: Some(Arc::new(look)), ..self }
    }

    /// The same connections, showing the rows of one organisation: those of tables that a migration has handed to
    /// `separate_tenants`. Other rows are not there, whatever the query says, and cannot be made.
    #[must_use]
    pub fn of(&self, organisation: OrganisationId) -> Self {
        Self { tenant: Tenant::One(organisation), ..self.clone() }
    }

    /// The same connections, showing the rows of all organisations: for work that nobody asked for at this moment, never
    /// on behalf of a caller from outside.
    #[must_use]
    pub fn of_everyone(&self) -> Self {
        Self { tenant: Tenant::Everyone, ..self.clone() }
    }

    /// Runs `f`, which may only read: a write in it is refused by both databases. There is no transaction around it;
    /// each statement sees what is committed when it starts.
    ///
    /// If the caller goes away, `f` still runs to its end.
    pub async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Db) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let turn = self.shared.read.turn().await?;
        let pool = self.clone();
        blocking(move || {
            let mut loan = pool.shared.read.lend(turn, pool.tenant)?;
            f(loan.parts()?.0)
        })
        .await
    }

    /// Runs `f` in one transaction: commits when it answers `Ok`, rolls back on `Err` and on a panic. After a commit
    /// that added rows to the outbox, the relay wakes.
    ///
    /// `f` is run again, up to three times in all, when PostgreSQL gives the transaction up because of a deadlock;
    /// so it borrows what it captured, and has no effect but on `db`. [`Error::Unavailable`] may mean that the
    /// connection was lost during the commit, and then nobody knows whether it happened.
    ///
    /// If the caller goes away, `f` still runs to its end and commits.
    pub async fn write<T, E, F>(&self, mut f: F) -> Result<T, E>
    where
        F: FnMut(&mut Db) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let turn = self.shared.write.turn().await?;
        let pool = self.clone();
        blocking(move || {
            let mut loan = pool.shared.write.lend(turn, pool.tenant)?;
            let mut attempt = 1;
            let answer = loop {
                match transaction(&mut loan, &mut f) {
                    Outcome::Conflict(_) if attempt < MAX_ATTEMPTS => {
                        std::thread::sleep(CONFLICT_PAUSE * attempt);
                        attempt += 1;
                    }
                    Outcome::Conflict(answer) | Outcome::Done(answer) => break answer,
                }
            };
            if answer.is_ok() && outbox::take_added() {
                pool.shared.outbox.notify_one();
            }
            if answer.is_ok()
                && let Some(look) = &pool.after_write
                && let Ok((db, _)) = loan.parts()
            {
                look(db);
            }
            answer
        })
        .await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|db| Ok(db.ping()?)).await
    }

    pub fn is_postgres(&self) -> bool {
        self.shared.postgres
    }

    /// Resolves after a commit that added rows to the outbox, also when the commit came first.
    pub(crate) async fn outbox_added(&self) {
        self.shared.outbox.notified().await;
    }
}

/// How one run of a transaction ended.
enum Outcome<T, E> {
    Done(Result<T, E>),
    /// Rolled back in favour of another transaction.
    Conflict(Result<T, E>),
}

fn transaction<T, E: From<Error>>(loan: &mut Loan, f: &mut impl FnMut(&mut Db) -> Result<T, E>) -> Outcome<T, E> {
    outbox::take_added();
    if let Err(error) = begin(loan) {
        return Outcome::Done(Err(error.into()));
    }
    let (db, watch) = match loan.parts() {
        Ok(parts) => parts,
        Err(error) => return Outcome::Done(Err(error.into())),
    };
    let answer = f(db).and_then(|value| {
        // PostgreSQL answers COMMIT with a silent ROLLBACK if an error was swallowed outside a savepoint.
        if watch.saw_failure() {
            db.ping().map_err(Error::from)?;
        }
        Ok(value)
    });
    let answer = match answer {
        Ok(value) => db.commit().map(|()| value).map_err(|error| Error::from(error).into()),
        Err(error) => {
            // If this fails, the pool throws the connection away, and the first error is the telling one.
            if let Err(rollback) = db.rollback() {
                tracing::debug!(error = %rollback, "could not roll back");
            }
            Err(error)
        }
    };
    if answer.is_err() && watch.saw_conflict() { Outcome::Conflict(answer) } else { Outcome::Done(answer) }
}

/// Begins, on a fresh connection if the pool's was lost meanwhile.
fn begin(loan: &mut Loan) -> Result<(), Error> {
    let (db, watch) = loan.parts()?;
    watch.reset();
    match db.begin_write() {
        Err(_) if db.is_broken() => {
            loan.replace()?;
            Ok(loan.parts()?.0.begin_write()?)
        }
        other => Ok(other?),
    }
}

async fn blocking<T, E>(f: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(f).await {
        Ok(answer) => answer,
        // Its message was printed by the panic hook.
        Err(error) if error.is_panic() => Err(Error::Panicked.into()),
        // The runtime is shutting down.
        Err(error) => Err(Error::Unavailable(error.to_string()).into()),
    }
}
