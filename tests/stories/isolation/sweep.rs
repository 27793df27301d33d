//! Every place of every request, with what is another organisation's.

use super::bodies;
use super::operations::{Field, Operation, Place, Takes};
use super::request::{Known, Request, Told, each_text};
use super::tenant::{Reading, Tenant, ids, some_ids};
use super::words::Words;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Answer, Client};

pub const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// What nobody but the other organisation may see or say.
pub struct Canaries {
    /// Of each of its kinds of things two.
    pub ids: BTreeSet<String>,
    /// Its texts that things are found by, each with one like it that is nobody's.
    pub texts: Vec<(String, String)>,
    pub page_tokens: BTreeSet<String>,
    needles: Vec<String>,
}

impl Canaries {
    /// `reading`: all that is to be read of the other organisation; `ours`: what we read ourselves.
    pub fn new(reading: &Reading, ours: &Reading, page_tokens: BTreeSet<String>) -> Self {
        let shared = ids(ours);
        let mut needles: BTreeSet<String> = ids(reading).difference(&shared).cloned().collect();
        let (mut contact, nobody, mut our_texts) = (None, Words::new("nobody", 2), BTreeSet::new());
        for (_, body) in ours.values() {
            each_text(body, "", &mut |_, text| {
                our_texts.insert(text.to_owned());
            });
        }
        for (_, body) in reading.values() {
            let is_canary = |contact: &&Value| contact["tags"][0] == "canary tag";
            contact = contact.or_else(|| body["contacts"].as_array()?.iter().find(is_canary).cloned());
            each_text(body, "", &mut |_, text| {
                if text.starts_with("+44") && !our_texts.contains(text) {
                    needles.insert(text.to_owned());
                }
            });
        }
        needles.insert("canary".to_owned());
        let contact = contact.unwrap();
        let text = |text: &Value| text.as_str().unwrap().to_owned();
        let alike = |text: String| (text.clone(), text.replace("canary", "nobody"));
        let texts = vec![
            alike(text(&contact["name"])),
            alike(text(&contact["tags"][0])),
            (text(&contact["phone_number"]), nobody.say("phone")),
        ];
        let ids = some_ids(reading).difference(&shared).cloned().collect();
        Self { ids, texts, page_tokens, needles: needles.into_iter().collect() }
    }

    /// Answers need not differ where our own things have one text or the other.
    pub fn alike(&self) -> BTreeMap<String, String> {
        let name =
            |pair: &(String, String), n: usize| [&pair.0, &pair.1].map(|text| (text.clone(), format!("text {n}")));
        self.texts.iter().zip(0..).flat_map(|(pair, n)| name(pair, n)).collect()
    }

    /// What of it is in the value, but for what was `said` by whoever reads it now.
    pub fn seen(&self, value: &Value, said: &BTreeSet<String>) -> Option<String> {
        let mut seen = None;
        each_text(value, "", &mut |at, text| {
            if !said.contains(text) && self.needles.iter().any(|needle| text.contains(needle)) {
                seen = Some(format!("{at}: {text}"));
            }
        });
        seen
    }
}

pub struct Sweep<'a> {
    pub ours: &'a Tenant,
    pub other: &'a Tenant,
    pub canaries: &'a Canaries,
    /// Our own things for paths that end in an id.
    pub own: BTreeMap<String, String>,
    pub known: Known,
    /// What we said ourselves of the other organisation's, so that it may come back.
    pub said: BTreeSet<String>,
    pub wrong: Vec<String>,
}

impl Sweep<'_> {
    /// The operation as we may call it: our organisation, our own things.
    fn request(&self, operation: &Operation, body: &Value) -> Request {
        let request = Request::new(operation, bodies::fill(body, &self.ours.words, &self.ours.made));
        operation.fields.iter().fold(request, |request, field| match (&field.place, &field.takes) {
            (Place::Path(_), Takes::Word(word)) => request.with(&field.place, word),
            _ => request,
        })
    }

    /// The same request, its path filled with what is ours but for one place.
    fn at(&self, operation: &Operation, body: &Value, place: &Place, value: &str) -> Request {
        let mut request =
            self.request(operation, body).with(place, value).path("organisation_id", &self.ours.organisation);
        let kind = operation.path.rfind('}').map(|end| &operation.path[..end]);
        let own = kind.and_then(|kind| self.own.get(kind)).map_or(UNKNOWN, String::as_str);
        for name in operation.path_ids() {
            request = request.path(name, own);
        }
        // What is left is a name, such as that of a domain.
        operation.fields.iter().fold(request, |request, field| match &field.place {
            Place::Path(_) => request.with(&field.place, "example.com"),
            _ => request,
        })
    }

    pub async fn operation(&mut self, client: &Client, operation: &Operation) {
        for body in bodies::of(operation) {
            if operation.is_scoped() {
                self.foreign_organisation(client, operation, &body).await;
            }
            for field in &operation.fields {
                match (&field.place, &field.takes) {
                    (Place::Path(name), _) if operation.is_scoped() && name == "organisation_id" => {}
                    (_, Takes::Id) => self.ids(client, operation, &body, &field.place).await,
                    (Place::Query(_), Takes::PageToken) => self.page_tokens(client, operation, &body, field).await,
                    (_, Takes::Text | Takes::File) => self.texts(client, operation, &body, field).await,
                    _ => {}
                }
            }
        }
    }

    /// Its organisation in the path, with each of its things.
    async fn foreign_organisation(&mut self, client: &Client, operation: &Operation, body: &Value) {
        let body = bodies::fill(body, &self.ours.words, &self.other.made);
        let things = if operation.path_ids().next().is_some() {
            &self.canaries.ids
        } else {
            &BTreeSet::from([UNKNOWN.to_owned()])
        };
        for id in things {
            let [foreign, unknown] = [self.other.organisation.as_str(), UNKNOWN].map(|organisation| {
                let request = self.request(operation, &body).path("organisation_id", organisation);
                operation.path_ids().fold(request, |request, name| request.path(name, id))
            });
            let nothing = self.tell(client, &unknown).await;
            let told = self.tell(client, &foreign).await;
            if nothing.status != 404 {
                self.wrong.push(format!("{unknown}: {nothing:?}, and not 404"));
            }
            self.same(&foreign, &told, &nothing);
        }
    }

    async fn ids(&mut self, client: &Client, operation: &Operation, body: &Value, place: &Place) {
        let nothing = self.tell(client, &self.at(operation, body, place, UNKNOWN)).await;
        for id in &self.canaries.ids {
            let request = self.at(operation, body, place, id);
            let answer = request.send(client).await;
            if let (Place::Body(_), ..300) = (place, answer.status) {
                // What was taken as it was said is ours to see.
                self.said.insert(id.clone());
            }
            self.look(&request, &answer);
            self.same(&request, &request.told(&answer, &self.known), &nothing);
        }
    }

    async fn texts(&mut self, client: &Client, operation: &Operation, body: &Value, field: &Field) {
        let is_body = matches!(field.place, Place::Body(_));
        // Nobody who is not let in is told more for what the body says.
        if is_body && !operation.is_scoped() {
            return;
        }
        let file = |text: &str| match field.takes {
            Takes::File => format!("Name,Phone\nSomebody,{text}\n"),
            _ => text.to_owned(),
        };
        let mut pairs = self.canaries.texts.clone();
        if !is_body {
            pairs.extend(self.canaries.ids.iter().map(|id| (id.clone(), UNKNOWN.to_owned())));
        }
        for (canary, nobodys) in pairs {
            let unknown = self.at(operation, body, &field.place, &file(&nobodys));
            let nothing = self.tell(client, &unknown).await;
            if is_body {
                self.said.insert(canary.clone());
            }
            let request = self.at(operation, body, &field.place, &file(&canary));
            let told = self.tell(client, &request).await;
            self.same(&request, &told, &nothing);
        }
    }

    /// A token says where a page begins; what is on it is our own all the same.
    async fn page_tokens(&mut self, client: &Client, operation: &Operation, body: &Value, field: &Field) {
        let all = self.at(operation, body, &Place::Query("page_size".to_owned()), "200");
        let all = all.send(client).await;
        for token in &self.canaries.page_tokens {
            let request = self.at(operation, body, &field.place, token);
            let answer = request.send(client).await;
            self.look(&request, &answer);
            let is_ours = match answer.status {
                200 => lists(&answer.body).all(|item| lists(&all.body).any(|ours| ours == item)),
                status => status == 400 || status == all.status,
            };
            if !is_ours {
                self.wrong.push(format!("{request}: {} {}", answer.status, answer.body));
            }
        }
    }

    async fn tell(&mut self, client: &Client, request: &Request) -> Told {
        let answer = request.send(client).await;
        self.look(request, &answer);
        request.told(&answer, &self.known)
    }

    fn look(&mut self, request: &Request, answer: &Answer) {
        let mut body = answer.body.clone();
        if let (Some(body), 400..) = (body.as_object_mut(), answer.status) {
            // The URL that was asked for.
            body.remove("instance");
        }
        if let Some(seen) = self.canaries.seen(&body, &self.said) {
            self.wrong.push(format!("{request} shows {seen}"));
        }
    }

    fn same(&mut self, request: &Request, told: &Told, nothing: &Told) {
        if told != nothing {
            self.wrong.push(format!("{request}\n  is told {told:?}\n  and an unknown one {nothing:?}"));
        }
    }

    /// Whether an id or a text in this place makes a difference at all, when it is our own.
    pub async fn matters(&mut self, operation: &Operation, field: &Field, ids: &BTreeSet<String>, texts: &[String]) {
        let values: Vec<&String> = match (&field.place, &field.takes) {
            (Place::Path(name), _) if name == "organisation_id" => return,
            (_, Takes::Id) => ids.iter().collect(),
            (Place::Query(_), Takes::Text) => texts.iter().collect(),
            _ => return,
        };
        for body in bodies::of(operation) {
            let unknown = self.at(operation, &body, &field.place, UNKNOWN);
            let nothing = unknown.told(&unknown.send(&self.ours.agent).await, &self.known);
            for value in &values {
                let request = self.at(operation, &body, &field.place, value);
                if request.told(&request.send(&self.ours.agent).await, &self.known) != nothing {
                    return;
                }
            }
        }
        let place = &field.place;
        self.wrong
            .push(format!("{} {place:?}: our own are answered like unknown ones, in all its bodies", operation.name));
    }
}

/// All items of all lists of an answer.
fn lists(body: &Value) -> impl Iterator<Item = &Value> {
    body.as_object().into_iter().flatten().filter_map(|(_, list)| list.as_array()).flatten()
}
