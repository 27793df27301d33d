//! What the client makes of a server that misbehaves. One request for each order, always.

use crate::raw::{RawServer, Reply};
use crate::support::order;
use callfairy_core::{Secret, Timestamp};
use std::net::TcpListener;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;
use voice::http::Timeouts;
use voice::{Account, Bland, LookupError, PlaceError, StopError, VoiceProvider};

const ACCEPTED: &str = r#"{"status":"success","message":"Call successfully queued.","call_id":"c-1","batch_id":null}"#;

fn account(url: &Url) -> Account {
    Account { api_key: Secret::new("sesame"), base_url: url.clone() }
}

#[tokio::test]
async fn a_connection_is_used_once_and_a_request_sent_once() {
    // The first answer offers to keep the connection; the second request is read and then dropped. A client
    // with a pool sends it on the old connection; one that retries sends it twice.
    let server = RawServer::start(|_, before| match before {
        0 => Reply::json("200 OK", ACCEPTED),
        _ => Reply::Close,
    })
    .await;
    let (bland, account) = (Bland::new(Timeouts::default()).unwrap(), account(&server.url));
    assert_eq!(bland.place(&account, &order("+14155550101")).await.unwrap().provider_call_id, "c-1");
    let second = bland.place(&account, &order("+14155550101")).await;
    assert!(matches!(second, Err(PlaceError::Unknown(_))), "{second:?}");
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

#[tokio::test]
async fn what_is_sent() {
    let server = RawServer::always(Reply::json("200 OK", ACCEPTED)).await;
    let account = Account { base_url: server.url.join("/some/prefix/").unwrap(), ..account(&server.url) };
    let order = order("+14155550101");
    Bland::new(Timeouts::default()).unwrap().place(&account, &order).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /some/prefix/v1/calls HTTP/1.1");
    assert_eq!(request.headers["authorization"], "sesame");
    assert_eq!(request.headers["connection"], "close");
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["metadata"]["callfairy_attempt_id"], order.attempt_id.to_string());
}

#[tokio::test]
async fn certain_that_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    // Speaks no TLS, so the handshake fails before the request.
    let plain = RawServer::always(Reply::Close).await;
    let tls = format!("https://127.0.0.1:{}", plain.url.port().unwrap());
    // Resolvers that are out of reach take their time.
    let bland = Bland::new(Timeouts { connect: Duration::from_millis(500), ..Timeouts::default() }).unwrap();
    for url in [format!("http://{address}"), "http://nowhere.invalid".to_owned(), tls] {
        let result = bland.place(&account(&Url::parse(&url).unwrap()), &order("+14155550101")).await;
        assert!(matches!(result, Err(PlaceError::NotSent(_))), "{url}: {result:?}");
    }
    assert_eq!(plain.requests().len(), 0);
}

#[tokio::test]
async fn a_connection_that_never_stands_up_was_not_used() {
    // A backlog that is full swallows further connections without a word.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the backlog never fills");
    }
    let timeouts = Timeouts { connect: Duration::from_millis(200), ..Timeouts::default() };
    let url = Url::parse(&format!("http://{address}")).unwrap();
    let result = Bland::new(timeouts).unwrap().place(&account(&url), &order("+14155550101")).await;
    assert!(matches!(result, Err(PlaceError::NotSent(_))), "{result:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_may_have_dialed() {
    let server = RawServer::always(Reply::Silence).await;
    let timeouts = Timeouts { total: Duration::from_millis(300), ..Timeouts::default() };
    let result = Bland::new(timeouts).unwrap().place(&account(&server.url), &order("+14155550101")).await;
    assert_eq!(result, Err(PlaceError::Unknown("timed out: operation timed out".into())));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn may_have_dialed() {
    let large = format!("{}\"}}", r#"{"call_id":"c-1","x":""#.to_owned() + &"x".repeat(1024 * 1024));
    for reply in [
        Reply::Close,
        Reply::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"call_id\":\"c-1\"".into()),
        Reply::WriteAndClose("HTTP/1.1 2".into()),
        Reply::WriteAndClose("not HTTP at all\r\n\r\n".into()),
        Reply::json("200 OK", "{}"),
        Reply::json("200 OK", &large),
        Reply::json("500 Internal Server Error", r#"{"error":"x"}"#),
        Reply::json("504 Gateway Timeout", ""),
        Reply::Write("HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".into()),
    ] {
        let server = RawServer::always(reply.clone()).await;
        let result =
            Bland::new(Timeouts::default()).unwrap().place(&account(&server.url), &order("+14155550101")).await;
        assert!(matches!(result, Err(PlaceError::Unknown(_))), "{result:?}");
        assert_eq!(server.requests().len(), 1, "{result:?}");
    }
}

#[tokio::test]
async fn a_refusal_counts_even_if_its_body_breaks_off() {
    let head = |status| format!("HTTP/1.1 {status}\r\ncontent-length: 99\r\n\r\n{{");
    for (status, suppress) in [("400 Bad Request", false), ("404 Not Found", false)] {
        let server = RawServer::always(Reply::WriteAndClose(head(status))).await;
        let result =
            Bland::new(Timeouts::default()).unwrap().place(&account(&server.url), &order("+14155550101")).await;
        assert_eq!(result, Err(PlaceError::Refused { message: format!("HTTP {}", &status[..3]), suppress }));
    }
    let server = RawServer::always(Reply::WriteAndClose(head("401 Unauthorized"))).await;
    let result = Bland::new(Timeouts::default()).unwrap().place(&account(&server.url), &order("+14155550101")).await;
    assert!(matches!(result, Err(PlaceError::AccountBlocked { .. })));
}

#[tokio::test]
async fn a_key_that_no_header_carries_is_not_sent_and_not_shown() {
    let server = RawServer::always(Reply::Close).await;
    let account = Account { api_key: Secret::new("ses\name"), base_url: server.url.clone() };
    let Err(PlaceError::AccountBlocked { message }) =
        Bland::new(Timeouts::default()).unwrap().place(&account, &order("+1")).await
    else {
        panic!("a broken key was used");
    };
    assert!(!message.contains("ses") && server.connections() == 0);
}

#[tokio::test]
async fn errors_show_neither_number_nor_key() {
    let server = RawServer::always(Reply::Close).await;
    let (bland, account) = (Bland::new(Timeouts::default()).unwrap(), account(&server.url));
    let since = Timestamp::UNIX_EPOCH;
    let found = bland.find(&account, "+14155550101", Uuid::nil(), since).await.unwrap_err();
    let placed = bland.place(&account, &order("+14155550101")).await.unwrap_err();
    for text in [format!("{found} {found:?}"), format!("{placed} {placed:?} {account:?}")] {
        assert!(!text.contains("4155550101") && !text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn lookups_say_what_they_do_not_know() {
    let since = Timestamp::from_micros(1_767_225_600_000_000).unwrap();
    let find = async |body: &str| {
        let list = body.to_owned();
        let server = RawServer::start(move |request, _| {
            let call = r#"{"call_id":"c-1","metadata":{}}"#;
            Reply::json("200 OK", if request.line.contains("/v1/calls?") { &list } else { call })
        })
        .await;
        let found = Bland::new(Timeouts::default())
            .unwrap()
            .find(&account(&server.url), "+14155550101", Uuid::nil(), since)
            .await;
        (found, server.requests())
    };
    let (found, requests) = find(r#"{"total_count":0,"count":0,"calls":[]}"#).await;
    assert_eq!(found, Ok(None));
    let line = "GET /v1/calls?to_number=%2B14155550101&start_date=2025-12-31&limit=1000 HTTP/1.1";
    assert_eq!(requests[0].line, line);
    assert_eq!(find(r#"{"calls":[{"call_id":"c-1"}]}"#).await.0, Ok(None));
    // Too old, or somebody else's: not even looked at.
    let (found, requests) = find(
        r#"{"calls":[{"call_id":"c-1","created_at":"2025-12-31T00:00:00Z"},
            {"call_id":"c-1","metadata":{"callfairy_attempt_id":"00000000-0000-0000-0000-000000000001"}}]}"#,
    )
    .await;
    assert_eq!((found, requests.len()), (Ok(None), 1));
    // There are more than came: absence is not proven.
    let (found, _) = find(r#"{"total_count":3,"count":0,"calls":[]}"#).await;
    assert!(matches!(found, Err(LookupError::TooMany { .. })));
    let many = format!(r#"{{"calls":[{}]}}"#, vec![r#"{"call_id":"c-1"}"#; 51].join(","));
    assert!(matches!(find(&many).await.0, Err(LookupError::TooMany { limit: 50 })));
    assert!(matches!(find("{}").await.0, Err(LookupError::Unreadable(_))));
    assert!(matches!(find("no JSON").await.0, Err(LookupError::Unreadable(_))));
}

#[tokio::test]
async fn ids_do_not_leave_their_place_in_the_path() {
    let server = RawServer::always(Reply::json("200 OK", r#"{"call_id":"other"}"#)).await;
    let (bland, account) = (Bland::new(Timeouts::default()).unwrap(), account(&server.url));
    for id in ["", "..", "../me", "a/b", "a?b", "a%2fb", &"a".repeat(101)] {
        assert_eq!(bland.get(&account, id).await, Ok(None), "{id}");
        assert!(matches!(bland.stop(&account, id).await, Err(StopError::NotActive(_))), "{id}");
    }
    assert_eq!(server.connections(), 0);
    assert!(matches!(bland.get(&account, "c-1").await, Err(LookupError::Unreadable(_))));
}

#[tokio::test]
async fn only_the_provider_can_say_that_a_call_is_unknown() {
    for (body, known) in [(r#"{"status":"error","message":"Call not found."}"#, true), ("<h1>Not Found</h1>", false)] {
        let server = RawServer::always(Reply::json("404 Not Found", body)).await;
        let found = Bland::new(Timeouts::default()).unwrap().get(&account(&server.url), "c-1").await;
        assert_eq!(found == Ok(None), known, "{found:?}");
        assert_eq!(found.is_err(), !known, "{found:?}");
    }
}

#[tokio::test]
async fn recordings_come_from_allowed_places_only() {
    let provider = RawServer::always(Reply::json("302 Found", "")).await;
    let inner = RawServer::always(Reply::json("200 OK", "secret")).await;
    let (bland, account) = (Bland::new(Timeouts::default()).unwrap(), account(&provider.url));
    let port = inner.url.port().unwrap();
    for url in [inner.url.to_string(), format!("https://127.0.0.1:{port}/"), "file:///etc/passwd".into(), "x".into()] {
        let result = bland.recording(&account, &url).await.map(|_| ());
        assert!(matches!(result, Err(LookupError::Refused(_))), "{url} {result:?}");
    }
    let named = bland.recording(&account, &format!("https://localhost:{port}/")).await.map(|_| ());
    assert!(matches!(named, Err(LookupError::Unreachable(_))), "{named:?}");
    assert_eq!(inner.connections(), 0);
    // A redirect is not followed.
    let moved = bland.recording(&account, provider.url.join("/r.wav").unwrap().as_str()).await.map(|_| ());
    assert!(matches!(moved, Err(LookupError::Refused(_))), "{moved:?}");
    assert_eq!(provider.requests().len(), 1);
}
