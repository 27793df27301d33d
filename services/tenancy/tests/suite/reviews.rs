//! agent is asked to look at assignments again, when a user or an organisation is no longer active.

use crate::world::{DEADLINE, World, account, assignment};
use access::Call;
use callfairy_core::Problem;
use proto::Permission;
use proto::agent::ReviewAssignmentsRequest;
use proto::rpc::deactivation::DeleteOrganisation;
use proto::rpc::reviews::ReviewAssignments;
use proto::tenancy::{AccountFact, DeleteOrganisationRequest};
use proto::types::Empty;
use std::sync::{Arc, Mutex};

testkit::on_both!(
    a_deactivated_user_is_looked_at,
    a_deactivated_organisation_is_looked_at,
    who_is_assigned_too_late_is_looked_at,
    agent_may_be_down,
);

/// A stand-in for agent.
#[derive(Clone, Default)]
pub struct Reviewer(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    asked: Vec<ReviewAssignmentsRequest>,
    /// So many requests are refused.
    down_for: usize,
}

impl Reviewer {
    fn asked(&self) -> Vec<ReviewAssignmentsRequest> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl access::Reviews for Reviewer {
    async fn review_assignments(&self, call: Call<ReviewAssignments>) -> Result<Empty, Problem> {
        let mut known = self.0.lock().unwrap();
        if known.down_for > 0 {
            known.down_for -= 1;
            return Err(Problem::unavailable("agent"));
        }
        known.asked.push(call.request);
        Ok(Empty {})
    }
}

fn of_user(user: impl ToString) -> ReviewAssignmentsRequest {
    ReviewAssignmentsRequest { user_id: user.to_string(), ..Default::default() }
}

fn of_organisation(id: &str) -> ReviewAssignmentsRequest {
    ReviewAssignmentsRequest { organisation_id: id.to_owned(), ..Default::default() }
}

async fn a_deactivated_user_is_looked_at(world: &World) {
    let (ada, _) = (world.user("Ada").await, world.user("Bo").await);
    let report = async |version, is_active| {
        world.report_account(AccountFact { version, is_active, ..account(ada, "Ada") }).await;
    };
    report(2, true).await;
    report(4, false).await;
    // What was known before, and what is older, says nothing new.
    report(4, false).await;
    report(3, false).await;
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_user(ada)]);
}

async fn a_deactivated_organisation_is_looked_at(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    world.deactivate(&acme).await;
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_organisation(&acme)]);
    for _ in 0..2 {
        let request = DeleteOrganisationRequest { organisation_id: globex.clone() };
        world.call::<DeleteOrganisation>(world.superadmin, request).await.unwrap();
    }
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_organisation(&acme), of_organisation(&globex)]);
}

async fn who_is_assigned_too_late_is_looked_at(world: &World) {
    let (acme, globex) = (world.organisation("Acme").await.id, world.organisation("Globex").await.id);
    let (ada, bo) = (world.user("Ada").await, world.user("Bo").await);
    world.deactivate(&acme).await;
    world.all_is_recorded().await;
    let late = assignment(ada, &acme, &[Permission::ViewCalls]);
    world.report_assignment(late.clone()).await;
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_organisation(&acme), of_user(ada)]);
    // Its end, and an assignment of those who are active, are nothing to look at.
    world.report_assignment(proto::tenancy::AssignmentFact { version: 2, is_active: false, ..late }).await;
    world.report_assignment(assignment(bo, &globex, &[Permission::ViewCalls])).await;
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_organisation(&acme), of_user(ada)]);
}

async fn agent_may_be_down(world: &World) {
    let acme = world.organisation("Acme").await.id;
    world.reviewer.0.lock().unwrap().down_for = 2;
    world.deactivate(&acme).await;
    // Meanwhile mail and the audit log go on.
    world.invite(&world.organisation("Globex").await.id, "new@example.com").await;
    testkit::eventually("the mail was asked for", DEADLINE, async || (!world.post.asked().is_empty()).then_some(()))
        .await;
    world.all_is_recorded().await;
    assert_eq!(world.reviewer.asked(), [of_organisation(&acme)]);
}
