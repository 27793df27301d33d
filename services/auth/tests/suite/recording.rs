//! What auth records of its work.

use crate::google::{Google, id};
use crate::issuer::{ADA, Person};
use crate::second_factor::{STEP, enable_totp, shown};
use crate::world::{DEADLINE, PASSWORD, SUPERADMIN, SUPERADMIN_PASSWORD, World, code, login};
use access::{Meta, Origin};
use callfairy_core::{Clock as _, ErrorCode, Secret};
use proto::auth::*;
use proto::rpc::allowed_email_domains::{AllowEmailDomain, DisallowEmailDomain};
use proto::rpc::google_sign_in::{FinishGoogleSignIn, SignInWithGoogle, StartGoogleSignIn};
use proto::rpc::passwords::{ChangePassword, ForgotPassword, ResetPassword};
use proto::rpc::sessions::{EndSession, ListSessions, Login};
use proto::rpc::totp::DisableTotp;
use proto::rpc::users::{DeactivateUser, UpdateMe, UpdateUser};
use proto::tenancy::NewAuditEntry;
use serde_json::json;
use std::time::Duration;

testkit::on_both!(
    signing_in_and_out_is_recorded,
    refused_passwords_are_recorded_with_the_reason,
    codes_are_recorded,
    a_reused_refresh_token_is_recorded,
    google_s_sign_ins_are_recorded,
    google_s_refusals_are_recorded_each_with_its_reason,
    refusals_of_google_s_are_counted_by_network,
    passwords_and_factors_are_recorded,
    what_superadmins_do_is_recorded,
    what_operators_do_is_recorded,
    entries_hold_nothing_personal_and_no_secret,
);

/// Waits for so many of an action.
async fn recorded(world: &World, action: &str, count: usize) -> Vec<NewAuditEntry> {
    world.audit_log.eventually(action, count, DEADLINE).await
}

/// Waits for the only one of an action.
async fn one(world: &World, action: &str) -> NewAuditEntry {
    recorded(world, action, 1).await.pop().unwrap()
}

fn detail<'e>(entry: &'e NewAuditEntry, name: &str) -> &'e str {
    entry.details.get(name).map_or("", String::as_str)
}

/// By whom, about whom.
fn who(entry: &NewAuditEntry) -> (&str, &str, &str, &str) {
    (&entry.actor_kind, &entry.actor_id, &entry.subject_kind, &entry.subject_id)
}

fn from_home() -> Meta {
    Meta { origin: Origin::new(None, Some([192, 0, 2, 77].into())), ..Meta::default() }
}

async fn signing_in_and_out_is_recorded(world: &World) {
    let tokens = world.signed_up(ADA.email).await;
    let ada = id(&tokens);
    let registered = one(world, "user_registered").await;
    assert_eq!(who(&registered), ("anonymous", "", "user", ada.as_str()));
    assert_eq!(who(&one(world, "email_verified").await), ("user", ada.as_str(), "user", ada.as_str()));
    let signed_in = one(world, "sign_in").await;
    let list = world.call_as::<ListSessions>(&tokens, ListSessionsRequest::default()).await.unwrap();
    let session = list.sessions[0].id.clone();
    assert_eq!(who(&signed_in), ("user", ada.as_str(), "session", session.as_str()));
    assert_eq!((detail(&signed_in, "method"), signed_in.outcome.as_str()), ("password", "done"));
    assert_eq!(signed_in.at, Some(world.clock.now().into()));

    let other = world.auth.client.unary::<Login>(&from_home(), login(ADA.email, PASSWORD)).await.unwrap();
    assert_eq!(recorded(world, "sign_in", 2).await[1].network, "192.0.2.0/24");
    let list = world.call_as::<ListSessions>(&other, ListSessionsRequest::default()).await.unwrap();
    let other_session = list.sessions.iter().find(|listed| listed.current).unwrap().id.clone();
    world.call_as::<EndSession>(&tokens, EndSessionRequest { id: other_session.clone() }).await.unwrap();
    assert_eq!(who(&one(world, "session_ended").await), ("user", ada.as_str(), "session", other_session.as_str()));
    world.logout(&tokens).await.unwrap();
    assert_eq!(who(&one(world, "sign_out").await), ("user", ada.as_str(), "session", session.as_str()));
}

async fn refused_passwords_are_recorded_with_the_reason(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up(ADA.email).await);
    world.register("new@example.com").await.unwrap();
    world.signed_up("gone@example.com").await;
    let gone = world.text("SELECT email AS text FROM users WHERE email_folded = 'gone@example.com'").await;
    let gone = world.login(&gone, PASSWORD).await.unwrap();
    world.call_as::<DeactivateUser>(&root, DeactivateUserRequest { id: id(&gone) }).await.unwrap();
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        (ADA.email, "not her password"),
        ("new@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
    ] {
        let answer = world.auth.client.unary::<Login>(&from_home(), login(email, password)).await;
        assert_eq!(code(answer), ErrorCode::InvalidCredentials, "{email}");
    }
    let entries = recorded(world, "sign_in_refused", 4).await;
    let reasons: Vec<_> = entries.iter().map(|entry| detail(entry, "reason")).collect();
    assert_eq!(reasons, ["unknown", "wrong_password", "unverified", "deactivated"]);
    assert_eq!(who(&entries[0]), ("anonymous", "", "", ""));
    assert_eq!(who(&entries[1]), ("anonymous", "", "user", id(&ada).as_str()));
    assert_eq!(who(&entries[3]), ("anonymous", "", "user", id(&gone).as_str()));
    assert!(entries.iter().all(|entry| entry.outcome == "refused" && entry.network == "192.0.2.0/24"));
    assert!(entries.iter().all(|entry| detail(entry, "method") == "password"));
    // A flood makes no more of them than passwords that are looked at.
    for _ in 0..20 {
        let answer = world.auth.client.unary::<Login>(&from_home(), login("nobody@example.com", PASSWORD)).await;
        answer.unwrap_err();
    }
    world.login(ADA.email, PASSWORD).await.unwrap();
    let all = recorded(world, "sign_in_refused", 4 + 9).await;
    assert!(all[4..].iter().all(|entry| detail(entry, "reason") == "unknown"));
}

async fn codes_are_recorded(world: &World) {
    let ada = world.signed_up(ADA.email).await;
    let secret = enable_totp(world, &ada).await;
    assert_eq!(who(&one(world, "totp_enabled").await), ("user", id(&ada).as_str(), "user", id(&ada).as_str()));
    assert_eq!(code(world.login(ADA.email, PASSWORD).await), ErrorCode::TotpRequired);
    let right = shown(world, &secret);
    let with_code = |totp_code: String| LoginRequest { totp_code: Some(totp_code), ..login(ADA.email, PASSWORD) };
    world.call::<Login>(with_code(right.clone())).await.unwrap();
    assert_eq!(code(world.call::<Login>(with_code(right)).await), ErrorCode::InvalidCredentials);
    let refused = recorded(world, "sign_in_refused", 2).await;
    let reasons: Vec<_> = refused.iter().map(|entry| (detail(entry, "reason"), entry.subject_id.clone())).collect();
    assert_eq!(reasons, [("code_required", id(&ada)), ("wrong_code", id(&ada))]);
    assert_eq!(recorded(world, "sign_in", 2).await.len(), 2);
    world.clock.advance(STEP);
    let (password, totp) = (PASSWORD.to_owned(), Some(shown(world, &secret)));
    let disable = DisableTotpRequest { password, code: totp, recovery_code: None };
    world.call_as::<DisableTotp>(&ada, disable).await.unwrap();
    one(world, "totp_disabled").await;
}

async fn a_reused_refresh_token_is_recorded(world: &World) {
    let ada = world.signed_up(ADA.email).await;
    let next = world.refresh(&ada.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(code(world.refresh(&ada.refresh_token).await), ErrorCode::Unauthenticated);
    assert_eq!(code(world.refresh(&next.refresh_token).await), ErrorCode::Unauthenticated);
    let entry = one(world, "refresh_token_reused").await;
    let session = one(world, "sign_in").await.subject_id;
    assert_eq!(who(&entry), ("anonymous", "", "session", session.as_str()));
    assert_eq!((entry.outcome.as_str(), detail(&entry, "user")), ("refused", id(&ada).as_str()));
}

async fn google_s_sign_ins_are_recorded(world: &World) {
    let google = Google::start(world).await;
    let bo = world.signed_up("bo@example.com").await;
    world.register("cy@example.com").await.unwrap();
    let bo_there = Person { subject: "2002", email: "bo@example.com" };
    let cy_there = Person { subject: "3003", email: "cy@example.com" };
    for person in [&ADA, &bo_there, &cy_there, &ADA] {
        let request = SignInWithGoogleRequest { id_token: google.issuer.token(person), ..Default::default() };
        google.auth.client.unary::<SignInWithGoogle>(&from_home(), request).await.unwrap();
    }
    let linked = recorded(world, "identity_linked", 3).await;
    let accounts: Vec<_> = linked.iter().map(|entry| detail(entry, "account")).collect();
    assert_eq!(accounts, ["new", "confirmed", "taken_over"]);
    assert_eq!(who(&linked[1]), ("user", id(&bo).as_str(), "user", id(&bo).as_str()));
    let all = recorded(world, "sign_in", 5).await;
    let by_google: Vec<_> = all.iter().filter(|entry| detail(entry, "method") == "google").collect();
    assert_eq!(by_google.len(), 4);
    assert!(by_google.iter().all(|entry| entry.subject_kind == "session" && entry.network == "192.0.2.0/24"));
    google.end().await;
}

async fn google_s_refusals_are_recorded_each_with_its_reason(world: &World) {
    let google = Google::start(world).await;
    let (root, issuer) = (world.superadmin().await, &google.issuer);
    let bo = world.signed_up("bo@example.com").await;
    enable_totp(world, &bo).await;
    let gone = world.signed_up("gone@example.com").await;
    world.call_as::<DeactivateUser>(&root, DeactivateUserRequest { id: id(&gone) }).await.unwrap();
    let good = SignInWithGoogleRequest { id_token: issuer.token(&ADA), ..Default::default() };
    let ada = google.call::<SignInWithGoogle>(good).await.unwrap();
    let there = |subject, email| issuer.token(&Person { subject, email });
    let now = issuer.now().get().as_second();
    let cases = [
        ("forged", "nonsense".to_owned(), None, None),
        (
            "unknown_key",
            crate::issuer::sign("?", &crate::issuer::ec_key(), jsonwebtoken::Algorithm::ES256, &json!({})),
            None,
            None,
        ),
        ("wrong_issuer", issuer.token_with(&json!({"iss": "https://evil.example"})), None, None),
        ("wrong_audience", issuer.token_with(&json!({"aud": "another"})), None, None),
        ("expired", issuer.token_with(&json!({"exp": now})), None, None),
        ("not_yet_valid", issuer.token_with(&json!({"nbf": now + 120})), None, None),
        ("wrong_nonce", issuer.token(&ADA), Some("n-1".to_owned()), None),
        ("no_subject", issuer.token_with(&json!({"sub": ""})), None, None),
        ("unverified_address", issuer.token_with(&json!({"email_verified": false})), None, None),
        ("another_identity", there("9009", ADA.email), None, Some(id(&ada))),
        ("deactivated", there("9009", "gone@example.com"), None, Some(id(&gone))),
        ("code_required", there("9009", "bo@example.com"), None, Some(id(&bo))),
    ];
    for (_, id_token, nonce, _) in &cases {
        let request =
            SignInWithGoogleRequest { id_token: id_token.clone(), nonce: nonce.clone(), ..Default::default() };
        google.call::<SignInWithGoogle>(request).await.unwrap_err();
    }
    let allow = AllowEmailDomainRequest { domain: "dental.example".to_owned() };
    world.call_as::<AllowEmailDomain>(&root, allow).await.unwrap();
    let request = SignInWithGoogleRequest { id_token: issuer.token(&ADA), ..Default::default() };
    google.call::<SignInWithGoogle>(request).await.unwrap_err();
    // The walk there and back.
    let finish = async |state: String, cookie: String, code: Option<&str>, error: Option<&str>| {
        let (code, error) = (code.map(str::to_owned), error.map(str::to_owned));
        let request = FinishGoogleSignInRequest { state, code, error, cookie: Some(cookie), ..Default::default() };
        google.call::<FinishGoogleSignIn>(request).await.unwrap_err();
    };
    finish("made-up".to_owned(), String::new(), Some("x"), None).await;
    let started = google.call::<StartGoogleSignIn>(StartGoogleSignInRequest {}).await.unwrap();
    let state = issuer.read(&started.location).get("state").to_owned();
    finish(state, started.cookie, None, Some("access_denied")).await;
    issuer.be_down(true);
    world.clock.advance(Duration::from_hours(1));
    let request = SignInWithGoogleRequest { id_token: issuer.token(&ADA), ..Default::default() };
    google.call::<SignInWithGoogle>(request).await.unwrap_err();

    let entries = recorded(world, "sign_in_refused", cases.len() + 4).await;
    let told: Vec<_> = entries.iter().map(|entry| (detail(entry, "reason"), entry.subject_id.as_str())).collect();
    let mut expected: Vec<_> =
        cases.iter().map(|(reason, _, _, user)| (*reason, user.as_deref().unwrap_or_default())).collect();
    expected.extend([("domain_not_allowed", ""), ("not_begun_here", ""), ("denied", ""), ("out_of_reach", "")]);
    assert_eq!(told, expected);
    assert!(entries.iter().all(|entry| detail(entry, "method") == "google" && entry.outcome == "refused"));
    google.end().await;
}

async fn refusals_of_google_s_are_counted_by_network(world: &World) {
    let google = Google::start(world).await;
    let post = async |id_token: String| {
        let request = SignInWithGoogleRequest { id_token, ..Default::default() };
        google.auth.client.unary::<SignInWithGoogle>(&from_home(), request).await
    };
    // Whoever is let in is no guesser.
    for _ in 0..3 {
        post(google.issuer.token(&ADA)).await.unwrap();
    }
    for _ in 0..100 {
        assert_eq!(code(post("nonsense".to_owned()).await), ErrorCode::InvalidCredentials);
    }
    let problem = post(google.issuer.token(&ADA)).await.unwrap_err();
    assert!(problem.code == ErrorCode::TooManyRequests && problem.retry_after == Some(Duration::from_mins(15)));
    let state = "made-up".to_owned();
    let request = FinishGoogleSignInRequest { state, code: Some("x".to_owned()), ..Default::default() };
    let answer = google.auth.client.unary::<FinishGoogleSignIn>(&from_home(), request).await;
    assert_eq!(code(answer), ErrorCode::TooManyRequests);
    // Elsewhere nobody suffers, and it passes.
    let request = SignInWithGoogleRequest { id_token: google.issuer.token(&ADA), ..Default::default() };
    google.call::<SignInWithGoogle>(request).await.unwrap();
    world.clock.advance(Duration::from_mins(15));
    post(google.issuer.token(&ADA)).await.unwrap();
    recorded(world, "sign_in_refused", 100).await;
    google.end().await;
}

async fn passwords_and_factors_are_recorded(world: &World) {
    let ada = world.signed_up(ADA.email).await;
    let new = "another horse entirely";
    let change = ChangePasswordRequest { current_password: PASSWORD.to_owned(), new_password: new.to_owned() };
    world.call_as::<ChangePassword>(&ada, change).await.unwrap();
    assert_eq!(who(&one(world, "password_changed").await), ("user", id(&ada).as_str(), "user", id(&ada).as_str()));
    world.call::<ForgotPassword>(ForgotPasswordRequest { email: ADA.email.to_owned() }).await.unwrap();
    testkit::eventually("the link is mailed", DEADLINE, async || {
        world.mail_files(ADA.email).iter().any(|mail| mail.subject() == "Set a new password").then_some(())
    })
    .await;
    let link = world.mail_files(ADA.email).into_iter().find(|mail| mail.subject() == "Set a new password").unwrap();
    let reset = ResetPasswordRequest { token: link.token().to_owned(), new_password: PASSWORD.to_owned() };
    world.call::<ResetPassword>(reset.clone()).await.unwrap();
    assert_eq!(who(&one(world, "password_reset").await), ("user", id(&ada).as_str(), "user", id(&ada).as_str()));
    // What does not happen is not recorded.
    world.call::<ResetPassword>(reset).await.unwrap_err();
    world.logout(&world.login(ADA.email, PASSWORD).await.unwrap()).await.unwrap();
    one(world, "sign_out").await;
    assert_eq!(world.audit_log.of("password_reset").len(), 1);
}

async fn what_superadmins_do_is_recorded(world: &World) {
    let (root, ada) = (world.superadmin().await, world.signed_up(ADA.email).await);
    let change = |request: UpdateUserRequest| world.call_as::<UpdateUser>(&root, request);
    let of = || UpdateUserRequest { id: id(&ada), ..Default::default() };
    change(UpdateUserRequest { name: Some("Ada L.".to_owned()), ..of() }).await.unwrap();
    change(UpdateUserRequest { is_superadmin: Some(true), ..of() }).await.unwrap();
    change(UpdateUserRequest { is_superadmin: Some(false), is_active: Some(false), ..of() }).await.unwrap();
    change(UpdateUserRequest { is_active: Some(true), ..of() }).await.unwrap();
    // As it is already.
    change(UpdateUserRequest { is_active: Some(true), name: Some("Ada L.".to_owned()), ..of() }).await.unwrap();
    world.call_as::<DeactivateUser>(&root, DeactivateUserRequest { id: id(&ada) }).await.unwrap();
    for (action, count) in
        [("user_changed", 1), ("superadmin_ended", 1), ("user_deactivated", 2), ("user_activated", 1)]
    {
        for entry in recorded(world, action, count).await {
            assert_eq!(who(&entry), ("user", id(&root).as_str(), "user", id(&ada).as_str()), "{action}");
        }
    }
    // The first one was made by the start.
    assert_eq!(recorded(world, "superadmin_made", 2).await[1].actor_id, id(&root));
    // The last superadmin stays, and nothing tells otherwise.
    let last = UpdateUserRequest { id: id(&root), is_superadmin: Some(false), ..Default::default() };
    assert_eq!(code(change(last).await), ErrorCode::Conflict);

    for _ in 0..2 {
        let allow = AllowEmailDomainRequest { domain: "example.com".to_owned() };
        world.call_as::<AllowEmailDomain>(&root, allow).await.unwrap();
    }
    let remove = DisallowEmailDomainRequest { domain: "example.com".to_owned() };
    world.call_as::<DisallowEmailDomain>(&root, remove.clone()).await.unwrap();
    world.call_as::<DisallowEmailDomain>(&root, remove).await.unwrap_err();
    assert_eq!(one(world, "email_domain_removed").await.actor_id, id(&root));
    assert_eq!(one(world, "email_domain_allowed").await.actor_id, id(&root));
    assert_eq!(world.audit_log.of("superadmin_ended").len(), 1);
}

async fn what_operators_do_is_recorded(world: &World) {
    let now = world.clock.now();
    for _ in 0..2 {
        auth::rotate_signing_key(&world.pool, world.config().master_keys, now).await.unwrap();
    }
    let password = Secret::new("violet-harbour-92-lantern");
    let made = auth::create_superadmin(&world.pool, "op@platform.example", "Op", password, now).await.unwrap();
    let rotated = one(world, "signing_key_rotated").await;
    assert_eq!(who(&rotated), ("system", "", "", ""));
    let entries = recorded(world, "superadmin_made", 2).await;
    assert_eq!(who(&entries[1]), ("system", "", "user", made.to_string().as_str()));
}

async fn entries_hold_nothing_personal_and_no_secret(world: &World) {
    let google = Google::start(world).await;
    let ada = world.signed_up(ADA.email).await;
    let token = google.issuer.token(&ADA);
    let request = SignInWithGoogleRequest { id_token: token.clone(), ..Default::default() };
    google.call::<SignInWithGoogle>(request).await.unwrap();
    let me = UpdateMeRequest { company: Some("Analytical Engines".to_owned()), ..Default::default() };
    world.call_as::<UpdateMe>(&ada, me).await.unwrap();
    world.login("nobody@example.com", "a secret password").await.unwrap_err();
    world.auth.client.unary::<Login>(&from_home(), login(SUPERADMIN, SUPERADMIN_PASSWORD)).await.unwrap();
    recorded(world, "sign_in", 3).await;
    recorded(world, "user_changed", 1).await;
    let all = format!("{:?}", world.audit_log.entries());
    for text in [
        "example",
        "Ada",
        "Analytical",
        PASSWORD,
        "secret",
        "192.0.2.77",
        "@",
        &token,
        &ada.access_token,
        &ada.refresh_token,
        ADA.subject,
    ] {
        assert!(!all.contains(text), "{text} in {all}");
    }
    google.end().await;
}
