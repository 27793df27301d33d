//! One entry, and how it is recorded.

use crate::{Action, Detail, Subject};
use access::{Call, Caller};
use callfairy_core::{Id, OrganisationId, Timestamp, UserId};
use db::Db;
use db::diesel::QueryResult;
use db::outbox::Outgoing;
use proto::Rpc;
use proto::tenancy::NewAuditEntry;
use std::collections::BTreeMap;
use std::net::IpAddr;
use uuid::Uuid;

/// The topic in the outbox.
pub const TOPIC: &str = "audit";

/// Names the ids of entries.
#[derive(Debug)]
enum EntryMark {}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    ApiKey(Uuid),
    /// One of our own services, by its name.
    Service(String),
    /// Somebody who did not say who they are.
    Anonymous,
    /// The platform by itself, or its operator on the command line.
    System,
}

/// Something that was done, or refused. Cheap to clone; [`record`] gives it its id and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    actor: Actor,
    action: Action,
    organisation: Option<OrganisationId>,
    subject: Option<(Subject, Uuid)>,
    refused: bool,
    network: String,
    details: BTreeMap<String, String>,
}

impl Entry {
    pub fn new(actor: Actor, action: Action) -> Self {
        Self {
            actor,
            action,
            organisation: None,
            subject: None,
            refused: false,
            network: String::new(),
            details: BTreeMap::new(),
        }
    }

    /// By whoever calls, from their network.
    pub fn of<R: Rpc>(call: &Call<R>, action: Action) -> Self {
        Self::new(call.caller().into(), action).from_address(call.origin().address())
    }

    /// In an RPC that is open to everybody, the guard does not look who calls; the handler may know.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    #[must_use]
    pub fn within(self, organisation: OrganisationId) -> Self {
        Self { organisation: Some(organisation), ..self }
    }

    #[must_use]
    pub fn about<T>(self, subject: Subject, id: Id<T>) -> Self {
        Self { subject: Some((subject, id.uuid())), ..self }
    }

    /// Of the address only the network is kept.
    #[must_use]
    pub fn from_address(self, address: Option<IpAddr>) -> Self {
        Self { network: address.map(network).unwrap_or_default(), ..self }
    }

    /// It was asked for, and not done.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { refused: true, ..self }
    }

    /// One more thing about it.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: impl Into<Detail>) -> Self {
        self.details.insert(name.to_owned(), detail.into().into_text());
        self
    }

    fn message(&self, now: Timestamp) -> NewAuditEntry {
        let (actor_kind, actor_id) = self.actor.words();
        let (subject_kind, subject_id) =
            self.subject.map(|(kind, id)| (kind.as_str().to_owned(), id.to_string())).unwrap_or_default();
        NewAuditEntry {
            id: Id::<EntryMark>::new().to_string(),
            at: Some(now.into()),
            actor_kind: actor_kind.to_owned(),
            actor_id,
            action: self.action.as_str().to_owned(),
            organisation_id: self.organisation.map(|id| id.to_string()).unwrap_or_default(),
            subject_kind,
            subject_id,
            outcome: if self.refused { "refused" } else { "done" }.to_owned(),
            network: self.network.clone(),
            details: self.details.clone(),
        }
    }
}

/// Records the entry, at this time. Belongs into the transaction of what it tells of.
pub fn record(db: &mut Db, entry: &Entry, now: Timestamp) -> QueryResult<()> {
    // The contract's messages have string keys only: nothing in them fails.
    let payload = serde_json::to_value(entry.message(now)).unwrap_or_default();
    db::outbox::add(db, Outgoing::new(TOPIC, payload)).map(|_| ())
}

impl Actor {
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::User(id) => ("user", id.to_string()),
            Self::ApiKey(id) => ("api_key", id.to_string()),
            Self::Service(name) => ("service", name.clone()),
            Self::Anonymous => ("anonymous", String::new()),
            Self::System => ("system", String::new()),
        }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::User(user) => Self::User(user.id),
            Caller::ApiKey(key) => Self::ApiKey(key.id),
            Caller::Service(name) => Self::Service(name.to_string()),
            Caller::Anonymous => Self::Anonymous,
        }
    }
}

/// What is kept of an address: 24 bits of IPv4, 48 of IPv6, which is a provider's part of a town rather than somebody's home.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{}/24", IpAddr::from([a, b, c, 0]))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", IpAddr::from([a, b, c, 0, 0, 0, 0, 0]))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nobody_is_found_by_their_address() {
        let network = |address: &str| network(address.parse().unwrap());
        assert_eq!(network("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48");
    }

    #[test]
    fn an_entry_s_message_passes_its_own_rules() {
        let user = UserId::new();
        let entry = Entry::new(Actor::User(user), Action::PermissionGranted)
            .within(OrganisationId::new())
            .about(Subject::User, user)
            .from_address(Some([192, 0, 2, 7].into()))
            .with("permission", proto::Permission::ViewCalls);
        let (one, other) = (entry.message(Timestamp::UNIX_EPOCH), entry.message(Timestamp::UNIX_EPOCH));
        assert_eq!(proto::validate(&one), Ok(()));
        assert_ne!(one.id, other.id);
        assert_eq!((one.actor_kind.as_str(), one.actor_id), ("user", user.to_string()));
        assert_eq!((one.outcome.as_str(), one.network.as_str()), ("done", "192.0.2.0/24"));
        assert_eq!(one.details, BTreeMap::from([("permission".to_owned(), "view_calls".to_owned())]));
        let bare = Entry::new(Actor::Anonymous, Action::SignInRefused).refused().message(Timestamp::UNIX_EPOCH);
        assert_eq!(proto::validate(&bare), Ok(()));
        assert_eq!(bare.outcome, "refused");
    }
}
