//! The first campaign, from an empty platform to calls with transcripts.

use crate::world::{World, all, completed, contacts, import, journal, let_numbers_decide, start_campaign};
use serde_json::{Value, json};
use testkit::Layout;

crate::on_both_stacks!(a_campaign_over_an_imported_file, single_calls_and_what_becomes_of_them);

/// What the committed file comes to; tests/data/README.md says why.
const CONTACTS: &[u8] = include_bytes!("../data/contacts-1000.csv");

async fn a_campaign_over_an_imported_file(layout: Layout) {
    // The provider loses some webhooks; those calls are asked for.
    let pace = [
        ("CALLFAIRY_CALLS_PER_SECOND", "400"),
        ("CALLFAIRY_MAX_CONCURRENT_CALLS", "400"),
        ("CALLFAIRY_POLL_SECONDS", "3"),
        ("CALLFAIRY_SWEEP_SECONDS", "1"),
    ];
    let world = World::with(layout, &pace).await;

    let access = world.agent.get("/me/access").await.expect(200);
    assert_eq!(access["role"], "agent");
    assert_eq!(access["organisations"][0]["organisation_id"], world.organisation.as_str());
    let permissions = access["organisations"][0]["permissions"].as_array().unwrap();
    for key in ["make_calls", "manage_campaigns", "import_contacts", "view_organisations"] {
        assert!(permissions.contains(&json!(key)), "{key} in {permissions:?}");
    }

    let fields = [("default_country", "US"), ("tags", "thousand")];
    let imported = import(&world.agent, &world.organisation, &fields, CONTACTS).await;
    assert_eq!(imported["status"], "completed", "{imported}");
    let rows = |name: &str| imported[name].as_u64().unwrap();
    assert_eq!(
        (rows("total_rows"), rows("imported_rows"), rows("duplicate_rows"), rows("failed_rows")),
        (1000, 950, 20, 30)
    );
    assert_eq!(imported["bytes_read"], imported["bytes_total"]);

    let errors = world.path(&format!("/imports/{}/errors", imported["id"].as_str().unwrap()));
    let errors = world.agent.get(&errors).await;
    assert!(errors.header("content-type").starts_with("text/csv"), "{}", errors.header("content-type"));
    let errors = errors.expect(200);
    assert!(errors.as_str().unwrap().contains("error_code"), "{errors}");

    let pacing = json!({"max_concurrent": 300, "calls_per_second": 300});
    let campaign = start_campaign(&world, "thousand", pacing).await;
    let over = completed(&world.agent, &campaign).await;
    let counts = over["counts"].as_object().unwrap();
    let count = |name: &str| counts[name].as_u64().unwrap();
    let sum: u64 = counts.iter().filter(|(name, _)| *name != "total").map(|(_, n)| n.as_u64().unwrap()).sum();
    assert_eq!((count("total"), sum), (950, 950), "{counts:?}");
    assert_eq!((count("queued"), count("active"), count("unknown")), (0, 0, 0), "{counts:?}");
    for outcome in ["completed", "no_answer", "busy", "voicemail"] {
        assert!(count(outcome) > 0, "{outcome}: {counts:?}");
    }

    // The list tells the same as the counters, and no number was dialed twice.
    let calls = all(&world.agent, &format!("{campaign}/calls"), "calls").await;
    for (status, n) in counts.iter().filter(|(name, _)| !matches!(name.as_str(), "total" | "active")) {
        let listed = calls.iter().filter(|call| call["status"] == status.as_str()).count() as u64;
        assert_eq!(listed, n.as_u64().unwrap(), "{status}");
    }
    nobody_was_dialed_twice(&world).await;

    let call = calls.iter().find(|call| call["status"] == "completed").unwrap();
    assert!(call["duration"].as_u64().unwrap() > 0, "{call}");
    assert!(!call["transcript"].as_str().unwrap().is_empty(), "{call}");
    a_recording_can_be_heard(&world, call).await;
}

async fn a_recording_can_be_heard(world: &World, call: &Value) {
    let path = world.path(&format!("/calls/{}", call["id"].as_str().unwrap()));
    let recording = testkit::eventually("the recording was copied", crate::world::PATIENCE, async || {
        world.agent.get(&path).await.expect(200)["recording_url"].as_str().map(str::to_owned)
    })
    .await;
    let request = world.agent.request(reqwest::Method::GET, &format!("/{recording}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    assert!(bytes.starts_with(b"RIFF"), "{:?}", &bytes[..16.min(bytes.len())]);
    let turns = world.agent.get(&format!("{path}/transcript")).await.expect(200);
    assert!(turns["turns"].as_array().unwrap().len() > 1, "{turns}");
}

pub async fn nobody_was_dialed_twice(world: &World) {
    let (placed, twice) = journal(&world.platform).await;
    assert!(placed > 0);
    assert!(twice.is_empty(), "dialed more than once: {twice:?}");
}

async fn single_calls_and_what_becomes_of_them(layout: Layout) {
    let world = World::new(layout).await;
    let_numbers_decide(&world.platform).await;
    let place = async |number: &str| {
        let body = json!({"phone_number": number, "task": "Say hello.", "metadata": {"order": "17"}});
        let call = world.agent.post(&world.path("/calls"), body).await.expect(202);
        assert_eq!((&call["status"], &call["metadata"]["order"]), (&json!("queued"), &json!("17")));
        world.path(&format!("/calls/{}", call["id"].as_str().unwrap()))
    };
    // The last two digits tell the simulator what becomes of a call.
    let expected = [("01", "completed"), ("02", "voicemail"), ("03", "no_answer"), ("04", "busy"), ("05", "failed")];
    let mut placed = vec![];
    for (digits, status) in expected {
        placed.push((place(&format!("+121255501{digits}")).await, status));
    }
    for (path, status) in placed {
        let call = testkit::eventually("the call was over", crate::world::PATIENCE, async || {
            let call = world.agent.get(&path).await.expect(200);
            call["ended_at"].is_string().then_some(call)
        })
        .await;
        assert_eq!(call["status"], status, "{call}");
        assert_eq!(call["attempts"], 1);
        let events = all(&world.agent, &format!("{path}/events"), "events").await;
        let causes: Vec<_> = events.iter().map(|event| event["cause"].as_str().unwrap()).collect();
        assert_eq!(causes[..3], ["accepted", "claimed", "sent"], "{causes:?}");
        assert_eq!(events.last().unwrap()["status"], status, "{events:?}");
    }

    // The same key and body answer the same call again; another body is refused.
    let send = async |body: &Value| {
        let request = world.agent.request(reqwest::Method::POST, &world.path("/calls"));
        let response = request.header("Idempotency-Key", "once-1").json(body).send().await.unwrap();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let body = json!({"phone_number": "+12125550131", "task": "Say hello."});
    let (first, again) = (send(&body).await, send(&body).await);
    assert_eq!((first.0, again.0), (202, 202));
    assert_eq!(first.1["id"], again.1["id"]);
    let (status, problem) = send(&json!({"phone_number": "+12125550132", "task": "Say hello."})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("idempotency_key_reused")));
    nobody_was_dialed_twice(&world).await;
}

/// The flow's numbers do not depend on luck: the file has no number that the simulator treats in a special way twice.
#[tokio::test]
async fn the_helper_makes_numbers_that_are_all_different() {
    let file = contacts(500);
    let numbers: std::collections::HashSet<_> =
        file.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    assert_eq!(numbers.len(), 500);
}
