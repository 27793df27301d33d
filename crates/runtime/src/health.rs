//! The health answers of a service's own binary, over plain HTTP/1.
//!
//! `GET /healthz`: 200 as long as the process answers. `GET /readyz`: 200 when every check passes, else 503 with
//! the names of those that fail, `{"status":"unavailable","failing":["database"]}`; the reasons are logged.

use crate::lifecycle::Shutdown;
use crate::{BoxError, chain};
use futures_util::future::{BoxFuture, join_all};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A check that takes longer has failed.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// A request's head must be there by then.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Connections at one time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// How long to wait after the system refused a connection, which it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// The checks of readiness.
#[derive(Default)]
pub struct Health {
    checks: Vec<(&'static str, Check)>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; its name is shown to whoever asks, its error only logged.
    #[must_use]
    pub fn check<F, T, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let check = move || -> BoxFuture<'static, Result<(), BoxError>> {
            let check = check();
            Box::pin(async move { check.await.map_err(Into::into) })
        };
        self.checks.push((name, Box::new(check)));
        self
    }

    /// The names of the checks that fail now.
    pub async fn failing(&self) -> Vec<&'static str> {
        let run = |(name, check): &(&'static str, Check)| {
            let (name, check) = (*name, check());
            async move {
                let error: BoxError = match tokio::time::timeout(CHECK_LIMIT, check).await {
                    Ok(Ok(())) => return None,
                    Ok(Err(error)) => error,
                    Err(_) => format!("no answer within {} s", CHECK_LIMIT.as_secs()).into(),
                };
                tracing::warn!(check = name, error = chain(&*error), "not ready");
                Some(name)
            }
        };
        join_all(self.checks.iter().map(run)).await.into_iter().flatten().collect()
    }

    /// Answers until the shutdown.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) -> std::io::Result<()> {
        let health = Arc::new(self);
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accept = async {
                let permit = permits.clone().acquire_owned().await;
                (listener.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                () = shutdown.wait() => return Ok(()),
                accepted = accept => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let health = health.clone();
            connections.spawn(async move {
                let _permit = permit;
                let service = service_fn(move |request| answer(health.clone(), request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .serve_connection(TokioIo::new(stream), service);
                // Who hangs up early is no concern of ours.
                let _ = connection.await;
            });
            while connections.try_join_next().is_some() {}
        }
    }
}

async fn answer(health: Arc<Health>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = json(StatusCode::METHOD_NOT_ALLOWED, r#"{"status":"method_not_allowed"}"#.to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match request.uri().path() {
        "/healthz" => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        "/readyz" => {
            let failing = health.failing().await;
            if failing.is_empty() {
                json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
            } else {
                let body = serde_json::json!({ "status": "unavailable", "failing": failing });
                json(StatusCode::SERVICE_UNAVAILABLE, body.to_string())
            }
        }
        _ => json(StatusCode::NOT_FOUND, r#"{"status":"not_found"}"#.to_owned()),
    })
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Error;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    async fn start(health: Health) -> (SocketAddr, Shutdown, JoinHandle<std::io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        (address, shutdown.clone(), tokio::spawn(health.serve(listener, shutdown)))
    }

    /// The status, and the body.
    async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn tells_life_from_readiness() {
        let up = Arc::new(AtomicBool::new(false));
        let database = up.clone();
        let health = Health::new().check("queue", || async { Ok::<_, Error>(()) }).check("database", move || {
            let up = database.load(Ordering::SeqCst);
            async move { if up { Ok(()) } else { Err(Error::other("password hunter2 is wrong")) } }
        });
        let (address, shutdown, served) = start(health).await;

        assert_eq!(ask(address, "GET /healthz").await, (200, r#"{"status":"ok"}"#.to_owned()));
        let (status, body) = ask(address, "GET /readyz").await;
        assert_eq!(status, 503);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, serde_json::json!({ "status": "unavailable", "failing": ["database"] }));
        up.store(true, Ordering::SeqCst);
        assert_eq!(ask(address, "GET /readyz").await.0, 200);

        assert_eq!(ask(address, "POST /readyz").await.0, 405);
        assert_eq!(ask(address, "GET /metrics").await.0, 404);
        shutdown.begin();
        served.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_check_that_hangs_has_failed() {
        let health = Health::new().check("broker", std::future::pending::<Result<(), Error>>);
        assert_eq!(tokio::time::timeout(CHECK_LIMIT * 5, health.failing()).await, Ok(vec!["broker"]));
    }
}
