//! Many assignments at the same time: never two active, and nothing of what happened is lost.

use crate::world::{World, assignment};
use callfairy_core::{ErrorCode, OrganisationId, UserId};
use proto::agent::Agent;
use proto::rpc::agents::AssignAgent;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

crate::on_both!(of_one_organisation, of_one_user, of_few_users_and_few_organisations, the_same_key_at_once,);

const AT_ONCE: usize = 20;

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

async fn of_one_organisation(world: &World) {
    let acme = world.organisation("Acme");
    let pairs = (0..AT_ONCE).map(|n| (world.user(&format!("u{n}")), acme)).collect();
    let assigned = assign_all(world, pairs).await;
    assert_eq!(world.agents(true).await.len(), 1);
    check_history(world, &assigned).await;
}

async fn of_one_user(world: &World) {
    let ada = world.user("Ada");
    let pairs = (0..AT_ONCE).map(|n| (ada, world.organisation(&format!("o{n}")))).collect();
    let assigned = assign_all(world, pairs).await;
    assert_eq!(world.agents(true).await.len(), 1);
    check_history(world, &assigned).await;
}

async fn of_few_users_and_few_organisations(world: &World) {
    let users: Vec<_> = (0..4).map(|n| world.user(&format!("u{n}"))).collect();
    let organisations: Vec<_> = (0..3).map(|n| world.organisation(&format!("o{n}"))).collect();
    let pairs = (0..AT_ONCE).map(|n| (users[n % 4], organisations[n % 3])).collect();
    let assigned = assign_all(world, pairs).await;
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
