//! Programs that call with an API key.

use crate::world::World;
use serde_json::json;
use testkit::Layout;

crate::on_both_stacks!(a_key_opens_what_it_may_as_long_as_it_works);

async fn a_key_opens_what_it_may_as_long_as_it_works(layout: Layout) {
    let world = World::new(layout).await;
    let (keys, contacts) = (world.path("/api-keys"), world.path("/contacts"));
    let wanted = json!({"name": "CRM", "permissions": ["view_contacts", "create_contacts"]});
    // The agent was not given this.
    assert_eq!(world.agent.post(&keys, wanted.clone()).await.expect(403)["permission"], "edit_organisation_settings");
    let made = world.admin.post(&keys, wanted.clone()).await.expect(201);
    let (id, text) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(text.starts_with("cf_") && text.starts_with(made["prefix"].as_str().unwrap()));
    let program = world.platform.client().with_token(text);

    let contact = json!({"name": "Ada", "phone_number": "+12125550142"});
    let contact = program.post(&contacts, contact).await.expect(201);
    assert_eq!(program.get(&contacts).await.expect(200)["contacts"][0]["id"], contact["id"]);
    assert_eq!(program.get(&world.path("/calls")).await.expect(403)["permission"], "view_calls");
    // It stands for nobody, and makes no further keys.
    assert_eq!(program.get("/me").await.status, 403);
    assert_eq!(program.post(&keys, wanted).await.status, 403);
    // It is shown once, and its use is noted.
    let listed = world.admin.get(&keys).await.expect(200);
    assert!(!listed.to_string().contains(text));
    assert!(listed["api_keys"][0]["last_used_at"].is_string(), "{listed}");

    for wrong in
        [format!("{text}x"), text.replace("cf_", "cf_x"), "cf_".to_owned(), format!("cf_{}", "x".repeat(5_000))]
    {
        let problem = world.platform.client().with_token(&wrong).get(&contacts).await.expect(401);
        assert_eq!(problem["code"], "unauthenticated");
        assert!(!problem.to_string().contains(&wrong));
    }
    // Deactivated, the organisation's programs stop; revoked, a key does for good.
    let organisation = world.path("");
    world.admin.patch(&organisation, json!({"is_active": false})).await.expect(200);
    assert_eq!(program.get(&contacts).await.status, 401);
    world.admin.patch(&organisation, json!({"is_active": true})).await.expect(200);
    assert_eq!(program.get(&contacts).await.status, 200);
    assert_eq!(world.admin.delete(&format!("{keys}/{id}")).await.status, 204);
    assert_eq!(program.get(&contacts).await.status, 401);
    assert_eq!(world.admin.get(&keys).await.expect(200)["api_keys"], json!([]));
}
