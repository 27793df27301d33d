//! Another organisation's things do not exist: in no place of any request, in no list, file, job, key or stream. The
//! places are the contract's own: a new RPC, or a new field of an old one, is among them the day it is born.

mod bodies;
mod jobs;
mod operations;
mod request;
mod stream;
mod sweep;
mod tenant;
mod words;

use crate::world::{PASSWORD, register};
use operations::{Operation, Place};
use request::{Known, Request};
use std::collections::{BTreeMap, BTreeSet};
use sweep::{Canaries, Sweep};
use tenant::{Reading, Tenant, ids, read_again, some_ids};
use testkit::{Client, Layout, Platform};
use words::Words;

crate::on_both_stacks!(another_organisation_does_not_exist);

async fn another_organisation_does_not_exist(layout: Layout) {
    let pace = [
        ("CALLFAIRY_CALLS_PER_SECOND", "400"),
        ("CALLFAIRY_MAX_CONCURRENT_CALLS", "400"),
        ("CALLFAIRY_POLL_SECONDS", "3"),
        ("CALLFAIRY_SWEEP_SECONDS", "1"),
    ];
    let platform = Platform::start(layout, &pace).await;
    let admin = platform.superadmin_client().await;
    crate::world::let_numbers_decide(&platform).await;
    let operations = Operation::of_contract(&admin).await;
    let ours = Tenant::new(&platform, &admin, &operations, Words::new("myself", 0)).await;
    let other = Tenant::new(&platform, &admin, &operations, Words::new("canary", 1)).await;
    register(&platform, &admin, "user@nowhere.example").await;
    let user = platform.client().sign_in("user@nowhere.example", PASSWORD).await;
    // First by the other, so that it could be its things that we are given.
    let words = Words::new("anyone", 3);
    the_same_keys(&operations, &words, [(&other.agent, &other), (&ours.agent, &ours)]).await;
    the_same_keys(&operations, &words, [(&admin, &other), (&admin, &ours)]).await;
    other.settle().await;
    ours.settle().await;

    let (read, seen_by_admin) = everything(&admin, &operations, &other).await;
    let own = ours.read(&operations, ids).await;
    let both = read.iter().chain(&seen_by_admin).map(|(url, seen)| (url.clone(), seen.clone())).collect();
    let canaries = Canaries::new(&both, &own, other.page_tokens(&operations).await);
    let known = ids(&own).into_iter().chain(canaries.ids.iter().cloned()).chain([sweep::UNKNOWN.to_owned()]);
    let mut sweep = Sweep {
        ours: &ours,
        other: &other,
        canaries: &canaries,
        own: ours.own(&operations, &own),
        known: Known { ids: known.collect(), alike: canaries.alike() },
        said: BTreeSet::new(),
        wrong: vec![],
    };
    // First what changes nothing, so that nothing but the places makes a difference.
    for reads in [true, false] {
        for operation in operations.iter().filter(|o| (o.verb == "GET") == reads && !o.streams) {
            for client in [&ours.agent, &ours.program] {
                sweep.operation(client, operation).await;
            }
            if !operation.is_scoped() {
                sweep.operation(&user, operation).await;
            }
        }
        if reads {
            stream::shows_nothing(&mut sweep).await;
        }
    }
    jobs::reach_nothing(&mut sweep).await;

    // What we have now is our own, and what the other has is as it was.
    for (url, (_, body)) in &ours.read(&operations, some_ids).await {
        if let Some(seen) = canaries.seen(body, &sweep.said) {
            sweep.wrong.push(format!("{url} shows {seen}"));
        }
    }
    for (client, before) in [(&other.agent, &read), (&admin, &seen_by_admin)] {
        for (url, after) in read_again(client, before).await {
            if after != before[&url] {
                sweep.wrong.push(format!("{url} was {:?}\n  and is {after:?}", before[&url]));
            }
        }
    }
    places_matter(&mut sweep, &operations, &own).await;
    assert!(sweep.wrong.is_empty(), "{}\n{} in all", sweep.wrong.join("\n"), sweep.wrong.len());
    jobs::meet_nobody(&sweep, &platform).await;
}

/// Everything that its agent reads of an organisation, and what a superadmin reads of it beyond that.
async fn everything(admin: &Client, operations: &[Operation], tenant: &Tenant) -> (Reading, Reading) {
    let read = tenant.read(operations, ids).await;
    let scoped = format!("/organisations/{}", tenant.organisation);
    let mut seen = read_again(admin, &read).await;
    seen.retain(|url, _| url.starts_with(&scoped));
    let agents = format!("/agents?organisation_id={}", tenant.organisation);
    seen.insert(agents.clone(), (200, admin.get(&agents).await.expect(200)));
    for operation in operations.iter().filter(|o| o.verb == "GET" && !o.is_scoped()) {
        for id in ids(&seen) {
            let Some(name) = operation.path_ids().next() else { continue };
            let request = Request::new(operation, serde_json::Value::Null).path(name, &id);
            let answer = request.send(admin).await;
            if answer.status == 200 {
                seen.insert(request.url(), (200, answer.body));
            }
        }
    }
    (read, seen)
}

/// Whoever asks for the same in both organisations, under the same key, gets two things.
async fn the_same_keys(operations: &[Operation], words: &Words, asking: [(&Client, &Tenant); 2]) {
    for operation in operations.iter().filter(|operation| operation.is_scoped() && operation.creates) {
        for body in bodies::of(operation).iter().filter(|body| bodies::is_complete(body)) {
            let mut request = Request::new(operation, bodies::fill(body, words, &BTreeMap::new()));
            request.once = Some(words.say("text"));
            let mut answers = vec![];
            for (client, tenant) in asking {
                let request = request.clone().path("organisation_id", &tenant.organisation);
                let answer = request.send(client).await;
                assert!(answer.status < 300, "{request}: {} {}", answer.status, answer.body);
                answers.push(answer.body["id"].clone());
            }
            assert!(answers[0].is_null() || answers[0] != answers[1], "{request} is answered what the other was");
        }
    }
}

/// Were our own ids and texts answered like unknown ones, so would the other's be, and nothing would be proved.
async fn places_matter(sweep: &mut Sweep<'_>, operations: &[Operation], own: &Reading) {
    let (ids, mut texts) = (ids(own), vec![]);
    for (_, body) in own.values() {
        request::each_text(body, "", &mut |at, text| {
            if ["name", "tags", "phone_number"].iter().any(|name| at.ends_with(name)) && texts.len() < 200 {
                texts.push(text.to_owned());
            }
        });
    }
    let mut scoped: Vec<_> = operations.iter().filter(|o| o.is_scoped() && !o.streams).collect();
    // What ends things comes last.
    scoped.sort_by_key(|operation| operation.verb == "DELETE");
    for operation in scoped {
        for field in operation.fields.iter().filter(|field| field.place != Place::Path("organisation_id".to_owned())) {
            sweep.matters(operation, field, &ids, &texts).await;
        }
    }
}
