//! Another organisation's things do not exist.

use crate::world::{World, import, in_a_month, organisation};
use serde_json::{Value, json};
use testkit::{Answer, Client, Layout};

crate::on_both_stacks!(another_organisation_does_not_exist);

/// An answer without what differs between any two requests.
fn told(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("instance");
        body.remove("trace_id");
    }
    (answer.status, body)
}

async fn another_organisation_does_not_exist(layout: Layout) {
    let world = World::new(layout).await;
    let (other, stranger) = organisation(&world.platform, &world.admin, "stranger@other.example").await;
    let imported =
        import(&world.agent, &world.organisation, &[("tags", "mine")], b"Name,Phone\nAda,+442079460018\n").await;
    let contact = &world.agent.get(&world.path("/contacts")).await.expect(200)["contacts"][0];
    let assistant = json!({"name": "Mine", "prompt": "Speak."});
    let assistant = world.agent.post(&world.path("/assistants"), assistant).await.expect(201);
    let campaign = json!({"name": "Mine", "assistant_id": assistant["id"], "contacts": {"tag": "mine"}});
    let campaign = world.agent.post(&world.path("/campaigns"), campaign).await.expect(201);
    let call = json!({"contact_id": contact["id"], "task": "Speak.", "scheduled_at": in_a_month()});
    let call = world.agent.post(&world.path("/calls"), call).await.expect(202);

    let unknown = "01900000-0000-7000-8000-000000000000";
    let things = [
        ("contacts", contact, ""),
        ("imports", &imported, ""),
        ("imports", &imported, "/errors"),
        ("assistants", &assistant, ""),
        ("campaigns", &campaign, ""),
        ("campaigns", &campaign, "/calls"),
        ("calls", &call, ""),
        ("calls", &call, "/events"),
        ("calls", &call, "/transcript"),
        ("calls", &call, "/recording"),
    ];
    for (kind, thing, rest) in things {
        let id = thing["id"].as_str().unwrap();
        let get = async |who: &Client, organisation: &str, id: &str| {
            told(&who.get(&format!("/organisations/{organisation}/{kind}/{id}{rest}")).await)
        };
        // Its ids in the stranger's own organisation, and its organisation itself, answer like what never was.
        let nothing = get(&stranger, &other, unknown).await;
        assert_eq!(nothing.0, 404, "{kind}{rest}");
        assert_eq!(get(&stranger, &other, id).await, nothing, "{kind}{rest}");
        assert_eq!(get(&stranger, &world.organisation, id).await, nothing, "{kind}{rest}");
        assert_eq!(get(&stranger, unknown, id).await, nothing, "{kind}{rest}");
    }
    for kind in ["contacts", "imports", "assistants", "campaigns", "calls"] {
        let mine = stranger.get(&format!("/organisations/{other}/{kind}")).await.expect(200);
        assert_eq!(mine[kind], json!([]), "{kind}");
        let foreign = stranger.get(&format!("/organisations/{}/{kind}", world.organisation)).await;
        assert_eq!(foreign.status, 404, "{kind}");
    }
    // What it names in a body is not found either, and changes nothing.
    let own = |rest: &str| format!("/organisations/{other}{rest}");
    let body = json!({"contact_id": contact["id"], "task": "Speak."});
    let problem = stranger.post(&own("/calls"), body).await;
    assert_eq!(
        (problem.status, &problem.body["errors"][0]["field"]),
        (400, &json!("contact_id")),
        "{:?}",
        problem.body
    );
    let body = json!({"phone_number": "+442079460018", "assistant_id": assistant["id"]});
    let problem = stranger.post(&own("/calls"), body).await;
    assert_eq!(
        (problem.status, &problem.body["errors"][0]["field"]),
        (400, &json!("assistant_id")),
        "{:?}",
        problem.body
    );
    let start = format!("/campaigns/{}/start", campaign["id"].as_str().unwrap());
    assert_eq!(stranger.post(&own(&start), json!({})).await.status, 404);
    assert_eq!(stranger.post(&world.path(&start), json!({})).await.status, 404);
    let campaign = format!("/campaigns/{}", campaign["id"].as_str().unwrap());
    assert_eq!(world.agent.get(&world.path(&campaign)).await.expect(200)["status"], "draft");
    assert_eq!(stranger.get("/agents").await.status, 403);
    assert_eq!(stranger.get("/users").await.status, 403);
}
