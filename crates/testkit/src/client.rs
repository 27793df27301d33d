//! A client of the REST API, as plain as a test wants it.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, Response, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// From the start of a request to the end of the answer's head; streams may take longer after it.
const HEAD_LIMIT: Duration = Duration::from_mins(1);
/// Of all resources but those at the root.
const BASE_PATH: &str = "/api/v1";

/// Speaks to one gateway, as nobody or with one bearer token. Follows no redirects and repeats nothing.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The JSON; any other text as a string; null when there is none.
    pub body: Value,
}

/// A file in a form.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    pub field: &'a str,
    pub file_name: &'a str,
    pub content_type: &'a str,
    pub content: &'a [u8],
}

impl Client {
    /// `url`: where the gateway is, such as `http://127.0.0.1:8080`.
    #[track_caller]
    pub fn new(url: impl Into<String>) -> Self {
        match http() {
            Ok(http) => Self { http, url: url.into().trim_end_matches('/').to_owned(), token: None },
            Err(error) => panic!("no HTTP client: {error}"),
        }
    }

    /// The same gateway with a bearer token: an access token or an API key.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Another gateway as nobody, over the same connections.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), ..self.anonymous() }
    }

    /// The same gateway as nobody.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same gateway as the user with this password.
    pub async fn sign_in(&self, email: &str, password: &str) -> Self {
        let answer = self.anonymous().post("/auth/login", json!({"email": email, "password": password})).await;
        let body = answer.expect(200);
        match body["access_token"].as_str() {
            Some(token) => self.with_token(token),
            None => panic!("signing {email} in gave no access_token: {body}"),
        }
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request to be completed, for what the other functions do not cover: headers, raw bodies, streams.
    /// `path` is below `/api/v1`, or from the root when it begins with `//`, such as `//readyz`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(from_root) if from_root.starts_with('/') => format!("{}{from_root}", self.url),
            _ => format!("{}{BASE_PATH}{path}", self.url),
        };
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Whether there is something that listens, and is ready.
    pub async fn is_ready(&self) -> bool {
        self.request(Method::GET, "//readyz").send().await.is_ok_and(|response| response.status() == 200)
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Null: without a body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        if body.is_null() {
            return send(self.request(Method::PUT, path)).await;
        }
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// POSTs `multipart/form-data`: the fields, then the file.
    pub async fn upload(&self, path: &str, fields: &[(&str, &str)], file: Upload<'_>) -> Answer {
        let boundary = format!("testkit-{}", Uuid::new_v4().simple());
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .body(form(&boundary, fields, file));
        send(request).await
    }
}

/// TLS with ring is passed in, so that nothing depends on which process-wide provider is installed; it trusts
/// nobody, since the tests' gateways speak plain HTTP.
fn http() -> Result<reqwest::Client, Box<dyn std::error::Error>> {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .read_timeout(HEAD_LIMIT)
        .build()?;
    Ok(client)
}

fn form(boundary: &str, fields: &[(&str, &str)], file: Upload<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(file.content.len() + 1024);
    for (name, value) in fields {
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let Upload { field, file_name, content_type, content } = file;
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
         Content-Type: {content_type}\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

async fn send(request: RequestBuilder) -> Answer {
    let answer = async { Answer::read(request.send().await?).await };
    match answer.await {
        Ok(answer) => answer,
        Err(error) => panic!("no answer: {error:?}"),
    }
}

impl Answer {
    pub async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = match serde_json::from_slice(&bytes) {
            _ if bytes.is_empty() => Value::Null,
            Ok(json) if is_json(&headers) => json,
            _ => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(Self { status, headers, body })
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "the answer was {}", self.body);
        self.body
    }

    /// That header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// `application/json` and `application/problem+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    /// Answers one request with these bytes; the task's value is the request as it came.
    async fn server(answer: &'static str) -> (Client, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(format!("http://{}/", listener.local_addr().unwrap()));
        let request = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            let length = |text: &str| {
                let (head, body) = text.split_once("\r\n\r\n")?;
                let wanted = head.to_lowercase().split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
                Some(body.len() >= wanted)
            };
            while !(request.contains("\r\n\r\n") && length(&request).unwrap_or(true)) {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            request
        });
        (client, request)
    }

    #[tokio::test]
    async fn sends_the_token_and_json_and_reads_json() {
        let answer = "HTTP/1.1 409 Conflict\r\ncontent-type: application/problem+json; charset=utf-8\r\n\
                      x-request-id: 7\r\ncontent-length: 19\r\n\r\n{\"code\":\"conflict\"}";
        let (client, request) = server(answer).await;
        let answer = client.with_token("abc").post("/organisations?x=1", json!({"name": "Ä"})).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (409, "7"));
        assert_eq!(answer.body, json!({"code": "conflict"}));
        let request = request.await.unwrap();
        assert!(request.starts_with("POST /api/v1/organisations?x=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer abc\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"name\":\"Ä\"}"), "{request}");
    }

    #[tokio::test]
    async fn reads_other_text_and_paths_at_the_root() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: 3\r\n\r\n1,2";
        let (client, request) = server(answer).await;
        assert_eq!(client.get("//readyz").await.expect(200), json!("1,2"));
        let request = request.await.unwrap();
        assert!(request.starts_with("GET /readyz HTTP/1.1\r\n") && !request.contains("authorization"), "{request}");
    }

    #[tokio::test]
    async fn uploads_a_form() {
        let (client, request) = server("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
        let file =
            Upload { field: "file", file_name: "a.csv", content_type: "text/csv", content: b"Name\r\nZo\xc3\xab\r\n" };
        let answer = client.upload("/imports", &[("default_country", "US")], file).await;
        assert_eq!((answer.status, answer.body), (202, Value::Null));
        let request = request.await.unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let boundary = head.split("boundary=").nth(1).unwrap().lines().next().unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"default_country\"\r\n\r\nUS\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
             Content-Type: text/csv\r\n\r\nName\r\nZoë\r\n\r\n--{boundary}--\r\n"
        );
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn signs_in() {
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{\"access_token\":\"tok\"}";
        let (client, request) = server(answer).await;
        assert_eq!(client.with_token("old").sign_in("a@b.example", "word").await.token(), Some("tok"));
        let request = request.await.unwrap();
        assert!(request.starts_with("POST /api/v1/auth/login "), "{request}");
        assert!(!request.contains("old") && request.contains("a@b.example"), "{request}");
    }

    #[tokio::test]
    #[should_panic(expected = "the answer was {\"code\":\"not_found\"}")]
    async fn shows_an_unexpected_answer() {
        let body = json!({"code": "not_found"});
        Answer { status: 404, headers: HeaderMap::new(), body }.expect(200);
    }
}
