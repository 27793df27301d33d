//! From the outbox: agent looks again at the assignments of users and organisations that are no longer active.
//!
//! Nothing is said of how they stand: agent asks for that itself, so a message that comes late, or twice, does no harm.

use access::{Client, ServiceIdentity};
use callfairy_core::{OrganisationId, Problem, UserId};
use db::Db;
use db::outbox::{OutboxRow, Outgoing};
use diesel::QueryResult;
use proto::agent::ReviewAssignmentsRequest;
use proto::rpc::reviews::ReviewAssignments;
use std::time::Duration;
use tokio::time::Instant;

/// The topic in the outbox.
const TOPIC: &str = "assignment_review";
/// How long agent may take for one.
const PATIENCE: Duration = Duration::from_secs(2);
/// None is begun after this: with the patience for the last one, all are done before the relay's batch must be.
const TIME: Duration = Duration::from_secs(5);

type Result<T = (), E = String> = std::result::Result<T, E>;

/// Belongs into the transaction in which the user was found not to be active.
pub fn of_user(db: &mut Db, user: UserId) -> QueryResult<()> {
    add(db, &ReviewAssignmentsRequest { user_id: user.to_string(), ..Default::default() })
}

/// Likewise.
pub fn of_organisation(db: &mut Db, organisation: OrganisationId) -> QueryResult<()> {
    add(db, &ReviewAssignmentsRequest { organisation_id: organisation.to_string(), ..Default::default() })
}

fn add(db: &mut Db, request: &ReviewAssignmentsRequest) -> QueryResult<()> {
    // The contract's messages have string keys only: nothing in them fails.
    let payload = serde_json::to_value(request).unwrap_or_default();
    db::outbox::add(db, Outgoing::new(TOPIC, payload)).map(|_| ())
}

/// Publishes for [`db::outbox::relay`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reviews {
    pub agent: Client,
    pub identity: ServiceIdentity,
}

impl Reviews {
    /// One result for each row, in order. Rows that are no reviews go to `others`.
    pub async fn publish_beside<F>(self, rows: Vec<OutboxRow>, others: impl FnOnce(Vec<OutboxRow>) -> F) -> Vec<Result>
    where
        F: Future<Output = Vec<Result>>,
    {
        let are_reviews: Vec<bool> = rows.iter().map(|row| row.topic == TOPIC).collect();
        let (reviews, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.topic == TOPIC);
        let others = async { if rest.is_empty() { Vec::new() } else { others(rest).await } };
        let (reviews, rest) = tokio::join!(self.publish(reviews), others);
        let (mut reviews, mut rest) = (reviews.into_iter(), rest.into_iter());
        let next = |is_review: bool| if is_review { reviews.next() } else { rest.next() };
        let missing = || Err("no answer for this message".to_owned());
        are_reviews.into_iter().map(next).map(|result| result.unwrap_or_else(missing)).collect()
    }

    /// When agent is out of reach, the rest is not tried.
    async fn publish(&self, rows: Vec<OutboxRow>) -> Vec<Result> {
        let (begun, mut results) = (Instant::now(), Vec::with_capacity(rows.len()));
        for row in &rows {
            if begun.elapsed() > TIME || results.last().is_some_and(Result::is_err) {
                break;
            }
            results.push(self.ask(row).await);
        }
        results.resize_with(rows.len(), || Err("agent is out of reach".to_owned()));
        results
    }

    async fn ask(&self, row: &OutboxRow) -> Result {
        let request: ReviewAssignmentsRequest =
            serde_json::from_value(row.payload.clone()).map_err(|error| format!("not a review: {error}"))?;
        let meta = self.identity.meta().map_err(|problem| problem.to_string())?;
        let ask = self.agent.unary::<ReviewAssignments>(&meta, request);
        let answer = tokio::time::timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err(Problem::unavailable("agent")));
        answer.map(drop).map_err(|problem| problem.to_string())
    }
}
