//! The few requests that the demo makes.

use reqwest::{Method, multipart};
use runtime::BoxError;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::PoisonError;

pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Mutex<String>,
}

impl Client {
    pub fn new(url: &str) -> Result<Self, BoxError> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, base: format!("{url}/api/v1"), token: Mutex::default() })
    }

    /// From now on requests are made by whoever this is.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<(), BoxError> {
        let body = serde_json::json!({"email": email, "password": password});
        let tokens = self.send(Method::POST, "/auth/login", Some(body)).await?;
        let token = tokens["access_token"].as_str().unwrap_or_default().to_owned();
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        Ok(())
    }

    pub async fn get(&self, path: &str) -> Result<Value, BoxError> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, BoxError> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str) -> Result<Value, BoxError> {
        self.send(Method::PUT, path, None).await
    }

    /// Uploads a file, behind the form's fields.
    pub async fn upload(&self, path: &str, fields: &[(&str, &str)], file: String) -> Result<Value, BoxError> {
        let mut form = multipart::Form::new();
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        let part = multipart::Part::text(file).file_name("contacts.csv").mime_str("text/csv")?;
        let request = self.request(Method::POST, path).multipart(form.part("file", part));
        answer(request.send().await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, BoxError> {
        let request = self.request(method, path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        answer(request.send().await?).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match self.token.lock().unwrap_or_else(PoisonError::into_inner).as_str() {
            "" => request,
            token => request.bearer_auth(token),
        }
    }
}

/// The answer's body, or its problem.
async fn answer(response: reqwest::Response) -> Result<Value, BoxError> {
    let (status, url) = (response.status(), response.url().path().to_owned());
    let body = response.text().await?;
    if !status.is_success() {
        return Err(format!("{url} answered {status}: {body}").into());
    }
    Ok(serde_json::from_str(&body).unwrap_or_default())
}
