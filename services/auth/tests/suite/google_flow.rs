//! Signing in with Google by sending the browser there and back.

use crate::google::{Google, id};
use crate::issuer::{ADA, Person};
use crate::second_factor::{STEP, enable_totp, shown};
use crate::world::{World, code};
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::join_all;
use proto::auth::{FinishGoogleSignInRequest, GoogleSignInStarted, StartGoogleSignInRequest, Tokens};
use proto::rpc::google_sign_in::{FinishGoogleSignIn, StartGoogleSignIn};
use serde_json::json;
use std::time::Duration;

testkit::on_both!(
    leads_there_and_back,
    each_walk_is_its_own,
    a_state_works_once,
    a_state_works_once_in_a_race,
    another_browser_is_refused,
    ten_minutes_are_enough,
    the_nonce_must_come_back,
    the_verifier_must_be_the_one,
    a_no_is_a_no,
    tokens_are_checked_as_when_they_are_posted,
    asks_for_the_second_factor_without_another_walk,
    an_issuer_out_of_reach_is_no_refusal,
    another_issuer_s_answer_is_refused,
    nothing_of_it_is_kept_in_the_open,
);

impl Google {
    async fn begin(&self) -> GoogleSignInStarted {
        self.call::<StartGoogleSignIn>(StartGoogleSignInRequest {}).await.unwrap()
    }

    async fn finish(&self, request: FinishGoogleSignInRequest) -> Result<Tokens, Problem> {
        self.call::<FinishGoogleSignIn>(request).await
    }

    /// As the browser comes back when `person` has said yes.
    fn come_back(&self, started: &GoogleSignInStarted, person: &Person) -> FinishGoogleSignInRequest {
        FinishGoogleSignInRequest {
            state: self.issuer.read(&started.location).get("state").to_owned(),
            code: Some(self.issuer.authorize(&started.location, person)),
            iss: Some(self.issuer.url.clone()),
            scope: Some("openid".to_owned()),
            cookie: Some(started.cookie.clone()),
            ..Default::default()
        }
    }

    async fn walk(&self, person: &Person) -> Result<Tokens, Problem> {
        let started = self.begin().await;
        self.finish(self.come_back(&started, person)).await
    }
}

async fn leads_there_and_back(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let asked = google.issuer.read(&started.location);
    assert_eq!(asked.get("redirect_uri"), "https://calls.example.com/app/api/v1/auth/google/callback");
    assert_eq!(asked.get("code_challenge").len(), 43);
    let tokens = google.finish(google.come_back(&started, &ADA)).await.unwrap();
    let me = world.me(&tokens).await.unwrap();
    assert_eq!((tokens.user.as_ref(), me.email.as_str()), (Some(&me), ADA.email));
    assert_eq!(id(&google.walk(&ADA).await.unwrap()), me.id);
    google.end().await;

    let page = "https://app.example.com/google";
    let issuer = crate::issuer::Issuer::start(&world.clock).await;
    let mut settings = issuer.settings();
    settings.push(("CALLFAIRY_GOOGLE_REDIRECT_URL", page.to_owned()));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let google = Google { auth: world.launch(world.config_with(&settings)).await, issuer };
    assert_eq!(google.issuer.read(&google.begin().await.location).get("redirect_uri"), page);
    google.walk(&Person { email: "bo@example.com", ..ADA }).await.unwrap();
    google.end().await;
}

async fn each_walk_is_its_own(world: &World) {
    let google = Google::start(world).await;
    let (one, other) = (google.begin().await, google.begin().await);
    assert_ne!(one.cookie, other.cookie);
    let [asked, asked_other] = [&one, &other].map(|started| google.issuer.read(&started.location));
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(asked.get(name), asked_other.get(name), "{name}");
    }
    // The answer of one is no answer to the other.
    let state = asked.get("state").to_owned();
    let crossed =
        FinishGoogleSignInRequest { state, cookie: Some(one.cookie.clone()), ..google.come_back(&other, &ADA) };
    assert_eq!(code(google.finish(crossed).await), ErrorCode::InvalidCredentials);
    google.end().await;
}

async fn a_state_works_once(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    google.finish(google.come_back(&started, &ADA)).await.unwrap();
    assert_eq!(code(google.finish(google.come_back(&started, &ADA)).await), ErrorCode::Gone);
    let made_up = FinishGoogleSignInRequest { state: "made-up".to_owned(), ..google.come_back(&started, &ADA) };
    assert_eq!(code(google.finish(made_up).await), ErrorCode::Gone);
    // Also one that led to nothing.
    let started = google.begin().await;
    let wrong = FinishGoogleSignInRequest { code: Some("wrong".to_owned()), ..google.come_back(&started, &ADA) };
    assert_eq!(code(google.finish(wrong).await), ErrorCode::InvalidCredentials);
    assert_eq!(code(google.finish(google.come_back(&started, &ADA)).await), ErrorCode::Gone);
    google.end().await;
}

async fn a_state_works_once_in_a_race(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let all = join_all((0..6).map(|_| google.finish(google.come_back(&started, &ADA)))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(all.into_iter().filter_map(Result::err).all(|problem| problem.code == ErrorCode::Gone));
    google.end().await;
}

async fn another_browser_is_refused(world: &World) {
    let google = Google::start(world).await;
    let (started, other) = (google.begin().await, google.begin().await);
    let back = google.come_back(&started, &ADA);
    for cookie in [None, Some(String::new()), Some("made-up".to_owned()), Some(other.cookie)] {
        let request = FinishGoogleSignInRequest { cookie, ..back.clone() };
        assert_eq!(code(google.finish(request).await), ErrorCode::Gone);
    }
    // Whoever tries it does not use it up.
    google.finish(back).await.unwrap();
    google.end().await;
}

async fn ten_minutes_are_enough(world: &World) {
    let google = Google::start(world).await;
    let (in_time, late) = (google.begin().await, google.begin().await);
    world.clock.advance(Duration::from_secs(599));
    google.finish(google.come_back(&in_time, &ADA)).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(code(google.finish(google.come_back(&late, &ADA)).await), ErrorCode::Gone);
    google.end().await;
}

async fn the_nonce_must_come_back(world: &World) {
    let google = Google::start(world).await;
    for nonce in [json!("another"), json!(null)] {
        google.issuer.say(json!({"nonce": nonce}));
        let problem = google.walk(&ADA).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidCredentials);
        assert_eq!(problem.detail, "the ID token belongs to another sign-in");
    }
    assert_eq!(world.count("users").await, 1);
    google.end().await;
}

async fn the_verifier_must_be_the_one(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let back = google.come_back(&started, &ADA);
    google.issuer.mix_up(back.code.as_deref().unwrap());
    assert_eq!(code(google.finish(back).await), ErrorCode::InvalidCredentials);
    google.end().await;
}

async fn a_no_is_a_no(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let no = FinishGoogleSignInRequest {
        code: None,
        error: Some("access_denied".to_owned()),
        ..google.come_back(&started, &ADA)
    };
    assert_eq!(code(google.finish(no).await), ErrorCode::InvalidCredentials);
    assert_eq!(code(google.finish(google.come_back(&started, &ADA)).await), ErrorCode::Gone);
    let started = google.begin().await;
    let empty = FinishGoogleSignInRequest { code: None, ..google.come_back(&started, &ADA) };
    assert_eq!(google.finish(empty).await.unwrap_err().fields[0].field, "code");
    google.end().await;
}

async fn tokens_are_checked_as_when_they_are_posted(world: &World) {
    let google = Google::start(world).await;
    for says in [
        json!({"aud": "another"}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": 1}),
        json!({"email_verified": false}),
        json!({"azp": "another"}),
    ] {
        google.issuer.say(says.clone());
        assert_eq!(code(google.walk(&ADA).await), ErrorCode::InvalidCredentials, "{says}");
    }
    assert_eq!(world.count("users").await, 1);
    google.walk(&ADA).await.unwrap();
    google.end().await;
}

async fn asks_for_the_second_factor_without_another_walk(world: &World) {
    let google = Google::start(world).await;
    let ada = world.signed_up(ADA.email).await;
    let secret = enable_totp(world, &ada).await;
    let started = google.begin().await;
    let back = google.come_back(&started, &ADA);
    assert_eq!(code(google.finish(back.clone()).await), ErrorCode::TotpRequired);
    let with_code =
        |totp: &str| FinishGoogleSignInRequest { code: None, totp_code: Some(totp.to_owned()), ..back.clone() };
    let right = shown(world, &secret);
    let wrong = if right == "000000" { "111111" } else { "000000" };
    assert_eq!(code(google.finish(with_code(wrong)).await), ErrorCode::InvalidCredentials);
    let elsewhere = FinishGoogleSignInRequest { cookie: None, ..with_code(&right) };
    assert_eq!(code(google.finish(elsewhere).await), ErrorCode::Gone);
    assert_eq!(id(&google.finish(with_code(&right)).await.unwrap()), id(&ada));
    world.clock.advance(STEP);
    assert_eq!(code(google.finish(with_code(&shown(world, &secret))).await), ErrorCode::Gone);

    // A code proves nothing of a walk that has not led anywhere.
    let started = google.begin().await;
    let skipped = FinishGoogleSignInRequest { code: None, ..google.come_back(&started, &ADA) };
    let skipped = FinishGoogleSignInRequest { totp_code: Some(shown(world, &secret)), ..skipped };
    assert_eq!(code(google.finish(skipped).await), ErrorCode::Gone);
    // Nor is it waited for any longer than the walk may take.
    let late = google.come_back(&started, &ADA);
    assert_eq!(code(google.finish(late.clone()).await), ErrorCode::TotpRequired);
    world.clock.advance(Duration::from_mins(10));
    let late = FinishGoogleSignInRequest { code: None, totp_code: Some(shown(world, &secret)), ..late };
    assert_eq!(code(google.finish(late).await), ErrorCode::Gone);
    google.end().await;
}

async fn an_issuer_out_of_reach_is_no_refusal(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let back = google.come_back(&started, &ADA);
    google.issuer.be_down(true);
    assert_eq!(code(google.finish(back).await), ErrorCode::Unavailable);
    google.issuer.be_down(false);
    google.walk(&ADA).await.unwrap();
    google.end().await;
}

async fn another_issuer_s_answer_is_refused(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    let back = google.come_back(&started, &ADA);
    let mixed_up = FinishGoogleSignInRequest { iss: Some("https://evil.example".to_owned()), ..back.clone() };
    assert_eq!(google.finish(mixed_up).await.unwrap_err().fields[0].field, "iss");
    google.finish(back).await.unwrap();
    google.end().await;
}

async fn nothing_of_it_is_kept_in_the_open(world: &World) {
    let google = Google::start(world).await;
    let started = google.begin().await;
    assert_eq!(world.count("google_flows").await, 1);
    // Hashes, and a verifier of 47 characters with what its encryption adds.
    let hashed =
        "length(state) = 32 AND length(browser) = 32 AND length(nonce) = 32 AND length(verifier) = 47 + 24 + 16";
    assert_eq!(world.count(&format!("google_flows WHERE {hashed}")).await, 1);
    google.finish(google.come_back(&started, &ADA)).await.unwrap();
    assert_eq!(world.count("google_flows").await, 0, "and nothing at all after it");
    google.end().await;
}
