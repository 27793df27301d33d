//! Bad input: each the documented problem that names the field, nothing changed, never a 5xx.

use crate::world::{World, csv, in_a_month};
use serde_json::{Value, json};
use testkit::{Answer, Layout, Upload};

crate::on_both_stacks!(
    bad_bodies_are_named,
    bad_files_are_refused,
    forged_webhooks_change_nothing,
    strangers_are_kept_out
);

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    let body = &answer.body;
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{body}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(body["status"], status);
    for name in ["type", "title", "detail", "instance"] {
        assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {body}");
    }
    if let Some(field) = field {
        let fields: Vec<_> = body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert!(fields.contains(&field), "{field}: {body}");
    }
}

async fn bad_bodies_are_named(layout: Layout) {
    let world = World::new(layout).await;
    let contacts = world.path("/contacts");
    let good = json!({"name": "Ada", "phone_number": "+442079460018"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, field) in [
        (json!({}), "name"),
        (with("name", json!("")), "name"),
        (with("name", json!(7)), "name"),
        (with("name", json!("x".repeat(201))), "name"),
        (with("name", json!("a\u{0}b")), "name"),
        (with("nickname", json!("x")), "nickname"),
        (with("organisation_id", json!(world.organisation)), "organisation_id"),
        (with("phone_number", json!("call me")), "phone_number"),
        (with("phone_number", json!("020 7946 0018")), "phone_number"),
        (with("phone_number", json!("+1 212")), "phone_number"),
        (with("email", json!("not an address")), "email"),
        (with("tags", json!(["a", 7])), "tags[1]"),
        (with("tags", json!("a")), "tags"),
        (with("default_country", json!("Utopia")), "default_country"),
    ] {
        refused(&world.agent.post(&contacts, body).await, 400, "invalid_argument", Some(field));
    }
    let raw = async |body: &'static str, content_type: &str| {
        let request = world.agent.request(reqwest::Method::POST, &contacts);
        Answer::read(request.header("content-type", content_type).body(body).send().await.unwrap()).await.unwrap()
    };
    for body in ["{", "[]", "\"name\"", "{\"name\": \"a\"} x", "{\"name\": \"a\", \"name\": \"b\"}", "\u{1}"] {
        refused(&raw(body, "application/json").await, 400, "invalid_argument", None);
    }
    refused(&raw("name=Ada", "application/x-www-form-urlencoded").await, 415, "unsupported_media_type", None);
    let huge = with("name", json!("x".repeat(2_000_000)));
    refused(&world.agent.post(&contacts, huge).await, 413, "payload_too_large", None);

    for (query, field) in [
        ("page_size=x", "page_size"),
        ("page_size=201", "page_size"),
        ("page_token=nonsense", "page_token"),
        ("order_by=shoe_size", "order_by"),
        ("nope=1", "nope"),
    ] {
        let answer = world.agent.get(&format!("{contacts}?{query}")).await;
        refused(&answer, 400, "invalid_argument", Some(field));
    }
    refused(&world.agent.get(&format!("{contacts}/7")).await, 400, "invalid_argument", Some("id"));
    refused(&world.agent.get("/organisations/7/contacts").await, 400, "invalid_argument", Some("organisation_id"));
    refused(&world.agent.put(&contacts, json!({})).await, 405, "method_not_allowed", None);
    refused(&world.agent.get("/nowhere").await, 404, "not_found", None);
    assert_eq!(world.agent.get(&contacts).await.expect(200)["contacts"], json!([]), "nothing was created");

    let calls = world.path("/calls");
    for (body, field) in [
        (json!({"task": "Speak."}), "phone_number"),
        (json!({"phone_number": "+442079460018"}), "task"),
        (json!({"phone_number": "+442079460018", "task": "Speak.", "max_duration": 0}), "max_duration"),
        (json!({"phone_number": "+442079460018", "task": "Speak.", "scheduled_at": "tomorrow"}), "scheduled_at"),
        (
            json!({"phone_number": "+442079460018", "task": "Speak.", "scheduled_at": "2999-01-01T00:00:00Z"}),
            "scheduled_at",
        ),
        (
            json!({"phone_number": "+442079460018", "task": "Speak.", "voicemail": {"action": "sing"}}),
            "voicemail.action",
        ),
        (json!({"contact_id": "01900000-0000-7000-8000-000000000000", "task": "Speak."}), "contact_id"),
    ] {
        refused(&world.agent.post(&calls, body).await, 400, "invalid_argument", Some(field));
    }
    let campaign = |contacts: Value| json!({"name": "C", "task": "Speak.", "contacts": contacts});
    for contacts in [json!({}), json!({"tag": "a", "all": true}), json!({"ids": [], "tag": ""})] {
        let answer = world.agent.post(&world.path("/campaigns"), campaign(contacts)).await;
        refused(&answer, 400, "invalid_argument", Some("contacts"));
    }
    let answer = world.agent.post(&world.path("/campaigns"), campaign(json!({"ids": ["7"]}))).await;
    refused(&answer, 400, "invalid_argument", Some("contacts.ids[0]"));
    assert_eq!(world.agent.get(&calls).await.expect(200)["calls"], json!([]), "nothing was placed");
}

/// A file, the form's fields, and the field that is wrong.
type Case = (&'static [u8], &'static [(&'static str, &'static str)], &'static str);

async fn bad_files_are_refused(layout: Layout) {
    const GOOD: &str = "Name,Phone\nAda,+442079460018\n";
    let world = World::new(layout).await;
    let imports = world.path("/imports");
    let cases: [Case; 9] = [
        (b"", &[], "file"),
        (b"PK\x03\x04zipzipzip\x00\x00", &[], "file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", &[], "file"),
        (b"Name,Shoe size\nAda,38\n", &[], "file"),
        (b"Name,Phone\n", &[], "file"),
        (GOOD.as_bytes(), &[("mapping", "{not json")], "mapping"),
        (GOOD.as_bytes(), &[("mapping", r#"{"Name": "shoe_size"}"#)], "mapping"),
        (GOOD.as_bytes(), &[("default_country", "xx")], "default_country"),
        (GOOD.as_bytes(), &[("on_duplicate", "explode")], "on_duplicate"),
    ];
    for (content, fields, field) in cases {
        refused(&world.agent.upload(&imports, fields, csv(content)).await, 400, "invalid_argument", Some(field));
    }
    let wrong = Upload { field: "picture", ..csv(GOOD.as_bytes()) };
    assert_eq!(world.agent.upload(&imports, &[], wrong).await.status, 400);
    refused(&world.agent.post(&imports, json!({})).await, 415, "unsupported_media_type", None);
    assert_eq!(world.agent.get(&imports).await.expect(200)["imports"], json!([]), "no import was made");
    assert_eq!(world.agent.get(&world.path("/contacts")).await.expect(200)["contacts"], json!([]));
}

async fn strangers_are_kept_out(layout: Layout) {
    let world = World::new(layout).await;
    let contacts = world.path("/contacts");
    let nobody = world.platform.client();
    refused(&nobody.get(&contacts).await, 401, "unauthenticated", None);
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30."] {
        refused(&nobody.with_token(token).get(&contacts).await, 401, "unauthenticated", None);
    }
    // Whoever has not signed in is not told what is wrong with a body.
    refused(&nobody.post(&contacts, json!({"nope": 1})).await, 401, "unauthenticated", None);
    refused(
        &nobody.post("/auth/login", json!({"email": "a@b.example", "password": "x"})).await,
        401,
        "invalid_credentials",
        None,
    );

    let reports = json!({"name": "Empty"});
    let organisation = world.admin.post("/organisations", reports).await.expect(201);
    let path = format!("/organisations/{}/contacts", organisation["id"].as_str().unwrap());
    assert_eq!(world.agent.get(&path).await.status, 404);
    refused(&world.agent.post("/organisations", json!({"name": "Mine"})).await, 403, "permission_denied", None);
    // The agent has `advanced` and some more, but this permission it lacks.
    let agents = world.admin.get(&format!("/agents?organisation_id={}", world.organisation)).await.expect(200);
    let id = agents["agents"][0]["id"].as_str().unwrap();
    world.admin.delete(&format!("/agents/{id}/permissions/make_calls")).await.expect(200);
    let call = json!({"phone_number": "+442079460018", "task": "Speak."});
    let answer = testkit::eventually("the permission is gone", crate::world::PATIENCE, async || {
        let answer = world.agent.post(&world.path("/calls"), call.clone()).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    refused(&answer, 403, "permission_denied", None);
    assert_eq!(answer.body["permission"], "make_calls");
    let grant = world.admin.put(&format!("/agents/{id}/permissions/manage_agents"), Value::Null).await;
    assert_eq!(grant.body["code"], "permission_not_grantable", "{:?}", grant.body);
    let nonsense = world.admin.put(&format!("/agents/{id}/permissions/fly"), Value::Null).await;
    refused(&nonsense, 400, "invalid_argument", Some("key"));
}

async fn forged_webhooks_change_nothing(layout: Layout) {
    let world = World::new(layout).await;
    let call = json!({"phone_number": "+12125550101", "task": "Speak.", "scheduled_at": in_a_month()});
    let call = world.agent.post(&world.path("/calls"), call).await.expect(202);
    let body = json!({"call_id": "c1", "status": "completed", "completed": true, "metadata": {"callfairy_call_id": call["id"]}});
    let nobody = world.platform.client();
    let answer = nobody.post("/webhooks/bland/guess", body.clone()).await;
    refused(&answer, 404, "not_found", None);
    let forged = "A".repeat(64);
    refused(&nobody.post(&format!("/webhooks/bland/{forged}"), body).await, 404, "not_found", None);
    let path = world.path(&format!("/calls/{}", call["id"].as_str().unwrap()));
    assert_eq!(world.agent.get(&path).await.expect(200)["status"], "queued");
}
