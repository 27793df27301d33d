//! What the other organisation has does not come into our imports, campaigns and calls.

use super::sweep::Sweep;
use crate::world::{all, completed, import};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::{Client, Platform};

/// Files with its numbers, and campaigns over its contacts.
pub async fn reach_nothing(sweep: &mut Sweep<'_>) {
    let (ours, canaries) = (sweep.ours, sweep.canaries);
    let (number, nobodys) = &canaries.texts[2];
    for on_duplicate in ["skip", "update"] {
        let mut told = vec![];
        for number in [nobodys, number] {
            sweep.said.insert(number.clone());
            let file = format!("Name,Phone\nSomebody,{number}\n");
            let fields = [("on_duplicate", on_duplicate)];
            let import = import(&ours.agent, &ours.organisation, &fields, file.as_bytes()).await;
            told.push(
                ["status", "imported_rows", "updated_rows", "duplicate_rows", "failed_rows"]
                    .map(|name| (name, import[name].clone())),
            );
        }
        if told[0] != told[1] {
            sweep.wrong.push(format!("an import of their number, {on_duplicate}: {told:?}"));
        }
    }
    let contacts: BTreeSet<String> = all(&ours.agent, &ours.path("/contacts"), "contacts")
        .await
        .iter()
        .map(|contact| contact["id"].as_str().unwrap().to_owned())
        .collect();
    let ids: Vec<_> = canaries.ids.iter().cloned().chain([ours.made["CreateContact"].clone()]).collect();
    for selection in [json!({"ids": ids}), json!({"tag": canaries.texts[1].0}), json!({"all": true})] {
        let pacing = json!({"max_concurrent": 200, "calls_per_second": 200});
        let campaign = json!({"name": "Everybody", "task": "Speak.", "contacts": selection, "pacing": pacing});
        let campaign = ours.agent.post(&ours.path("/campaigns"), campaign).await.expect(201);
        let campaign = ours.path(&format!("/campaigns/{}", campaign["id"].as_str().unwrap()));
        ours.agent.post(&format!("{campaign}/start"), json!({})).await.expect(200);
        completed(&ours.agent, &campaign).await;
        for call in all(&ours.agent, &format!("{campaign}/calls"), "calls").await {
            let is_ours = call["contact_id"].as_str().is_some_and(|id| contacts.contains(id));
            if !is_ours || canaries.seen(&call, &sweep.said).is_some() {
                sweep.wrong.push(format!("a campaign over {selection} calls {call}"));
            }
        }
    }
}

/// Numbers that the other must not call, or is calling right now, are called by us.
pub async fn meet_nobody(sweep: &Sweep<'_>, platform: &Platform) {
    let (ours, other) = (sweep.ours, sweep.other);
    let number = other.words.phone("08");
    other.call(&number, "completed").await;
    other.call(&number, "blocked").await;
    ours.call(&number, "completed").await;

    let simulator = Client::new(platform.simulator_url()).with_token(platform.provider_secrets().0);
    let talk_on = async |seconds: u32| {
        let behaviour = json!({"suffixes": true, "talk_seconds": [seconds, seconds]});
        simulator.put("//simulator/behaviour", behaviour).await.expect(200);
    };
    let number = other.words.phone("01");
    talk_on(40_000).await;
    let theirs = other.call(&number, "dialing").await;
    talk_on(10).await;
    ours.call(&number, "completed").await;
    let path = other.path(&format!("/calls/{}", theirs["id"].as_str().unwrap()));
    let theirs = other.agent.get(&path).await.expect(200);
    assert!(theirs["ended_at"].is_null(), "it was going on all the time: {theirs}");
}
