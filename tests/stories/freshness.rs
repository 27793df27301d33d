//! How soon a change of who may do what is seen.

use crate::world::{PASSWORD, PATIENCE, World, register};
use serde_json::{Value, json};
use testkit::{Layout, Program, eventually};

crate::on_both_stacks!(the_next_request_sees_a_change);

/// More than could all fall into a lucky moment.
const TIMES: usize = 15;

async fn the_next_request_sees_a_change(layout: Layout) {
    let world = World::new(layout).await;
    let agents = world.admin.get(&format!("/agents?organisation_id={}", world.organisation)).await.expect(200);
    let permission = format!("/agents/{}/permissions/view_contacts", agents["agents"][0]["id"].as_str().unwrap());
    let contacts = world.path("/contacts");
    for _ in 0..TIMES {
        world.admin.delete(&permission).await.expect(200);
        assert_eq!(world.agent.get(&contacts).await.expect(403)["permission"], "view_contacts");
        world.admin.put(&permission, Value::Null).await.expect(200);
        assert_eq!(world.agent.get(&contacts).await.status, 200);
    }

    // An agent that is revoked, and assigned again.
    let user = agents["agents"][0]["user"]["id"].clone();
    let mut agent = agents["agents"][0]["id"].clone();
    for _ in 0..TIMES {
        world.admin.post(&format!("/agents/{}/revoke", agent.as_str().unwrap()), json!({})).await.expect(200);
        assert_eq!(world.agent.get(&contacts).await.status, 404);
        assert_eq!(world.agent.get("/me").await.expect(200)["role"], "user");
        let assignment = json!({"user_id": user, "organisation_id": world.organisation, "package": "advanced"});
        agent = world.admin.post("/agents", assignment).await.expect(201)["id"].clone();
        assert_eq!(world.agent.get(&contacts).await.status, 200);
        assert_eq!(world.agent.get("/me").await.expect(200)["role"], "agent");
    }

    // A program's key, then the organisation itself.
    let wanted = json!({"name": "CRM", "permissions": ["view_contacts"]});
    for _ in 0..TIMES {
        let key = world.admin.post(&world.path("/api-keys"), wanted.clone()).await.expect(201);
        let program = world.platform.client().with_token(key["key"].as_str().unwrap());
        assert_eq!(program.get(&contacts).await.status, 200);
        let key = world.path(&format!("/api-keys/{}", key["id"].as_str().unwrap()));
        assert_eq!(world.admin.delete(&key).await.status, 204);
        assert_eq!(program.get(&contacts).await.status, 401);
    }
    for _ in 0..TIMES {
        world.admin.patch(&world.path(""), json!({"is_active": false})).await.expect(200);
        assert_eq!(world.agent.get(&contacts).await.status, 404);
        // Soon after, its agent's assignment is revoked: by nobody, and for good.
        let assigned = format!("/agents/{}", agent.as_str().unwrap());
        let revoked = async || {
            let assigned = world.admin.get(&assigned).await.expect(200);
            (assigned["is_active"] == false).then_some(assigned)
        };
        assert_eq!(eventually("the assignment is revoked", PATIENCE, revoked).await["revoked_by"], Value::Null);
        world.admin.patch(&world.path(""), json!({"is_active": true})).await.expect(200);
        assert_eq!(world.agent.get(&contacts).await.status, 404);
        assert_eq!(world.agent.get("/me").await.expect(200)["role"], "user");
        let assignment = json!({"user_id": user, "organisation_id": world.organisation, "package": "advanced"});
        agent = world.admin.post("/agents", assignment).await.expect(201)["id"].clone();
        assert_eq!(world.agent.get(&contacts).await.status, 200);
    }

    // Signing out, in every service.
    let email = "una@dental.example";
    register(&world.platform, &world.admin, email).await;
    for _ in 0..3 {
        let una = world.platform.client().sign_in(email, PASSWORD).await;
        assert_eq!(una.get("/me").await.status, 200);
        assert_eq!(una.get("/permission-packages").await.status, 200);
        assert_eq!(una.post("/auth/logout", json!({})).await.status, 204);
        for path in ["/me", "/me/access", "/permission-packages", "/permissions", contacts.as_str()] {
            assert_eq!(una.get(path).await.status, 401, "{path}");
        }
    }
}

/// With the authority out of reach nobody is let in by what was once true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_authority_nobody_is_let_in() {
    let mut world = World::new(Layout::SixProcesses).await;
    let contacts = world.path("/contacts");
    assert_eq!(world.agent.get(&contacts).await.status, 200);
    world.platform.kill9(Program::Tenancy);
    let refused = async || {
        let answer = world.agent.get(&contacts).await;
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 503).then_some(answer)
    };
    let answer = eventually("what was once true counts no more", PATIENCE, refused).await;
    assert_eq!(answer.body["code"], "unavailable");
    assert!(!answer.header("retry-after").is_empty());
    // It stays so.
    for _ in 0..3 {
        assert_eq!(world.agent.get(&contacts).await.status, 503);
    }
    world.platform.restart(Program::Tenancy);
    world.platform.wait_ready().await;
    let works = async || (world.agent.get(&contacts).await.status == 200).then_some(());
    eventually("the agent is let in again", PATIENCE, works).await;

    // One that hangs is as good as none.
    world.platform.process_mut(Program::Tenancy).signal("STOP");
    let refused = async || {
        let answer = world.agent.get(&contacts).await;
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 503).then_some(())
    };
    eventually("what was once true counts no more", PATIENCE, refused).await;
    world.platform.process_mut(Program::Tenancy).signal("CONT");
    let works = async || (world.agent.get(&contacts).await.status == 200).then_some(());
    eventually("the agent is let in again", PATIENCE, works).await;
}
