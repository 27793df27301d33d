//! Many assignments at the same time: never two active, and nothing of what happened is lost.

use crate::world::{World, assignment};
use callfairy_core::{ErrorCode, OrganisationId, UserId};
use proto::agent::Agent;
use proto::rpc::agents::AssignAgent;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

testkit::on_both!(
    the_database_itself_refuses_a_second_one,
    of_one_organisation,
    of_one_user,
    of_few_users_and_few_organisations,
    the_same_key_at_once,
);

const AT_ONCE: usize = 20;
/// The first one finds no connections open, which sets its assignments apart.
const ROUNDS: usize = 3;

/// Assigns all pairs at once; answers those that were assigned. Meanwhile somebody looks.
async fn assign_all(world: &World, pairs: Vec<(UserId, OrganisationId)>) -> Vec<Agent> {
    let done = Arc::new(AtomicBool::new(false));
    let mut assigning = JoinSet::new();
    for (user, organisation) in pairs {
        let (agent, meta) = (world.agent.clone(), world.signed_in(world.superadmin));
        assigning.spawn(async move { agent.unary::<AssignAgent>(&meta, assignment(user, organisation)).await });
    }
    let watch = async {
        while !done.load(Ordering::Relaxed) {
            check_uniqueness(&world.agents(true).await);
            tokio::task::yield_now().await;
        }
    };
    let work = async {
        let mut assigned = Vec::new();
        while let Some(answer) = assigning.join_next().await {
            match answer.unwrap() {
                Ok(agent) => assigned.push(agent),
                Err(problem) => assert_eq!(problem.code, ErrorCode::Conflict, "{problem}"),
            }
        }
        done.store(true, Ordering::Relaxed);
        assigned
    };
    tokio::join!(work, watch).0
}

fn check_uniqueness(active: &[Agent]) {
    let users: HashSet<_> = active.iter().map(|agent| &agent.user.as_ref().unwrap().id).collect();
    let organisations: HashSet<_> = active.iter().map(|agent| &agent.organisation.as_ref().unwrap().id).collect();
    assert_eq!((users.len(), organisations.len()), (active.len(), active.len()), "{active:#?}");
}

/// Every assignment that was answered is in the history or active, and tenancy knows each as it stands.
async fn check_history(world: &World, assigned: &[Agent]) {
    let (active, ended) = (world.agents(true).await, world.agents(false).await);
    check_uniqueness(&active);
    assert!(!assigned.is_empty());
    let listed: HashSet<_> = active.iter().chain(&ended).map(|agent| agent.id.as_str()).collect();
    let answered: HashSet<_> = assigned.iter().map(|agent| agent.id.as_str()).collect();
    assert_eq!((listed.len(), &listed), (active.len() + ended.len(), &answered));
    for agent in &ended {
        assert!(agent.revoked_at.is_some() && agent.revoked_by.is_some(), "{agent:?}");
    }
    testkit::eventually("tenancy knows each as it stands", crate::world::DEADLINE, async || {
        let known = |agents: &[Agent], is_active| agents.iter().all(|a| world.known_active(a) == Some(is_active));
        (known(&active, true) && known(&ended, false)).then_some(())
    })
    .await;
}

async fn the_database_itself_refuses_a_second_one(world: &World) {
    let (ada, acme) = (world.user("Ada"), world.organisation("Acme"));
    world.assign(ada, acme).await;
    let pool = db::Pool::open(world.database.url(), "agent", 1).unwrap();
    let copy = async |user: UserId, organisation: OrganisationId, revoked: bool| {
        let literal = |id: String| {
            if world.database.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.replace('-', "")) }
        };
        let (id, user, organisation) =
            (literal(UserId::new().to_string()), literal(user.to_string()), literal(organisation.to_string()));
        let revoked = if revoked { "assigned_at, assigned_by" } else { "NULL, NULL" };
        let insert = format!(
            "INSERT INTO assignments SELECT {id}, {user}, {organisation}, permissions, assigned_at, assigned_by, \
             {revoked}, version FROM assignments LIMIT 1",
        );
        let inserted = pool.write(move |db| Ok::<_, db::Error>(db.batch_execute(&insert)?)).await;
        inserted.map_err(|error| error.is_unique_violation().unwrap().to_owned())
    };
    let (bo, globex) = (world.user("Bo"), world.organisation("Globex"));
    assert_eq!(copy(bo, acme, false).await, Err("assignments_organisation_id_key".to_owned()));
    assert_eq!(copy(ada, globex, false).await, Err("assignments_user_id_key".to_owned()));
    // History may hold any number.
    for _ in 0..2 {
        assert_eq!(copy(ada, acme, true).await, Ok(()));
    }
    assert_eq!(copy(bo, globex, false).await, Ok(()));
}

async fn of_one_organisation(world: &World) {
    let (acme, mut assigned) = (world.organisation("Acme"), Vec::new());
    for _ in 0..ROUNDS {
        let pairs = (0..AT_ONCE).map(|n| (world.user(&format!("u{n}")), acme)).collect();
        assigned.extend(assign_all(world, pairs).await);
        assert_eq!(world.agents(true).await.len(), 1);
    }
    check_history(world, &assigned).await;
}

async fn of_one_user(world: &World) {
    let (ada, mut assigned) = (world.user("Ada"), Vec::new());
    for _ in 0..ROUNDS {
        let pairs = (0..AT_ONCE).map(|n| (ada, world.organisation(&format!("o{n}")))).collect();
        assigned.extend(assign_all(world, pairs).await);
        assert_eq!(world.agents(true).await.len(), 1);
    }
    check_history(world, &assigned).await;
}

async fn of_few_users_and_few_organisations(world: &World) {
    let users: Vec<_> = (0..4).map(|n| world.user(&format!("u{n}"))).collect();
    let organisations: Vec<_> = (0..3).map(|n| world.organisation(&format!("o{n}"))).collect();
    let mut assigned = Vec::new();
    for _ in 0..ROUNDS {
        let pairs = (0..AT_ONCE).map(|n| (users[n % 4], organisations[n % 3])).collect();
        assigned.extend(assign_all(world, pairs).await);
    }
    check_history(world, &assigned).await;
}

async fn the_same_key_at_once(world: &World) {
    let request = assignment(world.user("Ada"), world.organisation("Acme"));
    let mut assigning = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (agent, mut meta, request) = (world.agent.clone(), world.signed_in(world.superadmin), request.clone());
        meta.idempotency_key = Some("one".to_owned());
        assigning.spawn(async move { agent.unary::<AssignAgent>(&meta, request).await.unwrap().id });
    }
    let ids: HashSet<_> = assigning.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!((world.agents(true).await.len(), world.agents(false).await.len()), (1, 0));
}
