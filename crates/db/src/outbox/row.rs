//! A message, before and in the table.

use crate::schema::outbox;
use crate::{Json, Now, Sql, now, now_plus};
use callfairy_core::{Id, Timestamp};
use diesel::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// Names the ids of messages in an outbox.
#[derive(Debug)]
pub enum Message {}
pub type MessageId = Id<Message>;

/// A message to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Where it goes: the name of a queue or of a kind of event.
    pub topic: String,
    /// What it is about, for consumers that keep order by thing.
    pub key: Option<Uuid>,
    pub payload: Value,
    pub headers: BTreeMap<String, String>,
    /// It is not published before this time has passed.
    pub delay: Duration,
}

impl Outgoing {
    pub fn new(topic: impl Into<String>, payload: Value) -> Self {
        Self { topic: topic.into(), key: None, payload, headers: BTreeMap::new(), delay: Duration::ZERO }
    }

    #[must_use]
    pub fn about<T>(self, id: Id<T>) -> Self {
        Self { key: Some(id.uuid()), ..self }
    }

    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// A message on its way into the table, with times by the database's clock.
#[derive(Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
pub(super) struct NewRow {
    pub(super) id: Sql<MessageId>,
    topic: String,
    key: Option<Sql<Uuid>>,
    payload: Json,
    headers: Json<BTreeMap<String, String>>,
    created_at: Now,
    available_at: Now,
}

impl From<Outgoing> for NewRow {
    fn from(message: Outgoing) -> Self {
        Self {
            id: Sql(Id::new()),
            topic: message.topic,
            key: message.key.map(Sql),
            payload: Json(message.payload),
            headers: Json(message.headers),
            created_at: now(),
            available_at: now_plus(message.delay),
        }
    }
}

/// A message as the relay hands it over to be published.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct OutboxRow {
    /// The same at every attempt: consumers know a repeated message by it.
    pub id: MessageId,
    pub topic: String,
    pub key: Option<Uuid>,
    #[diesel(deserialize_as = Json)]
    pub payload: Value,
    #[diesel(deserialize_as = Json<BTreeMap<String, String>>)]
    pub headers: BTreeMap<String, String>,
    pub created_at: Timestamp,
    /// How many attempts have failed.
    pub attempts: i32,
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        json.0
    }
}
impl From<Json<BTreeMap<String, String>>> for BTreeMap<String, String> {
    fn from(json: Json<BTreeMap<String, String>>) -> Self {
        json.0
    }
}
