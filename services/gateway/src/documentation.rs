//! The OpenAPI document, and Swagger UI to read it with, all from this binary.

use crate::routes::page;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpResponse, web};
use bytes::Bytes;

/// Swagger UI needs its own files, its pictures in the style sheet, and the API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The library's files change only with the binary.
const LIBRARY_CACHE: &str = "public, max-age=3600";

const PAGE: &str = include_str!("documentation/index.html");
const INITIALIZER: &str = include_str!("documentation/initializer.js");
const STYLE: &str = include_str!("documentation/page.css");
const LIBRARY_SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js"));
const LIBRARY_STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css"));

#[derive(Debug, Clone)]
pub struct Documentation {
    openapi: Bytes,
}

impl Documentation {
    /// `public_url` is where the document says that the API is.
    pub fn new(public_url: &str) -> Result<Self, serde_json::Error> {
        let mut openapi: serde_json::Value = serde_json::from_str(proto::OPENAPI)?;
        openapi["servers"] = serde_json::json!([{ "url": public_url }]);
        Ok(Self { openapi: serde_json::to_vec(&openapi)?.into() })
    }

    pub fn mount(&self, app: &mut web::ServiceConfig) {
        let openapi = self.openapi.clone();
        app.service(page("/", root))
            .service(page("/openapi.json", move || file("application/json", openapi.clone())))
            .service(page("/docs", swagger_ui))
            .service(page("/docs/page.css", || file("text/css", STYLE.into())))
            .service(page("/docs/initializer.js", || file("text/javascript", INITIALIZER.into())))
            .service(page("/docs/swagger-ui.css", || library("text/css", LIBRARY_STYLE)))
            .service(page("/docs/swagger-ui-bundle.js", || library("text/javascript", LIBRARY_SCRIPT)));
    }
}

async fn root() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "docs")).finish()
}

async fn swagger_ui() -> HttpResponse {
    let policy = (CONTENT_SECURITY_POLICY, POLICY);
    HttpResponse::Ok().insert_header(policy).content_type("text/html; charset=utf-8").body(PAGE)
}

async fn file(kind: &'static str, content: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(kind).body(content)
}

async fn library(kind: &'static str, content: &'static [u8]) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, LIBRARY_CACHE)).content_type(kind).body(content)
}
