//! From an invitation's mail to the first sign-in.

use crate::world::{PASSWORD, PATIENCE, World, mailed_token, register};
use serde_json::json;
use std::path::Path;
use testkit::{Layout, eventually};

crate::on_both_stacks!(the_invited_come_in);

/// All mail to this address, as its text.
fn mails(directory: &Path, email: &str) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(directory) else { return vec![] };
    let paths = files.filter_map(Result::ok).map(|file| file.path());
    let texts = paths.filter(|path| path.extension().is_some_and(|e| e == "eml"));
    let texts = texts.filter_map(|path| std::fs::read_to_string(path).ok());
    texts.filter(|text| text.contains(&format!("To: {email}"))).collect()
}

async fn the_invited_come_in(layout: Layout) {
    let world = World::new(layout).await;
    // The organisation's agent invites somebody who has no account.
    let nia = "nia@dental.example";
    world.agent.post(&world.path("/members"), json!({"email": nia, "name": "Nia"})).await.expect(202);
    let mail = eventually("the invitation came", PATIENCE, async || mails(&world.platform.mail_dir(), nia).pop()).await;
    assert!(mail.contains("Robin Agent has invited you to join \"Dental\"") && mail.contains("/register"), "{mail}");
    let waiting = world.agent.get(&world.path("/invitations")).await.expect(200);
    assert_eq!(waiting["invitations"][0]["email"], nia);

    let id = register(&world.platform, &world.admin, nia).await;
    let client = world.platform.client().sign_in(nia, PASSWORD).await;
    let organisations = eventually("she is a member", PATIENCE, async || {
        let access = client.get("/me/access").await.expect(200);
        access["organisations"].as_array().filter(|list| !list.is_empty()).cloned()
    })
    .await;
    assert_eq!((&organisations[0]["name"], &organisations[0]["relation"]), (&json!("Dental"), &json!("member")));
    client.get(&world.path("")).await.expect(200);
    let waiting = world.agent.get(&world.path("/invitations")).await.expect(200);
    assert_eq!(waiting["invitations"], json!([]));
    let renamed = json!({"name": "Nia of reception", "job_title": "Reception"});
    let member = world.agent.patch(&world.path(&format!("/members/{id}")), renamed).await.expect(200);
    assert_eq!((&member["name"], &member["job_title"]), (&json!("Nia of reception"), &json!("Reception")));
    assert_eq!(client.get("/me").await.expect(200)["name"], "Robin Agent");
    let invited = mails(&world.platform.mail_dir(), nia).iter().filter(|mail| mail.contains("has invited you")).count();
    assert_eq!(invited, 1);

    // Whoever is withdrawn has an account, and no more.
    let una = "una@dental.example";
    world.agent.post(&world.path("/members"), json!({"email": una})).await.expect(202);
    let waiting = world.agent.get(&world.path("/invitations")).await.expect(200);
    let path = world.path(&format!("/invitations/{}", waiting["invitations"][0]["id"].as_str().unwrap()));
    // To take people away is not in an agent's package.
    assert_eq!(world.agent.delete(&path).await.status, 403);
    world.admin.delete(&path).await.expect(204);
    register(&world.platform, &world.admin, una).await;
    let client = world.platform.client().sign_in(una, PASSWORD).await;
    assert_eq!(client.get("/me/access").await.expect(200)["organisations"], json!([]));

    // A superadmin invites somebody to the platform, who sets a password by the link in the mail.
    let ida = "ida@dental.example";
    let made = world.admin.post("/users", json!({"email": ida, "name": "Ida"})).await.expect(201);
    assert_eq!((&made["email_verified"], &made["role"]), (&json!(false), &json!("user")));
    let accepted = json!({"token": mailed_token(&world.platform.mail_dir(), ida).await, "password": PASSWORD});
    world.platform.client().post("/auth/invitation/accept", accepted.clone()).await.expect(200);
    world.platform.client().post("/auth/invitation/accept", accepted).await.expect(410);
    let client = world.platform.client().sign_in(ida, PASSWORD).await;
    assert_eq!(client.get("/me").await.expect(200)["id"], made["id"]);
    // Who has an account is a member at once, and told so.
    world.agent.post(&world.path("/members"), json!({"email": ida})).await.expect(202);
    eventually("she is told", PATIENCE, async || {
        let mails = mails(&world.platform.mail_dir(), ida);
        mails.iter().any(|mail| mail.contains("has added you to \"Dental\"")).then_some(())
    })
    .await;
    eventually("she is a member", PATIENCE, async || (client.get(&world.path("")).await.status == 200).then_some(()))
        .await;
}
