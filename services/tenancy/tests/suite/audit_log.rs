//! The audit log: a chain that only grows.

use crate::world::{World, code};
use callfairy_core::{Clock, ErrorCode, Id, OrganisationId, UserId};
use db::Pool;
use proto::rpc::audit_log::{AppendAuditEntries, ListAuditLogs};
use proto::tenancy::*;
use std::collections::BTreeMap;
use std::time::Duration;
use tenancy::{Fault, VerificationError, verify_audit_log};

testkit::on_both!(
    an_entry_that_comes_again_is_there_once,
    entries_come_back_as_they_were_appended,
    is_listed_by_page_the_newest_first,
    is_listed_by_actor_action_organisation_and_time,
    is_for_superadmins,
    nobody_changes_what_is_there,
    a_changed_entry_is_found,
    a_removed_entry_is_found,
    a_cut_end_is_found,
    swapped_entries_are_found,
    an_added_entry_is_found,
    a_noted_hash_stays_in_the_log,
    grows_by_one_at_a_time,
);

fn entry(world: &World) -> NewAuditEntry {
    NewAuditEntry {
        id: Id::<()>::new().to_string(),
        at: Some(world.clock.now().into()),
        actor_kind: "user".to_owned(),
        actor_id: UserId::new().to_string(),
        action: "sign_in".to_owned(),
        outcome: "done".to_owned(),
        ..Default::default()
    }
}

async fn append(world: &World, entries: &[NewAuditEntry]) {
    let request = AppendAuditEntriesRequest { entries: entries.to_vec() };
    world.asks::<AppendAuditEntries>(request).await.unwrap();
}

/// As another action than those that tenancy records itself.
async fn filled(world: &World, count: usize) -> Vec<NewAuditEntry> {
    let entries: Vec<_> = (0..count).map(|_| entry(world)).collect();
    append(world, &entries).await;
    entries
}

async fn list(world: &World, request: ListAuditLogsRequest) -> ListAuditLogsResponse {
    world.call::<ListAuditLogs>(world.superadmin, request).await.unwrap()
}

fn ids(entries: &[AuditLogEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

/// As whoever owns the database.
async fn tamper(world: &World, sql: &str) {
    let owner = Owner::connect(world);
    owner.run(sql);
}

fn pool(world: &World) -> Pool {
    Pool::open(world.database.url(), "tenancy", 2).unwrap()
}

async fn an_entry_that_comes_again_is_there_once(world: &World) {
    let (one, other) = (entry(world), entry(world));
    append(world, &[one.clone(), other.clone(), one.clone()]).await;
    append(world, std::slice::from_ref(&one)).await;
    let third = entry(world);
    append(world, &[other.clone(), third.clone()]).await;
    let entries = world.audited("sign_in").await;
    assert_eq!(ids(&entries), [&third.id, &other.id, &one.id]);
    let verified = verify_audit_log(&pool(world), None).await.unwrap();
    assert_eq!((verified.entries, verified.head.as_str()), (3, entries[0].hash.as_str()));
}

async fn entries_come_back_as_they_were_appended(world: &World) {
    let organisation = OrganisationId::new().to_string();
    let sent = NewAuditEntry {
        organisation_id: organisation.clone(),
        subject_kind: "call".to_owned(),
        subject_id: Id::<()>::new().to_string(),
        outcome: "refused".to_owned(),
        network: "192.0.2.0/24".to_owned(),
        details: BTreeMap::from([("permission".to_owned(), "make_calls".to_owned())]),
        ..entry(world)
    };
    append(world, &[sent.clone(), entry(world)]).await;
    let [second, first] = world.audited("sign_in").await.try_into().unwrap();
    let expected = AuditLogEntry {
        id: sent.id,
        sequence: 1,
        at: sent.at,
        actor: Some(AuditActor { kind: sent.actor_kind, id: sent.actor_id }),
        action: sent.action,
        organisation_id: Some(organisation),
        subject: Some(AuditSubject { kind: sent.subject_kind, id: sent.subject_id }),
        outcome: sent.outcome,
        network: sent.network,
        details: sent.details,
        previous_hash: "0".repeat(64),
        hash: first.hash.clone(),
    };
    assert_eq!(first, expected);
    assert_eq!((second.sequence, second.previous_hash), (2, first.hash));
    assert_eq!((second.organisation_id, second.subject), (None, None));
}

async fn is_listed_by_page_the_newest_first(world: &World) {
    let early = filled(world, 3).await;
    world.clock.advance(Duration::from_secs(1));
    let late = filled(world, 4).await;
    let expected: Vec<_> = early.iter().chain(&late).rev().map(|entry| entry.id.clone()).collect();
    let (mut found, mut token) = (vec![], String::new());
    loop {
        let request = ListAuditLogsRequest { page_size: 2, page_token: token, ..Default::default() };
        let page = list(world, request).await;
        assert!(page.audit_logs.len() <= 2);
        found.extend(page.audit_logs.into_iter().map(|entry| entry.id));
        // What comes meanwhile is newer than every page that is still to be read.
        if found.len() == 2 {
            filled(world, 1).await;
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, expected);
}

async fn is_listed_by_actor_action_organisation_and_time(world: &World) {
    let organisation = OrganisationId::new().to_string();
    let one = NewAuditEntry { organisation_id: organisation.clone(), ..entry(world) };
    let other = NewAuditEntry { action: "sign_out".to_owned(), actor_id: one.actor_id.clone(), ..entry(world) };
    append(world, &[one.clone(), other.clone()]).await;
    let middle = world.clock.advance(Duration::from_secs(10));
    let late = NewAuditEntry { organisation_id: organisation.clone(), ..entry(world) };
    append(world, std::slice::from_ref(&late)).await;
    let empty = ListAuditLogsRequest::default;
    for (request, expected) in [
        (ListAuditLogsRequest { actor: one.actor_id.to_uppercase(), ..empty() }, vec![&other.id, &one.id]),
        (ListAuditLogsRequest { action: "sign_out".to_owned(), ..empty() }, vec![&other.id]),
        (ListAuditLogsRequest { organisation_id: organisation.clone(), ..empty() }, vec![&late.id, &one.id]),
        (ListAuditLogsRequest { from: Some(middle.into()), ..empty() }, vec![&late.id]),
        (ListAuditLogsRequest { to: Some(middle.into()), ..empty() }, vec![&other.id, &one.id]),
        (
            ListAuditLogsRequest {
                actor: one.actor_id.clone(),
                action: "sign_in".to_owned(),
                organisation_id: organisation,
                to: Some(middle.into()),
                ..empty()
            },
            vec![&one.id],
        ),
        (ListAuditLogsRequest { action: "nothing".to_owned(), ..empty() }, vec![]),
    ] {
        assert_eq!(ids(&list(world, request.clone()).await.audit_logs), expected, "{request:?}");
    }
}

async fn is_for_superadmins(world: &World) {
    let user = world.user("Ada").await;
    assert_eq!(code(world.call::<ListAuditLogs>(user, <_>::default()).await), ErrorCode::PermissionDenied);
    let forged = AppendAuditEntriesRequest { entries: vec![entry(world)] };
    let answer = world.call::<AppendAuditEntries>(world.superadmin, forged).await;
    assert_eq!(code(answer), ErrorCode::PermissionDenied);
    assert_eq!(world.audited("sign_in").await, []);
}

async fn nobody_changes_what_is_there(world: &World) {
    filled(world, 2).await;
    let before = world.audited("sign_in").await;
    let mut attempts = vec!["UPDATE audit_log SET outcome = 'done'", "DELETE FROM audit_log"];
    attempts.push(if world.database.is_postgres() {
        "TRUNCATE audit_log"
    } else {
        "INSERT OR REPLACE INTO audit_log SELECT 2, id, at, actor_kind, actor_id, 'nothing', organisation_id, subject_kind, \
         subject_id, outcome, network, details, previous_hash, hash FROM audit_log WHERE sequence = 1"
    });
    let reason = if world.database.is_postgres() { "permission denied" } else { "append-only" };
    for sql in attempts {
        let attempt = move |db: &mut db::Db| -> Result<(), db::Error> { Ok(db.batch_execute(sql)?) };
        let error = pool(world).of_everyone().write(attempt).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    if world.database.is_postgres() {
        // Nor does its owner, by mistake.
        assert!(Owner::connect(world).try_run("DELETE FROM tenancy.audit_log").unwrap_err().contains("append-only"));
        // And migrating again gives nothing back.
        let url = world.database.url().to_owned();
        tokio::task::spawn_blocking(move || db::migrate(&url, "tenancy", &tenancy::MIGRATIONS)).await.unwrap().unwrap();
        let delete = |db: &mut db::Db| -> Result<(), db::Error> { Ok(db.batch_execute("DELETE FROM audit_log")?) };
        let error = pool(world).of_everyone().write(delete).await.unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{error}");
        // One organisation's work sees nothing of it.
        let read = |db: &mut db::Db| -> Result<(), db::Error> {
            db.batch_execute("SELECT 1 / (SELECT count(*) FROM audit_log)")?;
            Ok(())
        };
        let organisation = OrganisationId::new();
        for pool in [pool(world), pool(world).of(organisation)] {
            assert!(pool.read(read).await.unwrap_err().to_string().contains("division by zero"));
        }
        pool(world).of_everyone().read(read).await.unwrap();
    }
    assert_eq!(world.audited("sign_in").await, before);
}

async fn broken(world: &World) -> (i64, Fault) {
    match verify_audit_log(&pool(world), None).await {
        Err(VerificationError::Broken { sequence, why }) => (sequence, why),
        other => panic!("{other:?}"),
    }
}

async fn a_changed_entry_is_found(world: &World) {
    filled(world, 5).await;
    verify_audit_log(&pool(world), None).await.unwrap();
    tamper(world, "UPDATE audit_log SET action = 'sign_out' WHERE sequence = 3").await;
    assert_eq!(broken(world).await, (3, Fault::Changed));
    tamper(world, "UPDATE audit_log SET action = 'sign_in', organisation_id = id WHERE sequence = 3").await;
    assert_eq!(broken(world).await, (3, Fault::Changed));
    tamper(world, "UPDATE audit_log SET organisation_id = NULL WHERE sequence = 3").await;
    verify_audit_log(&pool(world), None).await.unwrap();
    tamper(world, "UPDATE audit_log SET previous_hash = hash WHERE sequence = 5").await;
    assert_eq!(broken(world).await, (5, Fault::Changed));
}

async fn a_removed_entry_is_found(world: &World) {
    filled(world, 5).await;
    tamper(world, "DELETE FROM audit_log WHERE sequence = 2").await;
    assert_eq!(broken(world).await, (2, Fault::Missing));
    // Also when the others close ranks.
    for next in 3..=5 {
        tamper(world, &format!("UPDATE audit_log SET sequence = {} WHERE sequence = {next}", next - 1)).await;
    }
    assert_eq!(broken(world).await, (2, Fault::Changed));
}

async fn a_cut_end_is_found(world: &World) {
    filled(world, 5).await;
    tamper(world, "DELETE FROM audit_log WHERE sequence > 3").await;
    assert_eq!(broken(world).await, (4, Fault::CutOff));
    tamper(world, "DELETE FROM audit_log").await;
    assert_eq!(broken(world).await, (1, Fault::CutOff));
    tamper(world, "DELETE FROM audit_head").await;
    assert_eq!(broken(world).await, (1, Fault::CutOff));
}

async fn swapped_entries_are_found(world: &World) {
    filled(world, 5).await;
    for (from, to) in [(2, 6), (4, 2), (6, 4)] {
        tamper(world, &format!("UPDATE audit_log SET sequence = {to} WHERE sequence = {from}")).await;
    }
    assert_eq!(broken(world).await, (2, Fault::Changed));
}

async fn an_added_entry_is_found(world: &World) {
    filled(world, 2).await;
    let third = entry(world);
    append(world, &[third]).await;
    // A whole chain, but longer than what was appended through the head.
    let verified = verify_audit_log(&pool(world), None).await.unwrap();
    tamper(world, "UPDATE audit_head SET sequence = 2, hash = (SELECT hash FROM audit_log WHERE sequence = 2)").await;
    assert_eq!(broken(world).await, (3, Fault::Added));
    tamper(world, "UPDATE audit_head SET sequence = 3").await;
    assert_eq!(broken(world).await, (3, Fault::Changed));
    tamper(world, "UPDATE audit_head SET hash = (SELECT hash FROM audit_log WHERE sequence = 3)").await;
    assert_eq!(verify_audit_log(&pool(world), None).await.unwrap(), verified);
}

async fn a_noted_hash_stays_in_the_log(world: &World) {
    filled(world, 2).await;
    let pool = pool(world);
    let noted = verify_audit_log(&pool, None).await.unwrap().head;
    filled(world, 3).await;
    assert_eq!(verify_audit_log(&pool, Some(&noted)).await.unwrap().entries, 5);
    let stranger = verify_audit_log(&pool, Some(&"ab".repeat(32))).await;
    assert!(matches!(stranger, Err(VerificationError::Unexpected(_))), "{stranger:?}");
    let nonsense = verify_audit_log(&pool, Some("abc")).await;
    assert!(matches!(nonsense, Err(VerificationError::NoHash(_))), "{nonsense:?}");
}

async fn grows_by_one_at_a_time(world: &World) {
    let entries: Vec<_> = (0..40).map(|_| entry(world)).collect();
    let appends = entries.chunks(4).map(|some| append(world, some));
    futures_util::future::join_all(appends).await;
    assert_eq!(verify_audit_log(&pool(world), None).await.unwrap().entries, 40);
}

/// Whoever owns the database: neither the service's role nor a trigger is in their way.
struct Owner {
    url: String,
    is_postgres: bool,
}

impl Owner {
    fn connect(world: &World) -> Self {
        Self { url: world.database.url().to_owned(), is_postgres: world.database.is_postgres() }
    }

    fn run(&self, sql: &str) {
        let sql = if self.is_postgres {
            format!("SET search_path TO tenancy; SET session_replication_role TO replica; {sql}")
        } else {
            let triggers = ["update", "delete", "replace"];
            let drop = triggers.map(|name| format!("DROP TRIGGER IF EXISTS audit_log_{name};")).concat();
            format!("{drop} {sql}")
        };
        self.try_run(&sql).unwrap();
    }

    fn try_run(&self, sql: &str) -> Result<(), String> {
        use db::diesel::connection::SimpleConnection as _;
        use db::diesel::{Connection as _, PgConnection, SqliteConnection};
        let done = if self.is_postgres {
            PgConnection::establish(&self.url).unwrap().batch_execute(sql)
        } else {
            let file = self.url.strip_prefix("sqlite:").unwrap();
            SqliteConnection::establish(file).unwrap().batch_execute(&format!("PRAGMA busy_timeout = 30000; {sql}"))
        };
        done.map_err(|error| error.to_string())
    }
}
