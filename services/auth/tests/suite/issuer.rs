//! A stand-in for Google, on a socket of its own. Its keys are good for nothing else.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callfairy_core::{Clock as _, Timestamp};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use testkit::FixedClock;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use url::{Url, form_urlencoded};

pub const CLIENT_ID: &str = "callfairy.apps.example.com";
pub const CLIENT_SECRET: &str = "the-client's-secret";
pub const RSA: &str = "rsa-1";
pub const EC: &str = "ec-1";

/// Somebody who has an account at the issuer.
#[derive(Debug, Clone)]
pub struct Person {
    pub subject: &'static str,
    pub email: &'static str,
}

pub const ADA: Person = Person { subject: "1001", email: "ada@example.com" };

#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    clock: FixedClock,
    state: Arc<Mutex<State>>,
    _task: Arc<AbortOnDropHandle<()>>,
}

#[derive(Default)]
struct State {
    keys: Vec<Value>,
    keys_asked: usize,
    /// What each code is given for.
    codes: HashMap<String, Granted>,
    /// What else the next token says.
    token_says: Value,
    is_down: bool,
}

#[derive(Clone)]
struct Granted {
    challenge: String,
    redirect_uri: String,
    claims: Value,
}

/// Where a browser is sent, as the issuer reads it.
pub struct Asked {
    pub query: HashMap<String, String>,
}

pub fn rsa_key() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("keys/rsa.pem")).unwrap()
}

pub fn ec_key() -> EncodingKey {
    EncodingKey::from_ec_pem(include_bytes!("keys/ec.pem")).unwrap()
}

/// A key that the issuer does not have.
pub fn forger_key() -> EncodingKey {
    EncodingKey::from_ec_pem(include_bytes!("keys/forger.pem")).unwrap()
}

/// As the issuer publishes it.
pub fn public(kid: &str, key: &EncodingKey, algorithm: Algorithm) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk
}

impl Issuer {
    pub async fn start(clock: &FixedClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = vec![
            public(RSA, &rsa_key(), Algorithm::RS256),
            json!({"kid": "of another kind", "kty": "OKP", "crv": "Ed448", "x": "AA"}),
            public(EC, &ec_key(), Algorithm::ES256),
        ];
        let state = Arc::new(Mutex::new(State { keys, ..State::default() }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, state.clone()));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, clock: clock.clone(), state, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// What the platform is told of it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CALLFAIRY_GOOGLE_CLIENT_ID", CLIENT_ID.to_owned()),
            ("CALLFAIRY_GOOGLE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("CALLFAIRY_GOOGLE_ISSUER", self.url.clone()),
            ("CALLFAIRY_GOOGLE_KEYS_URL", format!("{}/keys", self.url)),
            ("CALLFAIRY_GOOGLE_AUTHORIZATION_URL", format!("{}/authorize", self.url)),
            ("CALLFAIRY_GOOGLE_TOKEN_URL", format!("{}/token", self.url)),
        ]
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What it says of somebody who has signed in just now.
    pub fn claims(&self, person: &Person) -> Value {
        let now = self.now().get().as_second();
        json!({
            "iss": self.url, "aud": CLIENT_ID, "azp": CLIENT_ID, "sub": person.subject, "iat": now, "exp": now + 3_600,
            "email": person.email, "email_verified": true, "name": "Ada King", "picture": "https://example.com/ada.png",
        })
    }

    pub fn token(&self, person: &Person) -> String {
        sign(EC, &ec_key(), Algorithm::ES256, &self.claims(person))
    }

    /// A token that says something else.
    pub fn token_with(&self, changes: &Value) -> String {
        sign(EC, &ec_key(), Algorithm::ES256, &with(self.claims(&ADA), changes))
    }

    /// As `person` does who is sent there and says yes. Answers the code.
    pub fn authorize(&self, location: &str, person: &Person) -> String {
        let asked = self.read(location);
        assert_eq!((asked.get("response_type"), asked.get("client_id")), ("code", CLIENT_ID));
        assert_eq!((asked.get("code_challenge_method"), asked.get("scope")), ("S256", "openid email profile"));
        let mut state = self.state.lock().unwrap();
        let nonce = json!({"nonce": asked.get("nonce")});
        let claims = with(with(self.claims(person), &nonce), &state.token_says.take());
        let code = format!("4/{}", state.codes.len());
        let (challenge, redirect_uri) = (asked.get("code_challenge").to_owned(), asked.get("redirect_uri").to_owned());
        state.codes.insert(code.clone(), Granted { challenge, redirect_uri, claims });
        code
    }

    pub fn read(&self, location: &str) -> Asked {
        assert!(location.starts_with(&format!("{}/authorize?", self.url)), "{location}");
        Asked { query: Url::parse(location).unwrap().query_pairs().into_owned().collect() }
    }

    /// The next token that it gives for a code says this as well.
    pub fn say(&self, changes: Value) {
        self.state.lock().unwrap().token_says = changes;
    }

    /// Another one has asked for this code.
    pub fn mix_up(&self, code: &str) {
        "another".clone_into(&mut self.state.lock().unwrap().codes.get_mut(code).unwrap().challenge);
    }

    pub fn set_keys(&self, keys: Vec<Value>) {
        self.state.lock().unwrap().keys = keys;
    }

    pub fn keys_asked(&self) -> usize {
        self.state.lock().unwrap().keys_asked
    }

    pub fn be_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }
}

impl Asked {
    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        self.query.get(name).unwrap_or_else(|| panic!("{name} is not asked for"))
    }
}

/// `null` takes something away.
pub fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

pub fn sign(kid: &str, key: &EncodingKey, algorithm: Algorithm, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let (status, json) = {
        let mut state = state.lock().unwrap();
        match (head.method.as_str(), head.uri.path()) {
            _ if state.is_down => (StatusCode::BAD_GATEWAY, json!(null)),
            ("GET", "/keys") => {
                state.keys_asked += 1;
                (StatusCode::OK, json!({"keys": state.keys}))
            }
            ("POST", "/token") => match redeem(&mut state, &body) {
                Some(token) => (StatusCode::OK, json!({"id_token": token, "access_token": "x", "expires_in": 3_599})),
                None => (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"})),
            },
            _ => (StatusCode::NOT_FOUND, json!(null)),
        }
    };
    Ok(Response::builder().status(status).body(Full::new(json.to_string().into())).unwrap())
}

/// A code works once, for whoever asked for it.
fn redeem(state: &mut State, form: &[u8]) -> Option<String> {
    let form: HashMap<_, _> = form_urlencoded::parse(form).into_owned().collect();
    let granted = state.codes.remove(&form["code"])?;
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let expected = [("grant_type", "authorization_code"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let fits = expected.iter().all(|(name, value)| form[*name] == *value);
    (fits && challenge == granted.challenge && form["redirect_uri"] == granted.redirect_uri)
        .then(|| sign(EC, &ec_key(), Algorithm::ES256, &granted.claims))
}
