//! Files on their way in.

use crate::world::{DEADLINE, ORGANISATION, Setup, World, own};
use bytes::Bytes;
use callfairy_core::Problem;
use futures_util::{Stream, StreamExt, stream};
use gateway::Limits;
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{Answer, Upload};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

crate::both_ways!(
    fields_then_file,
    forms_are_read_strictly,
    an_upload_that_breaks_off_is_no_end,
    fields_after_the_file_undo_it,
    a_service_that_refuses_is_heard_at_once,
    a_slow_service_slows_the_client,
);

const FORM: &str = "multipart/form-data; boundary=edge";
/// Of what is sent in streams.
const CHUNK: usize = 64 * 1024;

fn form(world: &World, body: impl Into<Body>) -> RequestBuilder {
    world.ada.request(Method::POST, &own("/imports")).header("content-type", FORM).body(body)
}

async fn send(world: &World, body: impl Into<Body>) -> Answer {
    Answer::read(form(world, body).send().await.unwrap()).await.unwrap()
}

fn text(name: &str, value: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv";
    format!("{head}\r\n\r\n{content}\r\n")
}

/// A form whose file is this many chunks, counted as the connection takes them.
fn large(chunks: u64, taken: &Arc<AtomicU64>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let (head, end) = (file("").trim_end_matches("\r\n").to_owned() + "\r\n\r\n", "\r\n--edge--\r\n");
    let (chunk, taken) = (Bytes::from(vec![1; CHUNK]), taken.clone());
    let content = stream::iter(0..chunks).map(move |_| {
        taken.fetch_add(CHUNK as u64, Ordering::SeqCst);
        chunk.clone()
    });
    stream::iter([Bytes::from(head)]).chain(content).chain(stream::iter([Bytes::from(end)])).map(Ok)
}

fn broken(world: &World) -> usize {
    world.seen.upload.broken.load(Ordering::SeqCst)
}

fn ended(world: &World) -> usize {
    world.seen.upload.ended.load(Ordering::SeqCst)
}

/// An upload of 300,000 bytes so far, of which the service has a piece.
struct Ongoing {
    chunks: mpsc::Sender<Result<Bytes, Infallible>>,
    request: JoinHandle<reqwest::Result<Response>>,
}

impl Ongoing {
    async fn start(world: &World) -> Self {
        world.seen.upload.bytes.store(0, Ordering::SeqCst);
        let (chunks, body) = mpsc::channel(1);
        let body = Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(body));
        let ongoing = Self { chunks, request: tokio::spawn(form(world, body).send()) };
        ongoing.send(file(&"x".repeat(300_000)).trim_end()).await;
        ongoing.has(world, 256 * 1024).await;
        ongoing
    }

    async fn has(&self, world: &World, bytes: u64) {
        testkit::eventually("the service has so many bytes", DEADLINE, async || {
            (world.seen.upload.bytes.load(Ordering::SeqCst) == bytes).then_some(())
        })
        .await;
    }

    async fn send(&self, text: &str) {
        self.chunks.send(Ok(Bytes::from(text.to_owned()))).await.unwrap();
    }

    async fn answer(self) -> Answer {
        drop(self.chunks);
        Answer::read(self.request.await.unwrap().unwrap()).await.unwrap()
    }
}

/// So many uploads broke off, and none came to its end.
async fn broke_off(world: &World, times: usize) {
    testkit::eventually("the service sees the upload break off", DEADLINE, async || {
        (broken(world) + ended(world) == times).then_some(())
    })
    .await;
    assert_eq!((broken(world), ended(world)), (times, 0), "broken off, and ended");
}

async fn fields_then_file(world: &World) {
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let fields = [("mapping", "{\"Tel\":\"phone_number\"}"), ("tags", "a"), ("tags", "ü"), ("on_duplicate", "update")];
    let upload =
        Upload { field: "file", file_name: "../lists/Kündigung.csv", content_type: "text/csv", content: &content };
    let answer = world.ada.upload(&own("/imports?default_country=DE"), &fields, upload).await;
    assert_eq!((&answer.body["bytes_total"], &answer.body["status"]), (&json!(1_000_000), &json!("pending")));
    assert_eq!(answer.status, 202);
    let expected = json!({
        "organisation_id": ORGANISATION, "filename": "Kündigung.csv", "mapping": "{\"Tel\":\"phone_number\"}",
        "default_country": "DE", "on_duplicate": "update", "tags": ["a", "ü"], "data": "",
    });
    assert_eq!(world.seen.one().request, expected);
    let seen = &world.seen.upload;
    assert_eq!(seen.sum.load(Ordering::SeqCst), content.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    assert_eq!(seen.largest.load(Ordering::SeqCst), 256 * 1024);
    assert_eq!(seen.pieces.load(Ordering::SeqCst), 4);
    assert_eq!((ended(world), broken(world)), (1, 0));

    // An empty file is a file, and one without a name is one too.
    send(world, format!("{}--edge--\r\n", file(""))).await.expect(202);
    let nameless = file("x").replace("; filename=\"a.csv\"", "");
    send(world, format!("{nameless}--edge--\r\n")).await.expect(202);
    assert_eq!(ended(world), 3);
}

async fn forms_are_read_strictly(world: &World) {
    let whole = |parts: &[String]| format!("{}--edge--\r\n", parts.concat());
    for (body, field) in [
        (whole(&[]), "file"),
        (whole(&[text("default_country", "DE")]), "file"),
        (whole(&[text("nope", "1"), file("x")]), "nope"),
        (whole(&[text("on_duplicate", "explode"), file("x")]), "on_duplicate"),
        (whole(&[text("mapping", "a"), text("mapping", "b"), file("x")]), "mapping"),
        (whole(&[text("organisation_id", "x"), file("x")]), "organisation_id"),
        (whole(&[text("data", "eA=="), file("x")]), "data"),
        (whole(&[text("filename", "b.csv"), file("x")]), "filename"),
        (whole(&[text("default_country", "de"), file("x")]), "default_country"),
    ] {
        let problem = send(world, body.clone()).await.expect(400);
        assert_eq!(problem["errors"][0]["field"], field, "{body} {problem}");
    }
    let twice = world.ada.request(Method::POST, &own("/imports?mapping=a")).header("content-type", FORM);
    let twice = twice.body(whole(&[text("mapping", "b"), file("x")])).send().await.unwrap();
    assert_eq!(Answer::read(twice).await.unwrap().expect(400)["errors"][0]["field"], "mapping");

    let no_text =
        [b"--edge\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\r\n\xff\r\n", file("x").as_bytes()].concat();
    assert_eq!(send(world, no_text).await.expect(400)["errors"][0]["field"], "mapping");
    for malformed in
        ["", "x", "--other\r\n\r\n", "--edge\r\nContent-Type: text/csv\r\n\r\nx\r\n--edge--\r\n", "--edge\r\n"]
    {
        let problem = send(world, malformed).await.expect(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("the body is not a valid form"), "{malformed}: {problem}");
    }
    send(world, whole(&[text("mapping", &"x".repeat(200_000)), file("x")])).await.expect(413);
    for (kind, status) in [
        ("application/json", 415),
        ("text/csv", 415),
        ("multipart/mixed; boundary=edge", 415),
        ("multipart/form-data", 400),
        ("", 415),
    ] {
        let request = world.ada.request(Method::POST, &own("/imports")).header("content-type", kind);
        let answer = request.body(whole(&[file("x")])).send().await.unwrap();
        assert_eq!(answer.status(), status, "{kind}");
    }
    assert_eq!((ended(world), broken(world)), (0, 0), "no file was begun");
    world.seen.nothing();
}

async fn an_upload_that_breaks_off_is_no_end(world: &World) {
    let gone = Ongoing::start(world).await;
    assert_eq!(broken(world), 0);
    gone.request.abort();
    broke_off(world, 1).await;

    // The body is whole, the form in it is not.
    let cut = Ongoing::start(world).await.answer().await.expect(400);
    assert_eq!(cut["detail"], "the body is not a valid form: it ends too early");
    broke_off(world, 2).await;

    let whole = Ongoing::start(world).await;
    whole.send("\r\n--edge--\r\n").await;
    whole.answer().await.expect(202);
    assert_eq!((broken(world), ended(world)), (2, 1));
}

async fn fields_after_the_file_undo_it(world: &World) {
    for (times, (after, field)) in [(text("mapping", "a"), "mapping"), (file("y"), "file")].into_iter().enumerate() {
        let upload = Ongoing::start(world).await;
        // The file is over, the form is not.
        upload.send("\r\n--edge\r\n").await;
        upload.has(world, 300_000).await;
        upload.send(&format!("{}--edge--\r\n", after.trim_start_matches("--edge\r\n"))).await;
        let problem = upload.answer().await.expect(400);
        assert_eq!(problem["errors"][0]["field"], field);
        assert!(problem["detail"].as_str().unwrap().contains("put the fields first"), "{problem}");
        broke_off(world, times + 1).await;
    }
}

async fn a_service_that_refuses_is_heard_at_once(world: &World) {
    *world.seen.upload.refusal.lock().unwrap() = Some(Problem::permission_denied("import_contacts"));
    let taken = Arc::new(AtomicU64::new(0));
    let answer = send(world, Body::wrap_stream(large(16_384, &taken))).await;
    assert_eq!((answer.status, &answer.body["permission"]), (403, &json!("import_contacts")));
    assert!(taken.load(Ordering::SeqCst) < 16_384 * CHUNK as u64, "all of it was sent");

    let stranger = world.ada.request(Method::POST, &format!("/organisations/{}/imports", crate::world::FOREIGN));
    let body = format!("{}--edge--\r\n", file("x"));
    assert_eq!(stranger.header("content-type", FORM).body(body).send().await.unwrap().status(), 404);
}

/// 200 MiB, of which next to nothing leaves the client until the service reads.
async fn a_slow_service_slows_the_client(world: &World) {
    const CHUNKS: u64 = 3_200;
    const TOTAL: u64 = CHUNKS * CHUNK as u64;
    let go = Arc::new(Notify::new());
    *world.seen.upload.stop.lock().unwrap() = Some(go.clone());
    let taken = Arc::new(AtomicU64::new(0));
    let request = tokio::spawn(form(world, Body::wrap_stream(large(CHUNKS, &taken))).send());

    let (mut last, mut still) = (0, 0);
    let stalled = testkit::eventually("the client stalls", DEADLINE, async || {
        let now = taken.load(Ordering::SeqCst);
        still = if now == last && now > 0 { still + 1 } else { 0 };
        last = now;
        (still > 10).then_some(now)
    });
    // What the sockets' buffers hold, and a little in the gateway.
    let stalled = stalled.await;
    assert!(stalled < TOTAL / 4, "{stalled} bytes left the client, and nobody read them");
    assert_eq!(world.seen.upload.bytes.load(Ordering::SeqCst), 0);

    go.notify_one();
    let answer = Answer::read(request.await.unwrap().unwrap()).await.unwrap();
    assert_eq!(answer.expect(202)["bytes_total"], TOTAL);
    assert_eq!(world.seen.upload.sum.load(Ordering::SeqCst), TOTAL);
    assert!(world.seen.upload.largest.load(Ordering::SeqCst) <= 256 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_have_a_limit() {
    for over_tcp in [false, true] {
        let limits = Limits { upload: 2 * 1024 * 1024, ..Limits::default() };
        let world = World::start_with(Setup { over_tcp, limits, ..Setup::default() }).await;
        let taken = Arc::new(AtomicU64::new(0));
        send(&world, Body::wrap_stream(large(33, &taken))).await.expect(413);
        broke_off(&world, 1).await;
        send(&world, Body::wrap_stream(large(32, &taken))).await.expect(202);
        assert_eq!(ended(&world), 1);

        // Said beforehand, it is refused before any of it is read.
        let problem = send(&world, vec![b'x'; 4 * 1024 * 1024]).await.expect(413);
        let detail = "the body is larger than 2097152 bytes";
        assert_eq!((&problem["code"], &problem["detail"]), (&json!("payload_too_large"), &json!(detail)));
        assert_eq!((ended(&world), broken(&world)), (1, 1));
        world.end().await;
    }
}
