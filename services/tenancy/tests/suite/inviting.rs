//! Members are invited by their addresses, and nobody is told whose those are.

use crate::world::{DEADLINE, World, account, nobody};
use access::Meta;
use callfairy_core::{ErrorCode, UserId};
use db::diesel;
use db::diesel::prelude::*;
use db::diesel::sql_types::BigInt;
use db::on;
use proto::rpc::authority::ReportAccount;
use proto::rpc::members::AddMember;
use proto::tenancy::*;
use proto::types::Detail;
use runtime::{Listener, LocalSlots, Shutdown};
use std::time::Duration;
use tokio::task::JoinHandle;

testkit::on_both!(
    answers_alike_whoever_owns_the_address,
    waits_for_an_active_account,
    knows_an_address_in_any_spelling,
    waits_for_seven_days,
    an_account_and_an_invitation_at_the_same_time_meet,
    invites_once_for_one_key,
    refuses_what_is_no_address,
    forgets_old_invitations,
);

/// How long an invitation waits, in two parts.
const ALMOST_A_WEEK: Duration = Duration::from_secs(7 * 24 * 3_600 - 1);
const THE_REST: Duration = Duration::from_secs(1);

fn to(organisation: &str, email: &str) -> AddMemberRequest {
    AddMemberRequest { organisation_id: organisation.to_owned(), email: email.to_owned(), name: "Someone".to_owned() }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(pool: &db::Pool, query: &'static str) -> i64 {
    let count =
        move |db: &mut db::Db| Ok::<_, db::Error>(on!(db, |c| diesel::sql_query(query).get_result::<Count>(c))?);
    pool.read(count).await.unwrap().count
}

async fn is_member(world: &World, user: UserId, organisation: &str) -> bool {
    world.snapshot(user, organisation).await.relation() == Relation::Member
}

async fn answers_alike_whoever_owns_the_address(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let idle = world.user("Ida").await;
    world.report_account(AccountFact { version: 2, is_active: false, ..account(idle, "Ida") }).await;
    world.user("Una").await;
    world.member("Mia", &acme).await;
    let mut answers = Vec::new();
    for name in ["una", "mia", "ida", "unknown", "unknown", "root"] {
        answers
            .push(world.call::<AddMember>(world.superadmin, to(&acme, &format!("{name}@example.com"))).await.unwrap());
    }
    let alike = Detail { detail: answers[0].detail.clone() };
    assert!(!alike.detail.is_empty());
    assert_eq!(answers, vec![alike; 6]);
}

async fn waits_for_an_active_account(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    for organisation in [&acme, &globex] {
        world.invite(organisation, "nia@example.com").await;
    }
    let user = UserId::new();
    // Not verified yet, so anybody may have registered it.
    world.report_account(AccountFact { is_active: false, ..account(user, "Nia") }).await;
    world.report_account(account(UserId::new(), "Another")).await;
    assert!(!is_member(world, user, &acme).await);
    world.report_account(AccountFact { version: 2, ..account(user, "Nia") }).await;
    assert!(is_member(world, user, &acme).await && is_member(world, user, &globex).await);

    // An invitation is good for one membership.
    let request = RemoveMemberRequest { organisation_id: acme.clone(), user_id: user.to_string() };
    world.call::<proto::rpc::members::RemoveMember>(world.superadmin, request).await.unwrap();
    world.report_account(AccountFact { version: 3, ..account(user, "Nia") }).await;
    assert!(!is_member(world, user, &acme).await && is_member(world, user, &globex).await);

    // A report that is late says nothing.
    world.report_account(AccountFact { version: 4, is_active: false, ..account(user, "Nia") }).await;
    world.invite(&acme, "nia@example.com").await;
    world.report_account(AccountFact { version: 3, ..account(user, "Nia") }).await;
    world
        .report_account(AccountFact { version: 5, email: "other@example.com".to_owned(), ..account(user, "Nia") })
        .await;
    assert!(!is_member(world, user, &acme).await);
}

async fn knows_an_address_in_any_spelling(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let jose = UserId::new();
    let spelled = |email: &str| AccountFact { email: email.to_owned(), ..account(jose, "José") };
    world.report_account(spelled("Jose\u{301}@Example.com")).await;
    let other = UserId::new();
    world.report_account(AccountFact { email: "jose@example.com".to_owned(), ..account(other, "Jose") }).await;
    world.invite(&acme, "JOSÉ@example.COM").await;
    assert!(is_member(world, jose, &acme).await && !is_member(world, other, &acme).await);

    world.invite(&acme, "Nia@Example.com").await;
    let nia = UserId::new();
    world.report_account(AccountFact { email: "nia@EXAMPLE.com".to_owned(), ..account(nia, "Nia") }).await;
    assert!(is_member(world, nia, &acme).await);
}

async fn waits_for_seven_days(world: &World) {
    let acme = world.organisation("Acme").await.id;
    for name in ["late", "again", "early"] {
        world.invite(&acme, &format!("{name}@example.com")).await;
    }
    world.clock.advance(ALMOST_A_WEEK);
    let early = world.user("Early").await;
    assert!(is_member(world, early, &acme).await);
    // Whoever is invited again has another week.
    world.invite(&acme, "again@example.com").await;
    world.clock.advance(THE_REST);
    let (late, again) = (world.user("Late").await, world.user("Again").await);
    assert!(!is_member(world, late, &acme).await && is_member(world, again, &acme).await);
}

async fn an_account_and_an_invitation_at_the_same_time_meet(world: &World) {
    const ROUNDS: usize = 5;
    let acme = world.organisation("Acme").await.id;
    for round in 0..ROUNDS {
        let (user, name) = (UserId::new(), format!("user{round}"));
        let fact = account(user, &name);
        let (service, superadmin) = (world.service.meta().unwrap(), world.signed_in(world.superadmin));
        let (invitation, gate) = (to(&acme, &fact.email), Gate::closed(world).await);
        let (reported, invited, ()) = tokio::join!(
            world.tenancy.unary::<ReportAccount>(&service, fact),
            world.tenancy.unary::<AddMember>(&superadmin, invitation),
            async {
                if let Some(gate) = gate {
                    gate.open_for(2).await;
                }
            },
        );
        reported.unwrap();
        invited.unwrap();
        assert!(is_member(world, user, &acme).await, "round {round}");
    }
}

/// Holds requests back which need the invitations.
struct Gate {
    pool: db::Pool,
    open: std::sync::mpsc::Sender<()>,
    held: JoinHandle<Result<(), db::Error>>,
}

impl Gate {
    /// On PostgreSQL. SQLite lets writers in one by one.
    async fn closed(world: &World) -> Option<Self> {
        if !world.database.is_postgres() {
            return None;
        }
        let pool = db::Pool::open(world.database.url(), "tenancy", 2).unwrap();
        let (open, opened) = std::sync::mpsc::channel();
        let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
        let opened = std::sync::Mutex::new(opened);
        let holder = pool.clone();
        let held = tokio::spawn(async move {
            let hold = move |db: &mut db::Db| {
                db.batch_execute("LOCK TABLE invitations IN ACCESS EXCLUSIVE MODE")?;
                closed.send(()).unwrap();
                opened.lock().unwrap().recv_timeout(DEADLINE).unwrap();
                Ok(())
            };
            holder.write(hold).await
        });
        is_closed.recv().await.unwrap();
        Some(Self { pool, open, held })
    }

    /// As soon as this many requests wait, for this lock or for others.
    async fn open_for(self, requests: i64) {
        const WAITING: &str = "SELECT count(*) AS count FROM pg_locks WHERE NOT granted \
                               AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
        testkit::eventually("all of them wait", DEADLINE, async || {
            (count(&self.pool, WAITING).await == requests).then_some(())
        })
        .await;
        self.open.send(()).unwrap();
        self.held.await.unwrap().unwrap();
    }
}

async fn invites_once_for_one_key(world: &World) {
    let acme = world.organisation("Acme").await.id;
    let user = world.user("Una").await;
    let invite = async |email: &str| {
        let meta = Meta { idempotency_key: Some("one".to_owned()), ..world.signed_in(world.superadmin) };
        world.tenancy.unary::<AddMember>(&meta, to(&acme, email)).await
    };
    let first = invite("una@example.com").await.unwrap();
    let request = RemoveMemberRequest { organisation_id: acme.clone(), user_id: user.to_string() };
    world.call::<proto::rpc::members::RemoveMember>(world.superadmin, request).await.unwrap();
    assert_eq!(invite("una@example.com").await.unwrap(), first);
    assert!(!is_member(world, user, &acme).await);
    assert_eq!(invite("other@example.com").await.unwrap_err().code, ErrorCode::IdempotencyKeyReused);
}

async fn refuses_what_is_no_address(world: &World) {
    let acme = world.organisation("Acme").await.id;
    for email in
        ["", "una", "una@example", "una@example.com\r\nBcc: eve@example.com", &format!("{}@e.com", "a".repeat(260))]
    {
        let problem = world.call::<AddMember>(world.superadmin, to(&acme, email)).await.unwrap_err();
        assert_eq!((problem.code, problem.fields[0].field.as_str()), (ErrorCode::InvalidArgument, "email"), "{email}");
    }
    let problem = world.call::<AddMember>(world.superadmin, to(&nobody(), "una@example.com")).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::NotFound);
}

async fn forgets_old_invitations(world: &World) {
    let pool = db::Pool::open(world.database.url(), "tenancy", 1).unwrap().of_everyone();
    let waiting = async || count(&pool, "SELECT count(*) AS count FROM invitations").await;
    let acme = world.organisation("Acme").await.id;
    // What has become a membership waits no longer.
    world.member("Una", &acme).await;
    assert_eq!(waiting().await, 0);
    world.invite(&acme, "old@example.com").await;
    world.clock.advance(THE_REST);
    world.invite(&acme, "newer@example.com").await;
    assert_eq!(waiting().await, 2);

    // Another tenancy, which starts when the first has waited long enough, sweeps it away.
    world.clock.advance(ALMOST_A_WEEK);
    let (shutdown, listener) = (Shutdown::new(), Listener::local(LocalSlots::default().tenancy));
    let another = tokio::spawn(tenancy::serve(world.config(), listener, shutdown.clone()));
    testkit::eventually("the invitation is gone", DEADLINE, async || (waiting().await == 1).then_some(())).await;
    shutdown.begin();
    another.await.unwrap().unwrap();
}
