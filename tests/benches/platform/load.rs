//! A load generator: keep-alive connections that each send a request, read the answer, and send the next. HTTP/1.1 by
//! hand, because it shares the cores with what it measures.

use anyhow::{Context as _, Result, bail, ensure};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Before anything is counted, as a part of the time that is measured.
const WARM_UP: f64 = 0.1;
/// An answer that takes longer ends the measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// The requests, each made when it is sent.
pub type Requests = Arc<dyn Fn() -> Arc<[u8]> + Send + Sync>;

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub per_second: f64,
    /// Half of the answers came sooner.
    pub half: Duration,
    /// 99 of 100 came sooner.
    pub most: Duration,
}

/// The same request again and again.
pub fn always(request: String) -> Requests {
    let request: Arc<[u8]> = request.into_bytes().into();
    Arc::new(move || request.clone())
}

/// A request as a client of the API sends it. `url`: `http://<address>`; `body`: JSON, or empty.
pub fn request(method: &str, url: &str, path: &str, token: &str, body: &str) -> String {
    let host = host(url);
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n");
    if body.is_empty() {
        return head + "\r\n";
    }
    format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Loads the server for this time; every answer must have this status.
pub async fn run(url: &str, connections: usize, time: Duration, status: u16, requests: &Requests) -> Result<Load> {
    let from = Instant::now() + time.mul_f64(WARM_UP);
    let until = from + time;
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(host(url)).await.with_context(|| url.to_owned())?;
        stream.set_nodelay(true)?;
        running.spawn(connection(stream, requests.clone(), status, from, until));
    }
    let mut times = Vec::new();
    while let Some(answered) = running.join_next().await {
        times.append(&mut answered??);
    }
    ensure!(!times.is_empty(), "nothing was answered in {time:?}");
    times.sort_unstable();
    #[allow(clippy::cast_precision_loss)]
    let per_second = times.len() as f64 / time.as_secs_f64();
    Ok(Load { per_second, half: times[times.len() / 2], most: times[times.len() * 99 / 100] })
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// How long each answer took that came in between.
async fn connection(
    mut stream: TcpStream,
    requests: Requests,
    status: u16,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>> {
    let (mut times, mut buffer) = (Vec::new(), Vec::with_capacity(16 * 1024));
    loop {
        let (request, began) = (requests(), Instant::now());
        let answered = timeout(PATIENCE, exchange(&mut stream, &request, &mut buffer)).await.context("no answer")??;
        if answered != status {
            bail!("the answer was {}", String::from_utf8_lossy(&buffer));
        }
        let now = Instant::now();
        if now >= until {
            return Ok(times);
        }
        if now >= from {
            times.push(now - began);
        }
    }
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        if let Some(status) = status_of_whole(buffer)? {
            return Ok(status);
        }
    }
}

/// The answer's status when all of it has come.
fn status_of_whole(bytes: &[u8]) -> Result<Option<u16>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).context("no status")?.parse()?;
    let length: Option<usize> = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length = length.with_context(|| format!("an answer without its length: {head}"))?;
    Ok((bytes.len() >= end + 4 + length).then_some(status))
}
