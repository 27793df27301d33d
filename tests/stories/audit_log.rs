//! What was done is in the audit log, for superadmins, and stays there.

use crate::world::{PATIENCE, World, all, register};
use serde_json::{Value, json};
use testkit::{Database, Layout, eventually};

crate::on_both_stacks!(what_was_done_is_in_the_log_and_stays_there);

/// What the log has of an action, the newest first.
async fn entries(world: &World, query: &str) -> Vec<Value> {
    all(&world.admin, &format!("/audit-logs?{query}"), "audit_logs").await
}

/// Waits for the first.
async fn entry(world: &World, query: &str) -> Value {
    let found = async || entries(world, query).await.into_iter().next();
    eventually(&format!("{query} was in the audit log"), PATIENCE, found).await
}

/// As whoever owns tenancy's database, past everything that it holds.
fn tamper(world: &World, sql: &str) {
    use diesel::connection::SimpleConnection as _;
    use diesel::{Connection as _, PgConnection, SqliteConnection};
    let done = if let Some(url) = world.platform.database().map(Database::url) {
        let sql = format!("SET search_path TO tenancy; SET session_replication_role TO replica; {sql}");
        PgConnection::establish(url).unwrap().batch_execute(&sql)
    } else {
        let file = world.platform.data_dir().join("tenancy.db").display().to_string();
        let drop = "PRAGMA busy_timeout = 30000; DROP TRIGGER IF EXISTS audit_log_update;";
        SqliteConnection::establish(&file).unwrap().batch_execute(&format!("{drop} {sql}"))
    };
    done.unwrap();
}

async fn what_was_done_is_in_the_log_and_stays_there(layout: Layout) {
    let world = World::new(layout).await;
    let me = world.admin.get("/me").await.expect(200);
    let admin = me["id"].as_str().unwrap();
    let user = register(&world.platform, &world.admin, "ada@dental.example").await;

    // A grant: by whom, to whom, what.
    world.admin.put(&format!("/users/{user}/permissions/view_calls"), Value::Null).await.expect(200);
    // Its agent was granted something before.
    let granted = eventually("the grant was in the audit log", PATIENCE, async || {
        let granted = entries(&world, &format!("action=permission_granted&actor={admin}")).await;
        granted.into_iter().find(|entry| entry["subject"]["kind"] == "user")
    })
    .await;
    assert_eq!(granted["actor"], json!({"kind": "user", "id": admin}));
    assert_eq!(granted["subject"], json!({"kind": "user", "id": user}));
    assert_eq!((&granted["outcome"], &granted["details"]["permission"]), (&json!("done"), &json!("view_calls")));
    assert_eq!((&granted["network"], &granted["organisation_id"]), (&json!("127.0.0.0/24"), &Value::Null));

    // Refusals, counted.
    let organisation = &world.organisation;
    for _ in 0..5 {
        world.agent.get(&world.path("/api-keys")).await.expect(403);
    }
    let refused = entry(&world, &format!("action=access_refused&organisation_id={organisation}")).await;
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["details"]["permission"], "edit_organisation_settings");
    assert_eq!(refused["details"]["rpc"], "/callfairy.tenancy.v1.ApiKeys/ListApiKeys");
    let count = |entry: &Value| entry["details"]["count"].as_str().unwrap().parse::<u32>().unwrap();
    let counted = async || {
        let all = entries(&world, &format!("action=access_refused&organisation_id={organisation}")).await;
        (all.iter().map(count).sum::<u32>() == 5).then_some(all.len())
    };
    assert!(eventually("each refusal was counted", PATIENCE, counted).await <= 2);

    // What other services did, and for superadmins alone.
    let assigned = entry(&world, &format!("action=agent_assigned&organisation_id={organisation}")).await;
    assert_eq!((&assigned["actor"]["id"], &assigned["subject"]["kind"]), (&json!(admin), &json!("assignment")));
    assert_eq!(world.agent.get("/audit-logs").await.status, 403);
    assert_eq!(world.admin.get("/audit-logs?from=2999-01-01T00:00:00Z").await.expect(200)["audit_logs"], json!([]));
    assert_eq!(world.admin.get("/audit-logs?from=yesterday").await.expect(400)["errors"][0]["field"], "from");
    let written = json!(entries(&world, "").await).to_string();
    assert!(!written.contains('@') && !written.contains("Robin") && !written.contains("127.0.0.1"), "{written}");

    // The chain holds, and what was noted of it stays in it.
    let (code, printed) = world.platform.callfairy(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{printed}");
    let head = printed.lines().find_map(|line| line.strip_prefix("head     ")).unwrap();
    world.admin.delete(&format!("/users/{user}/permissions/view_calls")).await;
    entry(&world, "action=permission_revoked").await;
    let (code, printed) = world.platform.callfairy(&["audit", "verify", "--expect", head]);
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = world.platform.callfairy(&["audit", "verify", "--expect", &"0a".repeat(32)]);
    assert!(code == Some(1) && printed.contains("no entry with the hash"), "{code:?} {printed}");

    // Whoever owns the database can change it, and it shows.
    tamper(&world, &format!("UPDATE audit_log SET actor_id = '{user}' WHERE sequence = {}", granted["sequence"]));
    let (code, printed) = world.platform.callfairy(&["audit", "verify"]);
    let place = format!("broken at entry {}: ", granted["sequence"]);
    assert!(code == Some(1) && printed.contains(&place), "{code:?} {printed}");
}
