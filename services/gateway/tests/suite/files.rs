//! Files on their way out.

use crate::world::{World, own, unknown};
use callfairy_core::Problem;
use proto::types::Download;
use reqwest::{Method, Response};

crate::both_ways!(
    a_file_with_its_name_and_size,
    a_file_of_unknown_size,
    a_failure_before_the_file_is_a_problem,
    a_file_that_breaks_off_is_not_whole,
);

type Piece = Result<Download, Problem>;

async fn ask(world: &World, pieces: Vec<Piece>) -> reqwest::Result<Response> {
    *world.seen.pieces.lock().unwrap() = pieces;
    let path = own(&format!("/imports/{}/errors", unknown()));
    world.ada.request(Method::GET, &path).send().await
}

async fn download(world: &World, pieces: Vec<Piece>) -> Response {
    ask(world, pieces).await.unwrap()
}

#[allow(clippy::unnecessary_wraps)] // a piece, among others that are failures
fn first(size: u64, data: &[u8]) -> Piece {
    Ok(Download { content_type: "text/csv".into(), filename: "Fehler – Liste.csv".into(), size, data: data.into() })
}

#[allow(clippy::unnecessary_wraps)]
fn next(data: &[u8]) -> Piece {
    Ok(Download { data: data.into(), ..Download::default() })
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn a_file_with_its_name_and_size(world: &World) {
    let big = vec![b'x'; 1_000_000];
    let response = download(world, vec![first(1_000_005, b"ab"), next(b"cde"), next(&big)]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "text/csv");
    assert_eq!(header(&response, "content-length"), "1000005");
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    assert_eq!(
        header(&response, "content-disposition"),
        "attachment; filename=\"Fehler _ Liste.csv\"; filename*=UTF-8''Fehler%20%E2%80%93%20Liste.csv"
    );
    assert_eq!(response.bytes().await.unwrap(), [b"abcde".as_slice(), &big].concat());
}

async fn a_file_of_unknown_size(world: &World) {
    let odd = Download { content_type: "text/csv\r\nx: y".into(), data: b"ab".into(), ..Download::default() };
    let response = download(world, vec![Ok(odd), next(b""), next(b"c")]).await;
    assert_eq!(header(&response, "content-length"), "");
    assert_eq!(header(&response, "content-type"), "application/octet-stream");
    assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"download\"");
    assert_eq!(response.bytes().await.unwrap(), "abc");
}

async fn a_failure_before_the_file_is_a_problem(world: &World) {
    for (pieces, status) in [(vec![Err(Problem::not_found())], 404), (vec![], 500)] {
        let response = download(world, pieces).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        assert_eq!(header(&response, "content-disposition"), "");
    }
}

async fn a_file_that_breaks_off_is_not_whole(world: &World) {
    for pieces in [
        vec![first(0, b"ab"), Err(Problem::unavailable("the store"))],
        vec![first(5, b"ab"), Err(Problem::unavailable("the store"))],
        vec![first(5, b"ab"), next(b"c")],
        vec![first(5, b"ab"), next(b"cdef")],
    ] {
        let read = async { ask(world, pieces).await?.bytes().await };
        let read = read.await;
        assert!(read.is_err(), "{read:?}");
    }
    // The next request is none the worse for it.
    let response = download(world, vec![first(2, b"ab")]).await;
    assert_eq!(response.bytes().await.unwrap(), "ab");
}
