//! A platform with people in it.

use callfairy_core::{Clock, SystemClock};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{Client, Layout, Platform, Upload, eventually};

pub const PASSWORD: &str = "plain blue teapots sing";
/// What takes seconds on an idle machine may take longer on a busy one.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A platform, its superadmin, and an organisation with its agent.
pub struct World {
    pub platform: Platform,
    pub admin: Client,
    /// Signed in as the organisation's agent.
    pub agent: Client,
    pub organisation: String,
}

impl World {
    pub async fn new(layout: Layout) -> Self {
        Self::with(layout, &[]).await
    }

    pub async fn with(layout: Layout, variables: &[(&str, &str)]) -> Self {
        let platform = Platform::start(layout, variables).await;
        let admin = platform.superadmin_client().await;
        let (organisation, agent) = organisation(&platform, &admin, "agent@dental.example").await;
        Self { platform, admin, agent, organisation }
    }

    /// A path of the organisation.
    pub fn path(&self, rest: &str) -> String {
        format!("/organisations/{}{rest}", self.organisation)
    }
}

/// A new organisation with an agent who may do everything that agents can.
pub async fn organisation(platform: &Platform, admin: &Client, email: &str) -> (String, Client) {
    let organisation = admin.post("/organisations", json!({"name": "Dental"})).await.expect(201);
    let organisation = organisation["id"].as_str().unwrap().to_owned();
    let user = register(platform, admin, email).await;
    let assignment = json!({"user_id": user, "organisation_id": organisation, "package": "advanced"});
    let agent = admin.post("/agents", assignment).await.expect(201);
    for key in ["import_contacts", "view_call_recordings", "view_analytics"] {
        let path = format!("/agents/{}/permissions/{key}", agent["id"].as_str().unwrap());
        admin.put(&path, Value::Null).await.expect(200);
    }
    (organisation, platform.client().sign_in(email, PASSWORD).await)
}

/// Registers somebody, verifies the address by the mail that came, and answers the id.
pub async fn register(platform: &Platform, admin: &Client, email: &str) -> String {
    let body = json!({"email": email, "password": PASSWORD, "name": "Robin Agent"});
    platform.client().post("/auth/register", body).await.expect(202);
    let token = mailed_token(&platform.mail_dir(), email).await;
    platform.client().post("/auth/verify-email", json!({"token": token})).await.expect(200);
    let users = admin.get(&format!("/users?search={email}")).await.expect(200);
    users["users"][0]["id"].as_str().unwrap().to_owned()
}

/// The token of the mail that was sent to this address.
pub async fn mailed_token(directory: &Path, email: &str) -> String {
    eventually("a mail with a token came", PATIENCE, async || {
        std::fs::read_dir(directory).ok()?.filter_map(Result::ok).find_map(|file| {
            let path = file.path();
            let text = path.extension().is_some_and(|e| e == "eml").then(|| std::fs::read_to_string(&path).ok())??;
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            let (_, rest) = text.contains(email).then(|| text.split_once("?token="))??;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(rest.len());
            Some(rest[..end].to_owned())
        })
    })
    .await
}

/// A CSV file in a form.
pub fn csv(content: &[u8]) -> Upload<'_> {
    Upload { field: "file", file_name: "contacts.csv", content_type: "text/csv", content }
}

/// Imports a file and waits for its end.
pub async fn import(client: &Client, organisation: &str, fields: &[(&str, &str)], content: &[u8]) -> Value {
    let path = format!("/organisations/{organisation}/imports");
    let made = client.upload(&path, fields, csv(content)).await.expect(202);
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    eventually("the import came to its end", PATIENCE, async || {
        let import = client.get(&path).await.expect(200);
        let over = !matches!(import["status"].as_str(), Some("pending" | "processing"));
        over.then_some(import)
    })
    .await
}

/// A file of `count` contacts with fictional numbers; their last two digits stay clear of the simulator's special ones.
pub fn contacts(count: usize) -> String {
    let rows = (0..count).map(|n| format!("Person {n},+1{}55501{:02},p{n}@example.com\n", 201 + n / 70, 30 + n % 70));
    format!("Name,Phone,Email\n{}", rows.collect::<String>())
}

/// Makes a campaign over everybody with the tag, starts it, and answers its path.
pub async fn start_campaign(world: &World, tag: &str, pacing: Value) -> String {
    let assistant = json!({"name": "Reminder", "prompt": "Remind them of the appointment.", "record": true});
    let assistant = world.agent.post(&world.path("/assistants"), assistant).await.expect(201);
    let campaign = json!({
        "name": "Reminders", "assistant_id": assistant["id"], "contacts": {"tag": tag}, "pacing": pacing,
    });
    let campaign = world.agent.post(&world.path("/campaigns"), campaign).await.expect(201);
    assert_eq!(campaign["status"], "draft");
    let path = world.path(&format!("/campaigns/{}", campaign["id"].as_str().unwrap()));
    let started = world.agent.post(&format!("{path}/start"), json!({})).await.expect(200);
    assert_eq!(started["status"], "running");
    path
}

/// Waits until the campaign is completed.
pub async fn completed(client: &Client, campaign: &str) -> Value {
    eventually("the campaign was completed", PATIENCE, async || {
        let campaign = client.get(campaign).await.expect(200);
        (campaign["status"] == "completed").then_some(campaign)
    })
    .await
}

/// All items of a list, page by page.
pub async fn all(client: &Client, path: &str, items: &str) -> Vec<Value> {
    let (mut found, mut token) = (vec![], String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = client.get(&format!("{path}{separator}page_size=200&page_token={token}")).await.expect(200);
        found.extend(page[items].as_array().unwrap().clone());
        page["next_page_token"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            return found;
        }
    }
}

/// The simulator's own account: how many calls it placed, which numbers and calls it placed more than once, and which
/// attempts it was asked for more than once.
pub async fn journal(platform: &Platform) -> (u64, Vec<String>) {
    let simulator = Client::new(platform.simulator_url()).with_token(platform.provider_secrets().0);
    let journal = simulator.get("//simulator/journal?minimum=2&limit=100000").await.expect(200);
    assert_eq!(journal["truncated"], false);
    let twice = |kind: &str, of: &str| {
        let of = of.to_owned();
        let counts = journal[kind].as_object().unwrap().clone();
        let more = move |(key, count): (String, Value)| (count[&of].as_u64()? > 1).then_some(key);
        counts.into_iter().filter_map(more).collect::<Vec<_>>()
    };
    let twice = [twice("numbers", "placed"), twice("calls", "placed"), twice("attempts", "posts")].concat();
    (journal["placed"].as_u64().unwrap(), twice)
}

/// Lets the last two digits of a number decide what becomes of its calls.
pub async fn let_numbers_decide(platform: &Platform) {
    let simulator = Client::new(platform.simulator_url()).with_token(platform.provider_secrets().0);
    simulator.put("//simulator/behaviour", json!({"suffixes": true})).await.expect(200);
}

/// Waits until no call of the campaign is queued or going on: each is over, or visibly in doubt.
pub async fn settled(client: &Client, campaign: &str) -> Value {
    eventually("every call of the campaign was over, or in doubt", PATIENCE, async || {
        let campaign = client.get(campaign).await.expect(200);
        let counts = &campaign["counts"];
        let made = counts["total"].as_u64()? > 0;
        (made && counts["queued"] == 0 && counts["active"] == 0).then_some(campaign)
    })
    .await
}

/// A time that lies ahead, as the API reads it.
pub fn in_a_month() -> String {
    SystemClock.now().plus(Duration::from_hours(30 * 24)).to_string()
}
