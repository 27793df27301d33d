//! From the outbox: mail about memberships goes to auth, which sends it.

use access::{Client, Meta, ServiceIdentity};
use callfairy_core::{ErrorCode, Problem};
use db::outbox::{OutboxRow, Outgoing};
use futures_util::future::join_all;
use proto::auth::SendMembershipMailRequest;
use proto::rpc::membership_mail::SendMembershipMail;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The topic of messages that ask auth for a mail.
const MAIL: &str = "membership_mail";
/// How long auth may take for one mail.
const PATIENCE: Duration = Duration::from_secs(2);
/// No mail is asked for after this: with the patience for the last one, all are done before the relay's batch must be.
const TIME: Duration = Duration::from_secs(5);
/// Mails asked for at one time.
const AT_ONE_TIME: usize = 16;

/// A message that asks for the mail.
pub fn mail(request: &SendMembershipMailRequest, trace: &BTreeMap<String, String>) -> Outgoing {
    // The contract's messages have string keys only: nothing in them fails.
    let mut message = Outgoing::new(MAIL, serde_json::to_value(request).unwrap_or_default());
    message.headers.clone_from(trace);
    message
}

/// Publishes for [`db::outbox::relay`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    pub auth: Client,
    pub identity: ServiceIdentity,
}

type Result<T = (), E = String> = std::result::Result<T, E>;

impl Relay {
    /// One result for each row, in order. When auth is out of reach, the rest is not tried.
    pub async fn publish(self, rows: Vec<OutboxRow>) -> Vec<Result> {
        let (begun, mut results) = (Instant::now(), Vec::with_capacity(rows.len()));
        for some in rows.chunks(AT_ONE_TIME) {
            if begun.elapsed() > TIME {
                break;
            }
            let asked = join_all(some.iter().map(|row| self.ask(row))).await;
            let is_down = asked.iter().all(Result::is_err);
            results.extend(asked);
            if is_down {
                break;
            }
        }
        results.resize_with(rows.len(), || Err("auth is out of reach".to_owned()));
        results
    }

    async fn ask(&self, row: &OutboxRow) -> Result {
        if row.topic != MAIL {
            // Written by a newer version of this service: it waits for that one.
            return Err(format!("{} is no topic that is known here", row.topic));
        }
        let request: SendMembershipMailRequest =
            serde_json::from_value(row.payload.clone()).map_err(|error| format!("not a mail: {error}"))?;
        let meta = self.identity.meta().map_err(|problem| problem.to_string())?;
        let meta = Meta { timeout: Some(PATIENCE), trace: row.headers.clone(), ..meta };
        let ask = self.auth.unary::<SendMembershipMail>(&meta, request);
        let answer = tokio::time::timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err(Problem::unavailable("auth")));
        match answer {
            Err(problem) if problem.code == ErrorCode::InvalidArgument => {
                // It is the same tomorrow: an address that cannot be mailed to.
                tracing::error!(%problem, message = %row.id, "auth does not take a mail; it is given up");
                Ok(())
            }
            answer => answer.map(drop).map_err(|problem| problem.to_string()),
        }
    }
}
