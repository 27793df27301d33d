//! From the outbox: mail goes to the queue, links that were asked for are mailed, facts about accounts go to tenancy.

use crate::Error;
use crate::domain::opaque_token::{self, Kind};
use crate::store::link::{Asked, Sending};
use crate::store::{session, user};
use crate::tenancy::Tenancy;
use crate::vault::Vault;
use callfairy_core::{Clock, UserId};
use db::Pool;
use db::outbox::OutboxRow;
use futures_util::future::join_all;
use queue::{Message, Queue, QueueName};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The topic of messages that ring for a mail.
pub const MAIL: &str = QueueName::Mail.as_str();
/// The topic of messages that ask for a link.
pub const LINK: &str = "link";
/// The topic of messages that tell tenancy how an account stands by then.
pub const ACCOUNT_FACT: &str = "account_fact";

/// Reports at one time.
const REPORTS: usize = 16;

/// What a message of [`ACCOUNT_FACT`] says.
#[derive(Debug, Deserialize)]
struct AccountFact {
    user_id: UserId,
}

/// Publishes for [`db::outbox::relay`]. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    pub queue: Queue,
    pub tenancy: Tenancy,
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
}

type Result = std::result::Result<(), String>;

impl Relay {
    /// One result for each row, in order.
    pub async fn publish(self, pool: Pool, rows: Vec<OutboxRow>) -> Vec<Result> {
        let mut results = vec![Ok(()); rows.len()];
        let (mut mails, mut facts) = (Vec::new(), Vec::new());
        for (index, row) in rows.into_iter().enumerate() {
            match row.topic.as_str() {
                MAIL => mails.push((index, row)),
                LINK => results[index] = self.mail_link(&pool, row).await.map_err(|error| error.to_string()),
                ACCOUNT_FACT => facts.push((index, row)),
                // Written by a newer version of this service: it waits for that one.
                topic => results[index] = Err(format!("{topic} is no topic that is known here")),
            }
        }
        // Mail first: it is quick, and tenancy may keep us waiting.
        for (index, result) in self.ring(mails).await.into_iter().chain(self.report(&pool, facts).await) {
            results[index] = result;
        }
        results
    }

    async fn ring(&self, rows: Vec<(usize, OutboxRow)>) -> Vec<(usize, Result)> {
        if rows.is_empty() {
            return Vec::new();
        }
        let indices: Vec<usize> = rows.iter().map(|(index, _)| *index).collect();
        let message = |row: OutboxRow| Message {
            id: row.id.uuid(),
            body: row.payload.to_string().into_bytes(),
            headers: row.headers,
        };
        let messages = rows.into_iter().map(|(_, row)| message(row)).collect();
        let published = self.queue.publish(QueueName::Mail, messages).await;
        indices.into_iter().zip(published.into_iter().map(|result| result.map_err(|error| error.to_string()))).collect()
    }

    /// A message that comes twice makes two mails, each with a link that works.
    async fn mail_link(&self, pool: &Pool, row: OutboxRow) -> std::result::Result<(), Error> {
        let asked = serde_json::from_value::<Asked>(row.payload).map_err(|error| Error::Defect(error.to_string()))?;
        let (token, vault, now) = (opaque_token::generate(Kind::SingleUse)?, self.vault.clone(), self.clock.now());
        let answer =
            pool.write(move |db| Sending { vault: &vault, token: &token, trace: &row.headers, now }.answer(db, &asked));
        answer.await
    }

    /// One report for each account, however many messages there are about it. When tenancy is out of reach, the
    /// rest is not tried.
    async fn report(&self, pool: &Pool, rows: Vec<(usize, OutboxRow)>) -> Vec<(usize, Result)> {
        let user = |row: OutboxRow| serde_json::from_value::<AccountFact>(row.payload).map(|fact| fact.user_id);
        let rows: Vec<_> = rows.into_iter().map(|(index, row)| (index, user(row))).collect();
        let users: BTreeSet<UserId> = rows.iter().filter_map(|(_, user)| user.as_ref().ok().copied()).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let mut reported = HashMap::new();
        for some in users.chunks(REPORTS) {
            reported.extend(join_all(some.iter().map(|id| self.report_one(pool, *id))).await);
            if reported.values().any(Result::is_err) {
                break;
            }
        }
        let result = |user: serde_json::Result<UserId>| match user {
            Ok(id) => reported.get(&id).cloned().unwrap_or_else(|| Err("tenancy is out of reach".to_owned())),
            Err(error) => Err(error.to_string()),
        };
        rows.into_iter().map(|(index, user)| (index, result(user))).collect()
    }

    /// How the account stands now, not when the message was written.
    async fn report_one(&self, pool: &Pool, id: UserId) -> (UserId, Result) {
        let now = self.clock.now();
        let row = pool.read(move |db| Ok::<_, db::Error>((user::find(db, id)?, session::ended(db, id, now)?))).await;
        let result = match row {
            Ok((Some(row), ended)) => self.tenancy.report(&row, &ended).await.map_err(|problem| problem.to_string()),
            Ok((None, _)) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        (id, result)
    }
}
