//! Signing in with an ID token of Google's.

use crate::issuer::{self, ADA, EC, Issuer, Person, RSA, ec_key, forger_key, public, rsa_key, sign, with};
use crate::second_factor::{STEP, enable_totp, shown};
use crate::tenancy::Mood;
use crate::world::{Auth, PASSWORD, SUPERADMIN, World, code, login, registration};
use access::Meta;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proto::Rpc;
use proto::auth::{
    AllowEmailDomainRequest, DeactivateUserRequest, ForgotPasswordRequest, ResetPasswordRequest, Role,
    SignInWithGoogleRequest, StartGoogleSignInRequest, Tokens,
};
use proto::rpc::allowed_email_domains::AllowEmailDomain;
use proto::rpc::google_sign_in::{SignInWithGoogle, StartGoogleSignIn};
use proto::rpc::passwords::{ForgotPassword, ResetPassword};
use proto::rpc::users::DeactivateUser;
use serde_json::{Value, json};
use std::time::Duration;

testkit::on_both!(
    makes_an_account,
    makes_one_account_in_a_race,
    tokens_that_are_not_for_us_are_refused,
    people_are_known_by_their_id_and_not_by_their_address,
    joins_an_account_whose_address_is_confirmed,
    takes_over_an_account_that_nobody_has_confirmed,
    asks_for_the_second_factor,
    the_deactivated_stay_out,
    only_allowed_domains_are_let_in,
    a_password_can_be_set_later,
    keys_come_and_go_without_load,
    an_issuer_out_of_reach_is_no_refusal,
    without_a_client_nobody_does,
);

/// A replica that knows the issuer.
pub struct Google {
    pub issuer: Issuer,
    pub auth: Auth,
}

impl Google {
    pub async fn start(world: &World) -> Self {
        let issuer = Issuer::start(&world.clock).await;
        let settings = issuer.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let auth = world.launch(world.config_with(&settings)).await;
        Self { issuer, auth }
    }

    pub async fn call<R: Rpc>(&self, request: R::Request) -> Result<R::Response, Problem> {
        self.auth.client.unary::<R>(&Meta::default(), request).await
    }

    async fn with_token(&self, id_token: impl Into<String>) -> Result<Tokens, Problem> {
        self.call::<SignInWithGoogle>(SignInWithGoogleRequest { id_token: id_token.into(), ..Default::default() }).await
    }

    async fn sign_in(&self, person: &Person) -> Result<Tokens, Problem> {
        self.with_token(self.issuer.token(person)).await
    }

    pub async fn end(self) {
        self.auth.end().await;
    }
}

pub fn id(tokens: &Tokens) -> String {
    tokens.user.clone().unwrap().id
}

async fn makes_an_account(world: &World) {
    let google = Google::start(world).await;
    let tokens = google.sign_in(&ADA).await.unwrap();
    assert_eq!((tokens.token_type.as_str(), tokens.expires_in), ("Bearer", 600));
    let me = world.me(&tokens).await.unwrap();
    assert_eq!(tokens.user.as_ref(), Some(&me));
    assert_eq!((me.email.as_str(), me.name.as_str(), me.role()), (ADA.email, "Ada King", Role::User));
    assert!(me.email_verified && me.is_active && !me.totp_enabled);
    assert_eq!(world.tenancy.fact(ADA.email).unwrap().user_id, me.id);
    world.refresh(&tokens.refresh_token).await.unwrap();

    // Again, signed by the other kind of key.
    let again = sign(RSA, &rsa_key(), Algorithm::RS256, &google.issuer.claims(&ADA));
    assert_eq!(id(&google.with_token(again).await.unwrap()), me.id);
    let nonce = google.issuer.token_with(&json!({"nonce": "n-1"}));
    let request = SignInWithGoogleRequest { id_token: nonce, nonce: Some("n-1".to_owned()), ..Default::default() };
    assert_eq!(id(&google.call::<SignInWithGoogle>(request).await.unwrap()), me.id);
    assert_eq!((world.count("identities").await, world.count("users").await), (1, 2));
    google.end().await;
}

async fn makes_one_account_in_a_race(world: &World) {
    let google = Google::start(world).await;
    let token = google.issuer.token(&ADA);
    let all = join_all((0..6).map(|_| google.with_token(token.clone()))).await;
    let ids: Vec<_> = all.into_iter().map(|tokens| id(&tokens.unwrap())).collect();
    assert!(ids.iter().all(|other| *other == ids[0]), "{ids:?}");
    assert_eq!((world.count("identities").await, world.count("users").await), (1, 2));
    google.end().await;
}

async fn tokens_that_are_not_for_us_are_refused(world: &World) {
    let google = Google::start(world).await;
    let issuer = &google.issuer;
    let (claims, now) = (issuer.claims(&ADA), issuer.now().get().as_second());
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let raw = |header: Value| format!("{}.{}.", encode(&header), encode(&claims));
    let jwk = public(RSA, &rsa_key(), Algorithm::RS256);
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let symmetric = |secret: &[u8]| sign(RSA, &EncodingKey::from_secret(secret), Algorithm::HS256, &claims);
    let own = public(EC, &forger_key(), Algorithm::ES256);
    let brings_its_key = Header {
        kid: Some(EC.to_owned()),
        jku: Some("https://evil.example/keys".to_owned()),
        jwk: Some(serde_json::from_value(own).unwrap()),
        ..Header::new(Algorithm::ES256)
    };
    let good = issuer.token(&ADA);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = encode(&with(claims.clone(), &json!({"sub": "7"})));
    let forged = [
        ("alg none", raw(json!({"alg": "none", "kid": EC}))),
        ("alg None, signed", format!("{}{signature}", raw(json!({"alg": "None", "kid": EC})))),
        ("HS256 with the public key", symmetric(&modulus)),
        ("HS256 with the public key as it is published", symmetric(jwk.to_string().as_bytes())),
        ("another key with this id", sign(EC, &forger_key(), Algorithm::ES256, &claims)),
        ("a key of another kind with this id", sign(RSA, &ec_key(), Algorithm::ES256, &claims)),
        ("another algorithm of this key", sign(RSA, &rsa_key(), Algorithm::RS512, &claims)),
        ("an unknown key", sign("mine", &forger_key(), Algorithm::ES256, &claims)),
        ("its own key", jsonwebtoken::encode(&brings_its_key, &claims, &forger_key()).unwrap()),
        ("no key id", jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &ec_key()).unwrap()),
        ("other claims", format!("{}.{other}.{signature}", head.split_once('.').unwrap().0)),
        ("no signature", format!("{head}.")),
        ("truncated", good[..good.len() - 2].to_owned()),
        ("nonsense", "nonsense".to_owned()),
        ("another issuer", issuer.token_with(&json!({"iss": "https://accounts.google.com"}))),
        ("for another client", issuer.token_with(&json!({"aud": "another"}))),
        ("for another client as well", issuer.token_with(&json!({"aud": [issuer::CLIENT_ID, "another"]}))),
        ("given to another client", issuer.token_with(&json!({"azp": "another"}))),
        ("expired", issuer.token_with(&json!({"iat": now - 3_600, "exp": now}))),
        ("without an end", issuer.token_with(&json!({"exp": null}))),
        ("made later", issuer.token_with(&json!({"iat": now + 120}))),
        ("not valid yet", issuer.token_with(&json!({"nbf": now + 120}))),
        ("of nobody", issuer.token_with(&json!({"sub": ""}))),
        ("with an address that is not verified", issuer.token_with(&json!({"email_verified": false}))),
        ("with an address that is said to be verified", issuer.token_with(&json!({"email_verified": "true"}))),
        ("without a word of it", issuer.token_with(&json!({"email_verified": null}))),
        ("without an address", issuer.token_with(&json!({"email": null}))),
    ];
    for (what, token) in forged {
        assert_eq!(code(google.with_token(token).await), ErrorCode::InvalidCredentials, "{what}");
    }
    for (said, given) in [(json!({"nonce": "n-1"}), "n-2"), (json!({}), "n-2"), (json!({"nonce": ""}), "n-2")] {
        let id_token = issuer.token_with(&said);
        let request = SignInWithGoogleRequest { id_token, nonce: Some(given.to_owned()), ..Default::default() };
        assert_eq!(code(google.call::<SignInWithGoogle>(request).await), ErrorCode::InvalidCredentials, "{said}");
    }
    assert_eq!((world.count("identities").await, world.count("users").await), (0, 1));
    google.with_token(good).await.unwrap();
    google.end().await;
}

async fn people_are_known_by_their_id_and_not_by_their_address(world: &World) {
    let google = Google::start(world).await;
    let ada = id(&google.sign_in(&ADA).await.unwrap());
    // The address changes.
    let moved = google.sign_in(&Person { email: "ada@elsewhere.example", ..ADA }).await.unwrap();
    assert_eq!((id(&moved), moved.user.unwrap().email.as_str()), (ada.clone(), ADA.email));
    // The address is somebody else's now.
    let heir = Person { subject: "2002", ..ADA };
    assert_eq!(code(google.sign_in(&heir).await), ErrorCode::InvalidCredentials);
    // Also if it is that of an account that is known by another address at the issuer.
    world.signed_up("eve@example.com").await;
    let moved = google.sign_in(&Person { email: "eve@example.com", ..ADA }).await.unwrap();
    assert_eq!(id(&moved), ada);
    assert_eq!(world.count("identities").await, 1);
    google.end().await;
}

async fn joins_an_account_whose_address_is_confirmed(world: &World) {
    let google = Google::start(world).await;
    let before = world.signed_up("Ada@Example.com").await;
    let tokens = google.sign_in(&ADA).await.unwrap();
    assert_eq!((id(&tokens), tokens.user.clone().unwrap().name.as_str()), (id(&before), "Ada Lovelace"));
    assert_eq!(world.last_mail("Ada@Example.com").await.subject(), "You can sign in with Google now");
    // Nothing is taken away.
    world.login(ADA.email, PASSWORD).await.unwrap();
    world.me(&before).await.unwrap();
    google.sign_in(&ADA).await.unwrap();
    world.all_mail_is_sent().await;
    let notices = world.mail_files("Ada@Example.com");
    assert_eq!(notices.iter().filter(|mail| mail.subject().contains("Google")).count(), 1);
    google.end().await;
}

async fn takes_over_an_account_that_nobody_has_confirmed(world: &World) {
    let google = Google::start(world).await;
    // Somebody else lies in wait, with a password of their own.
    let trap = proto::auth::RegisterRequest {
        name: "Eve".to_owned(),
        company: Some("Evil".to_owned()),
        ..registration(ADA.email)
    };
    world.call::<proto::rpc::accounts::Register>(trap).await.unwrap();
    let link = world.last_mail(ADA.email).await;
    let tokens = google.sign_in(&ADA).await.unwrap();
    let me = world.me(&tokens).await.unwrap();
    assert_eq!((me.name.as_str(), me.company.as_deref(), me.email_verified), ("Ada King", None, true));
    assert_eq!(code(world.login(ADA.email, PASSWORD).await), ErrorCode::InvalidCredentials);
    // Not even by the link of that registration.
    world.verify(link.token()).await.unwrap();
    assert_eq!(code(world.login(ADA.email, PASSWORD).await), ErrorCode::InvalidCredentials);
    assert_eq!(world.me(&tokens).await.unwrap(), me);
    assert_eq!(id(&google.sign_in(&ADA).await.unwrap()), me.id);
    google.end().await;
}

async fn asks_for_the_second_factor(world: &World) {
    let google = Google::start(world).await;
    let tokens = world.signed_up(ADA.email).await;
    let secret = enable_totp(world, &tokens).await;
    let with_code = async |code: &str| {
        let id_token = google.issuer.token(&ADA);
        let request = SignInWithGoogleRequest { id_token, totp_code: Some(code.to_owned()), ..Default::default() };
        google.call::<SignInWithGoogle>(request).await
    };
    assert_eq!(code(google.sign_in(&ADA).await), ErrorCode::TotpRequired);
    let right = shown(world, &secret);
    let wrong = if right == "000000" { "111111" } else { "000000" };
    assert_eq!(code(with_code(wrong).await), ErrorCode::InvalidCredentials);
    assert_eq!(world.count("identities").await, 0, "it is not joined before the code");
    assert_eq!(id(&with_code(&right).await.unwrap()), id(&tokens));
    assert_eq!(code(with_code(&right).await), ErrorCode::InvalidCredentials, "a code works once");
    assert_eq!(code(google.sign_in(&ADA).await), ErrorCode::TotpRequired, "also when it is joined");
    world.clock.advance(STEP);
    // An outage of tenancy costs no code.
    world.tenancy.is(Mood::Down);
    assert_eq!(code(with_code(&shown(world, &secret)).await), ErrorCode::Unavailable);
    world.tenancy.is(Mood::Well);
    with_code(&shown(world, &secret)).await.unwrap();
    google.end().await;
}

async fn the_deactivated_stay_out(world: &World) {
    let google = Google::start(world).await;
    let root = world.superadmin().await;
    let known = google.sign_in(&ADA).await.unwrap();
    let eve = Person { subject: "2002", email: "eve@example.com" };
    let never_here = world.signed_up(eve.email).await;
    for tokens in [&known, &never_here] {
        world.call_as::<DeactivateUser>(&root, DeactivateUserRequest { id: id(tokens) }).await.unwrap();
    }
    let refusals = [google.sign_in(&ADA).await.unwrap_err(), google.sign_in(&eve).await.unwrap_err()];
    assert_eq!(refusals[0].code, ErrorCode::InvalidCredentials);
    assert_eq!(refusals[0], refusals[1]);
    // Nor does somebody register for a second one.
    world.execute("UPDATE users SET email_verified_at = NULL WHERE email_folded = 'eve@example.com'").await;
    assert_eq!(google.sign_in(&eve).await.unwrap_err(), refusals[0]);
    assert_eq!((world.count("identities").await, world.count("users").await), (1, 3));
    google.end().await;
}

async fn only_allowed_domains_are_let_in(world: &World) {
    let google = Google::start(world).await;
    let root = world.superadmin().await;
    google.sign_in(&ADA).await.unwrap();
    let allow = AllowEmailDomainRequest { domain: "dental.example".to_owned() };
    world.call_as::<AllowEmailDomain>(&root, allow).await.unwrap();
    assert_eq!(code(google.sign_in(&ADA).await), ErrorCode::PermissionDenied, "also who was here before");
    for email in ["a@evil-dental.example", "a@sub.dental.example", "a@dental.example.evil.org", SUPERADMIN] {
        let other = Person { subject: "2002", email };
        assert_eq!(code(google.sign_in(&other).await), ErrorCode::PermissionDenied, "{email}");
    }
    assert_eq!(world.count("users").await, 2);
    google.sign_in(&Person { subject: "3003", email: "bo@DENTAL.example" }).await.unwrap();
    google.end().await;
}

async fn a_password_can_be_set_later(world: &World) {
    let google = Google::start(world).await;
    let tokens = google.sign_in(&ADA).await.unwrap();
    world.call::<ForgotPassword>(ForgotPasswordRequest { email: ADA.email.to_owned() }).await.unwrap();
    let mail = world.mails(ADA.email, 1).await.pop().unwrap();
    let reset = ResetPasswordRequest { token: mail.token().to_owned(), new_password: PASSWORD.to_owned() };
    world.call::<ResetPassword>(reset).await.unwrap();
    assert_eq!(id(&world.login(ADA.email, PASSWORD).await.unwrap()), id(&tokens));
    google.end().await;
}

async fn keys_come_and_go_without_load(world: &World) {
    let google = Google::start(world).await;
    let (issuer, new) = (&google.issuer, public("ec-2", &forger_key(), Algorithm::ES256));
    google.sign_in(&ADA).await.unwrap();
    assert_eq!(issuer.keys_asked(), 1);
    // Made-up ids do not make us ask again and again.
    issuer.set_keys(vec![new, public(EC, &ec_key(), Algorithm::ES256)]);
    let by_new = || sign("ec-2", &forger_key(), Algorithm::ES256, &issuer.claims(&ADA));
    for _ in 0..5 {
        assert_eq!(code(google.with_token(by_new()).await), ErrorCode::InvalidCredentials);
    }
    assert_eq!(issuer.keys_asked(), 1);
    world.clock.advance(Duration::from_secs(30));
    google.with_token(by_new()).await.unwrap();
    assert_eq!(issuer.keys_asked(), 2);
    // A key that is gone is known for an hour at most.
    issuer.set_keys(vec![public(EC, &ec_key(), Algorithm::ES256)]);
    world.clock.advance(Duration::from_mins(59));
    google.with_token(by_new()).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(code(google.with_token(by_new()).await), ErrorCode::InvalidCredentials);
    google.sign_in(&ADA).await.unwrap();
    assert_eq!(issuer.keys_asked(), 3);
    // Too weak to be taken.
    let mut weak = public(RSA, &rsa_key(), Algorithm::RS256);
    weak["n"] = json!(weak["n"].as_str().unwrap()[..170]);
    issuer.set_keys(vec![weak]);
    world.clock.advance(Duration::from_hours(1));
    let token = sign(RSA, &rsa_key(), Algorithm::RS256, &issuer.claims(&ADA));
    assert_eq!(google.with_token(token).await.unwrap_err().detail, "the ID token's key is not known");
    google.end().await;
}

async fn an_issuer_out_of_reach_is_no_refusal(world: &World) {
    let google = Google::start(world).await;
    google.issuer.be_down(true);
    for _ in 0..3 {
        let problem = google.sign_in(&ADA).await.unwrap_err();
        assert!(problem.code == ErrorCode::Unavailable && problem.retry_after.is_some());
    }
    google.issuer.be_down(false);
    world.clock.advance(Duration::from_secs(30));
    google.sign_in(&ADA).await.unwrap();
    google.end().await;
}

async fn without_a_client_nobody_does(world: &World) {
    let issuer = Issuer::start(&world.clock).await;
    let request = SignInWithGoogleRequest { id_token: issuer.token(&ADA), ..Default::default() };
    let problem = world.call::<SignInWithGoogle>(request).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::NotFound);
    assert!(problem.detail.contains("no client of Google's is set up"), "{problem}");
    let started = world.call::<StartGoogleSignIn>(StartGoogleSignInRequest {}).await;
    assert_eq!(code(started), ErrorCode::NotFound);
    world.call::<proto::rpc::sessions::Login>(login(SUPERADMIN, crate::world::SUPERADMIN_PASSWORD)).await.unwrap();
}
