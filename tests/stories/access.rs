//! Every RPC of the contract, called by every kind of caller, gives what the contract's access option says. The list is
//! the contract's own: an RPC is in it the day it is born.

use crate::world::{PASSWORD, World, csv, organisation, register};
use access::Meta;
use callfairy_core::{ErrorCode, Id, Secret};
use futures_util::future::BoxFuture;
use proto::{Access, Body, Route, Rpc, Visit};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{Answer, Client, Layout, Program};

crate::on_both_stacks!(every_route_is_as_open_as_the_contract_says);

/// An RPC, without its types.
struct Door {
    rpc: &'static str,
    access: Access,
    people_only: bool,
    route: Option<Route>,
    call: Call,
}

type Call = fn(access::Client, Meta) -> BoxFuture<'static, Option<ErrorCode>>;

#[derive(Default)]
struct Doors(Vec<Door>);

impl Doors {
    fn of_contract() -> Vec<Door> {
        let mut doors = Self::default();
        proto::each_rpc(&mut doors);
        doors.0
    }

    fn add<R: Rpc>(&mut self, call: Call) {
        self.0.push(Door { rpc: R::GRPC_PATH, access: R::ACCESS, people_only: R::PEOPLE_ONLY, route: R::ROUTE, call });
    }
}

impl Visit for Doors {
    fn unary<R: Rpc>(&mut self) {
        self.add::<R>(|client, meta| {
            Box::pin(async move { client.unary::<R>(&meta, R::Request::default()).await.err().map(|error| error.code) })
        });
    }

    fn server_streaming<R: Rpc>(&mut self) {
        self.add::<R>(|client, meta| {
            let request = R::Request::default();
            Box::pin(async move { client.server_streaming::<R>(&meta, request).await.err().map(|error| error.code) })
        });
    }

    fn client_streaming<R: Rpc>(&mut self) {
        self.add::<R>(|client, meta| {
            let requests = futures_util::stream::iter([R::Request::default()]);
            Box::pin(async move { client.client_streaming::<R>(&meta, requests).await.err().map(|error| error.code) })
        });
    }
}

/// Who knocks: what the rules know of them.
struct Knocker {
    who: String,
    client: Client,
    kind: Kind,
    /// What they may do in the organisation; `None` for strangers.
    permissions: Option<BTreeSet<&'static str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    Person,
    Superadmin,
    /// A program, by its API key.
    Key,
}

/// What a door says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Unauthenticated,
    /// The permission that is missing; none where only superadmins are let in.
    Denied(Option<&'static str>),
    NotFound,
    LetIn,
}

/// access.md, once more and naively.
fn expected(door: &Door, knocker: &Knocker) -> Told {
    let access = door.access;
    match access {
        Access::Public => Told::LetIn,
        _ if knocker.kind == Kind::Nobody => Told::Unauthenticated,
        _ if knocker.kind == Kind::Key
            && door.people_only
            && (!access.is_scoped() || knocker.permissions.is_some()) =>
        {
            Told::Denied(None)
        }
        Access::SignedIn => Told::LetIn,
        _ if knocker.kind == Kind::Superadmin => Told::LetIn,
        Access::Superadmin | Access::Internal => Told::Denied(None),
        Access::Organisation | Access::Permission(_) => match (&knocker.permissions, access) {
            (None, _) => Told::NotFound,
            (Some(held), Access::Permission(needed)) if !held.contains(needed.key()) => {
                Told::Denied(Some(needed.key()))
            }
            (Some(_), _) => Told::LetIn,
        },
    }
}

/// A request with valid ids of nothing, and nothing else: whoever is let in is told what else is missing.
async fn knock(client: &Client, organisation: &str, route: Route) -> (u16, Value) {
    let nothing = Id::<()>::new().to_string();
    let path = route.path.replace("{organisation_id}", organisation).replace("{key}", "view_calls");
    let path = path.split('/').map(|part| if part.starts_with('{') { nothing.as_str() } else { part });
    let path = path.collect::<Vec<_>>().join("/");
    // The client knows the prefix; what is not below it is at the root.
    let path = path.strip_prefix("/api/v1").map_or_else(|| format!("/{path}"), str::to_owned);
    if route.body == Body::Upload {
        let answer = client.upload(&path, &[], csv(b"Name,Phone\n")).await;
        return (answer.status, answer.body);
    }
    let request = client.request(Method::from_bytes(route.verb.as_bytes()).unwrap(), &path);
    let request = if route.body == Body::Json { request.json(&json!({})) } else { request };
    let response = request.send().await.unwrap();
    // An event stream has no end.
    match response.status().as_u16() {
        status @ ..400 => (status, Value::Null),
        status => (status, Answer::read(response).await.unwrap().body),
    }
}

/// Somebody who manages an organisation of their own, with these permissions and no other.
async fn agent(world: &World, email: &str, permissions: &BTreeSet<&'static str>) -> (String, Client) {
    let organisation = world.admin.post("/organisations", json!({"name": email})).await.expect(201);
    let organisation = organisation["id"].as_str().unwrap().to_owned();
    let user = register(&world.platform, &world.admin, email).await;
    let assignment = json!({"user_id": user, "organisation_id": organisation, "permissions": permissions});
    world.admin.post("/agents", assignment).await.expect(201);
    (organisation, world.platform.client().sign_in(email, PASSWORD).await)
}

/// A program of an organisation, whose key a superadmin made.
async fn program(world: &World, organisation: &str, permissions: &BTreeSet<&'static str>) -> Client {
    let path = format!("/organisations/{organisation}/api-keys");
    let made = world.admin.post(&path, json!({"name": "a program", "permissions": permissions})).await.expect(201);
    world.platform.client().with_token(made["key"].as_str().unwrap())
}

async fn every_route_is_as_open_as_the_contract_says(layout: Layout) {
    let world = World::new(layout).await;
    let mut doors = Doors::of_contract();
    // Whoever has signed out knocks no more.
    doors.sort_by_key(|door| door.rpc.ends_with("/Logout"));
    let used: BTreeSet<_> = doors
        .iter()
        .filter_map(|door| match door.access {
            Access::Permission(permission) => Some(permission.key()),
            _ => None,
        })
        .collect();
    let grantable: BTreeSet<_> = proto::PERMISSIONS.iter().filter(|info| !info.system).map(|info| info.key).collect();
    assert!(used.is_subset(&grantable) && !used.is_empty());

    // Each with the organisation that they knock at.
    let mut knockers = vec![];
    let (other, stranger) = organisation(&world.platform, &world.admin, "stranger@other.example").await;
    register(&world.platform, &world.admin, "user@other.example").await;
    let user = world.platform.client().sign_in("user@other.example", PASSWORD).await;
    for (who, client, kind) in [
        ("nobody", world.platform.client(), Kind::Nobody),
        ("a user", user, Kind::Person),
        ("another organisation's agent", stranger, Kind::Person),
        ("a superadmin", world.admin.clone(), Kind::Superadmin),
    ] {
        knockers.push((world.organisation.clone(), Knocker { who: who.to_owned(), client, kind, permissions: None }));
    }
    for (who, organisation) in
        [("another organisation's key", &other), ("a key without permissions", &world.organisation)]
    {
        let client = program(&world, organisation, &BTreeSet::from(["view_reports"])).await;
        let permissions = (*organisation == world.organisation).then(|| BTreeSet::from(["view_reports"]));
        let knocker = Knocker { who: who.to_owned(), client, kind: Kind::Key, permissions };
        knockers.push((world.organisation.clone(), knocker));
    }
    for key in &used {
        let only = BTreeSet::from([*key]);
        let but: BTreeSet<_> = grantable.iter().copied().filter(|other| other != key).collect();
        for (who, permissions) in [("only", only), ("all-but", but)] {
            let (organisation, client) = agent(&world, &format!("{who}-{key}@agents.example"), &permissions).await;
            let who = format!("an agent with {who} {key}");
            let by_key = program(&world, &organisation, &permissions).await;
            let knocker = Knocker { who, client, kind: Kind::Person, permissions: Some(permissions) };
            let who = knocker.who.replace("an agent", "a key");
            let program = Knocker { who, client: by_key, kind: Kind::Key, permissions: knocker.permissions.clone() };
            knockers.extend([(organisation.clone(), knocker), (organisation, program)]);
        }
    }

    let ended = world.admin.post("/organisations", json!({"name": "Ended"})).await.expect(201);
    let ended = ended["id"].as_str().unwrap().to_owned();
    let mut wrong = vec![];
    for (organisation, knocker) in &knockers {
        for door in &doors {
            let Some(route) = door.route else { continue };
            // What the superadmin ends is nobody else's.
            let ends = door.rpc.ends_with("/DeleteOrganisation");
            let (status, body) = knock(&knocker.client, if ends { &ended } else { organisation }, route).await;
            let told = match (status, body["code"].as_str()) {
                (401, Some("unauthenticated")) => Told::Unauthenticated,
                (403, _) => Told::Denied(used.iter().copied().find(|key| body["permission"] == *key)),
                // Nothing but the organisation tells a stranger's 404 from that of an unknown id.
                (404, _)
                    if knocker.permissions.is_none() && knocker.kind != Kind::Superadmin && door.access.is_scoped() =>
                {
                    Told::NotFound
                }
                (500.., _) => panic!("{} answers {} with {status}: {body}", door.rpc, knocker.who),
                _ => Told::LetIn,
            };
            if told != expected(door, knocker) {
                wrong.push(format!("{} tells {}: {told:?} ({status} {body})", door.rpc, knocker.who));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if layout == Layout::SixProcesses {
        over_grpc(&world, &doors).await;
    }
}

/// The services' own doors, which the gateway does not open to everybody.
async fn over_grpc(world: &World, doors: &[Door]) {
    let person = world.platform.superadmin_client().await;
    let person = Meta::with_token(Secret::new(person.token().unwrap()));
    let service = world.platform.service_identity("worker").meta().unwrap();
    let mut wrong = vec![];
    for door in doors {
        let package = door.rpc.split('.').nth(1).unwrap();
        let service_of = match package {
            "auth" => Program::Auth,
            "tenancy" => Program::Tenancy,
            "agent" => Program::Agent,
            _ => Program::Telephony,
        };
        let client = world.platform.service_client(service_of).unwrap();
        for (who, meta) in [("nobody", &Meta::default()), ("a superadmin", &person), ("a service", &service)] {
            let told = (door.call)(client.clone(), meta.clone()).await;
            let shut_out =
                matches!(told, Some(ErrorCode::Unauthenticated | ErrorCode::PermissionDenied)).then_some(told);
            let expected = match (door.access, who) {
                (Access::Public, _) | (Access::Internal, "a service") => None,
                (_, "nobody") => Some(Some(ErrorCode::Unauthenticated)),
                (Access::Internal, _) | (_, "a service") => Some(Some(ErrorCode::PermissionDenied)),
                _ => None,
            };
            if shut_out != expected {
                wrong.push(format!("{} tells {who}: {told:?}", door.rpc));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
