//! What happens in the demo.

use super::client::Client;
use super::contacts;
use callfairy_core::Secret;
use runtime::BoxError;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const EMAIL: &str = "agent@example.com";
const PASSWORD: &str = "plain blue teapots sing";
/// How long each part may take.
const PATIENCE: Duration = Duration::from_mins(10);

pub async fn tell(
    client: &Client,
    superadmin: &str,
    password: &Secret,
    mail: &Path,
    count: u32,
) -> Result<(), BoxError> {
    client.sign_in(superadmin, password.expose()).await?;
    say("signed in as superadmin", superadmin);
    let organisation = client.post("/organisations", json!({"name": "Sample Dental", "city": "Springfield"})).await?;
    let organisation = text(&organisation["id"]);
    say("created the organisation", "Sample Dental");

    let user = json!({"email": EMAIL, "password": PASSWORD, "name": "Robin Agent"});
    client.post("/auth/register", user).await?;
    let token = mailed_token(mail).await?;
    client.post("/auth/verify-email", json!({"token": token})).await?;
    say("registered and verified", EMAIL);
    let users = client.get(&format!("/users?search={EMAIL}")).await?;
    let user_id = text(&users["users"][0]["id"]);
    let assignment = json!({"user_id": user_id, "organisation_id": organisation, "package": "advanced"});
    let agent = text(&client.post("/agents", assignment).await?["id"]);
    for key in ["import_contacts", "view_call_recordings"] {
        client.put(&format!("/agents/{agent}/permissions/{key}")).await?;
    }
    say("assigned as its agent", "advanced, import_contacts, view_call_recordings");

    client.sign_in(EMAIL, PASSWORD).await?;
    let home = format!("/organisations/{organisation}");
    let import = until("the import", || async {
        // The agent's access is known everywhere within a second.
        let fields = [("default_country", "US"), ("tags", "demo")];
        client.upload(&format!("{home}/imports"), &fields, contacts::csv(count)).await.map(Some).or_else(not_yet)
    })
    .await?;
    let import = format!("{home}/imports/{}", text(&import["id"]));
    let import = until("the import", || async {
        let import = client.get(&import).await?;
        Ok((import["status"] == "completed").then_some(import))
    })
    .await?;
    say("imported contacts", &format!("{} of {} rows", import["imported_rows"], import["total_rows"]));

    let assistant = json!({
        "name": "Reminder", "prompt": "Remind the patient of tomorrow's appointment, and offer to move it.",
        "first_sentence": "Hello, this is Sample Dental.", "record": true, "voicemail": {"action": "hangup"},
    });
    let assistant = text(&client.post(&format!("{home}/assistants"), assistant).await?["id"]);
    let campaign = json!({
        "name": "Reminders", "assistant_id": assistant, "contacts": {"tag": "demo"},
        "pacing": {"max_concurrent": 50, "calls_per_second": 25},
    });
    let campaign = text(&client.post(&format!("{home}/campaigns"), campaign).await?["id"]);
    let campaign = format!("{home}/campaigns/{campaign}");
    client.post(&format!("{campaign}/start"), json!({})).await?;
    say("started the campaign", "Reminders");
    println!();
    watch(client, &campaign).await?;
    show_a_call(client, &campaign).await
}

/// A live line, until the campaign is over.
async fn watch(client: &Client, campaign: &str) -> Result<(), BoxError> {
    let begun = Instant::now();
    let last = until("the campaign", || async {
        let state = client.get(campaign).await?;
        let counts = &state["counts"];
        let progress = state["progress"].as_f64().unwrap_or_default();
        print!(
            "\r  [{}] {:3.0} %  {} active, {} completed, {} no answer, {} busy, {} voicemail, {} failed   ",
            bar(progress),
            progress * 100.0,
            counts["active"],
            counts["completed"],
            counts["no_answer"],
            counts["busy"],
            counts["voicemail"],
            counts["failed"],
        );
        std::io::stdout().flush()?;
        Ok((state["status"] == "completed").then_some(state))
    })
    .await?;
    println!("\n\n  {} calls in {:.1} s.", last["counts"]["total"], begun.elapsed().as_secs_f64());
    Ok(())
}

async fn show_a_call(client: &Client, campaign: &str) -> Result<(), BoxError> {
    let calls = client.get(&format!("{campaign}/calls?status=completed&page_size=1")).await?;
    let call = &calls["calls"][0];
    println!("\n  One of them, {} s to {}:", call["duration"], text(&call["phone_number"]));
    for line in call["transcript"].as_str().unwrap_or_default().lines().take(6) {
        println!("    {line}");
    }
    Ok(())
}

fn bar(progress: f64) -> String {
    let done = (0..30).filter(|n| f64::from(*n) < progress * 30.0).count();
    format!("{}{}", "#".repeat(done), ".".repeat(30 - done))
}

fn say(what: &str, detail: &str) {
    println!("  {what:<26} {detail}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A refusal may be the access of a second ago.
fn not_yet(error: BoxError) -> Result<Option<Value>, BoxError> {
    let told = error.to_string();
    if told.contains("404") || told.contains("403") { Ok(None) } else { Err(error) }
}

/// The token in the mail that was sent to the new user.
async fn mailed_token(mail: &Path) -> Result<String, BoxError> {
    until("the mail", || async {
        let Ok(files) = std::fs::read_dir(mail) else { return Ok(None) };
        for file in files.filter_map(Result::ok).filter(|f| f.path().extension().is_some_and(|e| e == "eml")) {
            let text = std::fs::read_to_string(file.path())?.replace("=\r\n", "").replace("=3D", "=");
            if let Some((_, rest)) = text.split_once("?token=") {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(rest.len());
                return Ok(Some(rest[..end].to_owned()));
            }
        }
        Ok(None)
    })
    .await
}

/// Asks until there is something, at most for as long as anybody has patience.
async fn until<T, F>(what: &str, ask: impl Fn() -> F) -> Result<T, BoxError>
where
    F: Future<Output = Result<Option<T>, BoxError>>,
{
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{what} did not come to an end").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
