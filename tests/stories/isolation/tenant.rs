//! An organisation that has at least one of everything, and all that can be read of it.

use super::bodies;
use super::operations::{Operation, Place, Takes};
use super::request::{Request, each_text, is_id};
use super::words::Words;
use crate::world::{PASSWORD, PATIENCE, completed, register};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Answer, Client, Platform, eventually};

pub struct Tenant {
    pub organisation: String,
    /// May do whatever agents can.
    pub agent: Client,
    /// May do the same, as a program.
    pub program: Client,
    pub words: Words,
    /// The first thing that each RPC made.
    pub made: BTreeMap<String, String>,
}

/// What was read, by URL.
pub type Reading = BTreeMap<String, (u16, Value)>;

impl Tenant {
    pub async fn new(platform: &Platform, admin: &Client, operations: &[Operation], words: Words) -> Self {
        let name = words.say("text");
        let organisation = admin.post("/organisations", json!({"name": name, "address": name})).await.expect(201);
        let organisation = organisation["id"].as_str().unwrap().to_owned();
        let grantable: Vec<_> = proto::PERMISSIONS.iter().filter(|p| !p.system).map(|p| p.key).collect();
        let email = words.say("email");
        let agent = register(platform, admin, &email).await;
        let assignment = json!({"user_id": agent, "organisation_id": organisation, "permissions": grantable});
        admin.post("/agents", assignment).await.expect(201);
        let agent = platform.client().sign_in(&email, PASSWORD).await;
        let path = |rest: &str| format!("/organisations/{organisation}{rest}");
        let is_known = async || (agent.get(&path("/campaigns")).await.status == 200).then_some(());
        eventually("the agent's access is known", PATIENCE, is_known).await;
        for email in [words.say("email"), words.say("email")] {
            let member = register(platform, admin, &email).await;
            admin.put(&format!("/users/{member}/permissions/view_contacts"), Value::Null).await.expect(200);
            agent.post(&path("/members"), json!({"email": email})).await.expect(202);
        }
        let key = json!({"name": words.say("text"), "permissions": grantable});
        let key = agent.post(&path("/api-keys"), key).await.expect(201);
        let program = platform.client().with_token(key["key"].as_str().unwrap());
        program.get(&path("/contacts")).await.expect(200);
        let mut tenant = Self { organisation, agent, program, words, made: BTreeMap::new() };
        tenant.make(operations).await;
        tenant.call(&tenant.words.phone("01"), "completed").await;
        let campaign = tenant.path(&format!("/campaigns/{}", tenant.made["CreateCampaign"]));
        tenant.agent.post(&format!("{campaign}/start"), json!({})).await.expect(200);
        completed(&tenant.agent, &campaign).await;
        tenant
    }

    /// Whatever the contract can make, twice, so that there is a second page of it.
    async fn make(&mut self, operations: &[Operation]) {
        for (name, bodies) in bodies::table() {
            let operation = operations.iter().find(|operation| operation.name == name);
            let operation = operation.unwrap_or_else(|| panic!("no RPC is called {name}"));
            for (n, body) in bodies.iter().chain(&bodies).enumerate() {
                let mut request = Request::new(operation, bodies::fill(body, &self.words, &self.made));
                // Every organisation takes the same keys.
                request.once = Some(format!("{name}-{n}"));
                let answer = request.path("organisation_id", &self.organisation).send(&self.agent).await;
                assert!(answer.status < 300, "{name}: {}", answer.body);
                if let Some(id) = answer.body["id"].as_str() {
                    self.made.entry(name.to_owned()).or_insert_with(|| id.to_owned());
                }
            }
        }
        self.settle().await;
    }

    /// Waits until all its imports have come to their ends.
    pub async fn settle(&self) {
        let imports = self.path("/imports");
        eventually("the imports came to their ends", PATIENCE, async || {
            let imports = self.agent.get(&imports).await.expect(200);
            let is_over = |import: &Value| !matches!(import["status"].as_str(), Some("pending" | "processing"));
            imports["imports"].as_array()?.iter().all(is_over).then_some(())
        })
        .await;
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/organisations/{}{rest}", self.organisation)
    }

    /// A call that comes to this end. Of a completed one there is a recording.
    pub async fn call(&self, number: &str, end: &str) -> Value {
        let body = json!({
            "phone_number": number, "task": self.words.say("text"), "record": true,
            "max_duration": 720, "metadata": {"note": self.words.say("text")},
        });
        let call = self.agent.post(&self.path("/calls"), body).await.expect(202);
        let path = self.path(&format!("/calls/{}", call["id"].as_str().unwrap()));
        eventually(&format!("the call to {number} was {end}"), PATIENCE, async || {
            let call = self.agent.get(&path).await.expect(200);
            let is_whole = end != "completed" || call["recording_url"].is_string();
            (call["status"] == end && is_whole).then_some(call)
        })
        .await
    }

    /// What anybody in it can read: every list to its end, and by its id each thing that `chosen` chooses of them.
    pub async fn read(&self, operations: &[Operation], chosen: fn(&Reading) -> BTreeSet<String>) -> Reading {
        let mut reading = Reading::new();
        let gets: Vec<_> = operations.iter().filter(|o| o.verb == "GET" && !o.streams).collect();
        let (all, each): (Vec<_>, Vec<_>) =
            gets.into_iter().partition(|operation| operation.path_ids().next().is_none());
        for operation in all.into_iter().filter(|operation| operation.rule != "superadmin") {
            let request = Request::new(operation, Value::Null).path("organisation_id", &self.organisation);
            let mut request = if operation.takes("page_size") { request.query("page_size", "200") } else { request };
            loop {
                let page = request.send(&self.agent).await.expect(200);
                let next = page["next_page_token"].as_str().unwrap_or_default().to_owned();
                reading.insert(request.url(), (200, page));
                if next.is_empty() {
                    break;
                }
                request = request.query("page_token", &next);
            }
        }
        for id in chosen(&reading) {
            for operation in each.iter().filter(|operation| operation.is_scoped()) {
                let request = self.one(operation, &id);
                let answer = request.send(&self.agent).await;
                if answer.status == 200 {
                    reading.insert(request.url(), (200, answer.body));
                }
            }
        }
        reading
    }

    /// The operation with this id in its path, in the organisation.
    fn one(&self, operation: &Operation, id: &str) -> Request {
        let request = Request::new(operation, Value::Null).path("organisation_id", &self.organisation);
        operation.path_ids().fold(request, |request, name| request.path(name, id))
    }

    /// One of its things for each path that ends in an id, by that path.
    pub fn own(&self, operations: &[Operation], reading: &Reading) -> BTreeMap<String, String> {
        let mut own = BTreeMap::new();
        for operation in operations.iter().filter(|operation| operation.is_scoped() && operation.verb == "GET") {
            for id in ids(reading) {
                if operation.path_ids().next().is_some() && reading.contains_key(&self.one(operation, &id).url()) {
                    let (kind, _) = operation.path.split_at(operation.path.rfind('}').unwrap());
                    own.entry(kind.to_owned()).or_insert(id);
                }
            }
        }
        own
    }

    /// The tokens of the second pages of all its lists.
    pub async fn page_tokens(&self, operations: &[Operation]) -> BTreeSet<String> {
        let mut tokens = BTreeSet::new();
        let lists = operations.iter().filter(|operation| operation.is_scoped() && operation.takes("page_token"));
        for operation in lists {
            let other_order = operation.fields.iter().find_map(|field| match (&field.place, &field.takes) {
                (Place::Query(name), Takes::Word(order)) if name == "order_by" => Some(order.as_str()),
                _ => None,
            });
            for order in [None, other_order] {
                let request = self.one(operation, "").query("page_size", "1");
                let request = order.map_or(request.clone(), |order| request.query("order_by", order));
                if operation.path_ids().next().is_none() {
                    let page = request.send(&self.agent).await.expect(200);
                    let token = page["next_page_token"].as_str().unwrap();
                    assert!(!token.is_empty(), "{request}: there is one only, and should be two");
                    tokens.insert(token.to_owned());
                }
            }
        }
        tokens
    }
}

/// The same URLs, read again.
pub async fn read_again(client: &Client, reading: &Reading) -> Reading {
    let mut again = Reading::new();
    for url in reading.keys() {
        let Answer { status, body, .. } = client.get(url).await;
        again.insert(url.clone(), (status, body));
    }
    again
}

/// All ids that were read.
pub fn ids(reading: &Reading) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (_, body) in reading.values() {
        each_text(body, "", &mut |_, text| {
            if is_id(text) {
                ids.insert(text.to_owned());
            }
        });
    }
    ids
}

/// Of each kind two.
pub fn some_ids(reading: &Reading) -> BTreeSet<String> {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, body) in reading.values() {
        each_text(body, "", &mut |at, text| {
            let kind = kinds.entry(at.to_owned()).or_default();
            if is_id(text) && kind.len() < 2 {
                kind.insert(text.to_owned());
            }
        });
    }
    kinds.into_values().flatten().collect()
}
