//! As much of S3 as the store uses, in memory: whole and multipart puts, ranges, deletes.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    /// Parts by number, by the upload's id.
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    begun: u32,
}

/// A running server; it ends when this is dropped.
pub struct Bucket {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bucket {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { answer(&state, request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, server }
    }

    /// What a client needs to know.
    pub fn options(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address).as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_OF_ANOTHER_TOOL", "x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Objects and uploads that are not complete.
    pub fn contents(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.objects.keys().cloned().chain(state.uploads.keys().map(|id| format!("upload {id}"))).collect()
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    assert!(head.headers.contains_key("authorization"), "requests are signed");
    let key = head.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let query: HashMap<&str, &str> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let state = &mut *state.lock().unwrap();

    let upload = query.get("uploadId").map(|id| (*id).to_owned());
    Ok(match (&head.method, upload) {
        (&Method::POST, None) if query.contains_key("uploads") => {
            state.begun += 1;
            state.uploads.insert(state.begun.to_string(), BTreeMap::new());
            xml(&format!(
                "<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>",
                state.begun
            ))
        }
        (&Method::POST, None) if query.contains_key("delete") => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let mut deleted = String::new();
            for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
                state.objects.remove(key);
                write!(deleted, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
            }
            xml(&format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        (&Method::PUT, Some(id)) => {
            let number = query["partNumber"].parse().unwrap();
            match state.uploads.get_mut(&id) {
                Some(parts) => {
                    parts.insert(number, body);
                    with_tag(Bytes::new())
                }
                None => status(StatusCode::NOT_FOUND),
            }
        }
        (&Method::POST, Some(id)) => match state.uploads.remove(&id) {
            Some(parts) => {
                let last = parts.len();
                let sizes: Vec<usize> = parts.values().map(Bytes::len).collect();
                assert!(sizes[..last - 1].iter().all(|size| *size == sizes[0] && *size >= 5 << 20), "{sizes:?}");
                let whole: Vec<u8> = parts.values().flatten().copied().collect();
                state.objects.insert(key, whole.into());
                xml("<CompleteMultipartUploadResult><ETag>\"tag\"</ETag></CompleteMultipartUploadResult>")
            }
            None => status(StatusCode::NOT_FOUND),
        },
        (&Method::DELETE, Some(id)) => {
            state.uploads.remove(&id);
            status(StatusCode::NO_CONTENT)
        }
        (&Method::PUT, None) => {
            state.objects.insert(key, body);
            with_tag(Bytes::new())
        }
        (&Method::GET | &Method::HEAD, None) => match state.objects.get(&key) {
            None => status(StatusCode::NOT_FOUND),
            Some(object) => {
                let range = head.headers.get(RANGE).map(|range| range.to_str().unwrap());
                let mut answer = ranged(object, range);
                if head.method == Method::HEAD {
                    answer.headers_mut().insert(CONTENT_LENGTH, object.len().into());
                    *answer.body_mut() = Full::default();
                }
                answer
            }
        },
        other => panic!("{other:?} {:?}", head.uri),
    })
}

fn ranged(object: &Bytes, range: Option<&str>) -> Answer {
    let Some(range) = range else { return with_tag(object.clone()) };
    let (start, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let start: usize = start.parse().unwrap();
    if start >= object.len() {
        return status(StatusCode::RANGE_NOT_SATISFIABLE);
    }
    let end = last.parse::<usize>().map_or(object.len(), |last| (last + 1).min(object.len()));
    let mut answer = with_tag(object.slice(start..end));
    *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    let described = format!("bytes {start}-{}/{}", end - 1, object.len());
    answer.headers_mut().insert(CONTENT_RANGE, described.parse().unwrap());
    answer
}

fn with_tag(body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(ETAG, "\"tag\"".parse().unwrap());
    answer.headers_mut().insert(LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap());
    answer
}

fn xml(text: &str) -> Answer {
    Response::new(Full::new(Bytes::from(text.to_owned())))
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
