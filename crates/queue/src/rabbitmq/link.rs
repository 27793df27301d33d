//! One connection to the broker, with a deadline on everything.

use super::health::{Failure, HEALTH_INTERVAL};
use crate::ConfigError;
use callfairy_core::Secret;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties};
use rand::RngExt;
use std::future::Future;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// TCP, TLS and the AMQP handshake together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// One question to the broker.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// A broker that sends nothing for twice this long is gone.
const HEARTBEAT_SECONDS: u16 = 10;
const RETRY_MIN: Duration = Duration::from_millis(300);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Dropping it ends the connection at once, whatever state the library is in.
pub(super) struct Link {
    connection: Connection,
    socket: Socket,
}

/// The connection's socket, as soon as there is one.
#[derive(Clone, Default)]
struct Socket(Arc<OnceLock<TcpStream>>);

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.shut_down();
    }
}

impl Socket {
    fn shut_down(&self) {
        if let Some(socket) = self.0.get() {
            // It fails only when the other side was faster.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Shuts the socket down unless the connection was handed on.
struct Pending(Option<Socket>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            socket.shut_down();
        }
    }
}

pub(super) fn parse(url: &Secret) -> Result<AMQPUri, ConfigError> {
    let parsed = url::Url::parse(url.expose()).map_err(|_| ConfigError::Url)?;
    let mut uri: AMQPUri = url.expose().parse().map_err(|_| ConfigError::Url)?;
    // The library reads an IPv6 address as localhost.
    let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or(ConfigError::Url)?;
    host.trim_matches(['[', ']']).clone_into(&mut uri.authority.host);
    if uri.vhost.is_empty() {
        uri.vhost.push('/');
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
    Ok(uri)
}

impl Link {
    pub(super) async fn open(url: &Secret, name: &str) -> Result<Self, Failure> {
        Self::open_within(CONNECT_DEADLINE, url, name).await
    }

    async fn open_within(deadline: Duration, url: &Secret, name: &str) -> Result<Self, Failure> {
        let socket = Socket::default();
        let failure =
            |cause: String| Failure { cause: format!("connect: {cause}"), tcp_connected: socket.0.get().is_some() };
        let uri = parse(url).map_err(|error| failure(error.to_string()))?;
        let runtime = lapin::runtime::default_runtime().map_err(|error| failure(error.to_string()))?;
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let mut pending = Pending(Some(socket.clone()));
        let opened = socket.clone();
        let connected = Connection::connector(
            uri,
            runtime,
            async move |uri: AMQPUri, runtime| {
                // The library runs this on a thread of its own, which no one but this deadline ends.
                let stream = timeout(deadline, async {
                    let addresses = runtime.to_socket_addrs((uri.authority.host.clone(), uri.authority.port));
                    let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                    if let AsyncTcpStream::Plain(stream) = &stream {
                        let socket = TcpStream::from(stream.get_ref().as_fd().try_clone_to_owned()?);
                        opened.0.get_or_init(|| socket);
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => {
                            stream.into_tls(&uri.authority.host, OwnedTLSConfig::default().as_ref()).await
                        }
                    }
                });
                let stream = stream.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
                stream.map_err(lapin::Error::from)
            },
            properties,
        );
        match timeout(deadline, connected).await {
            Ok(Ok(connection)) => {
                pending.0 = None;
                Ok(Self { connection, socket })
            }
            Ok(Err(error)) => Err(failure(error.to_string())),
            Err(_) => Err(failure("deadline passed".into())),
        }
    }

    pub(super) async fn channel(&self) -> Result<Channel, Failure> {
        within("open a channel", self.connection.create_channel()).await
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.connection.status().connected() { Ok(()) } else { Err(Failure::of_call("connection", "it ended")) }
    }

    /// Waits for the work as long as the connection is healthy.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut tick = interval(HEALTH_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                _ = tick.tick() => self.check()?,
            }
        }
    }

    /// Says goodbye, so that the broker has handled all that was sent before.
    pub(super) async fn close(&self) {
        if let Err(failure) = within("close", self.connection.close(200, "OK".into())).await {
            tracing::debug!(cause = failure.cause, "the connection did not close in good order");
        }
    }
}

/// One question to the broker, under its deadline.
pub(super) async fn within<T>(what: &str, call: impl Future<Output = lapin::Result<T>>) -> Result<T, Failure> {
    match timeout(CALL_DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::of_call(what, error)),
        Err(_) => Err(Failure::of_call(what, "deadline passed")),
    }
}

/// How long to wait before the next attempt to connect.
pub(super) fn retry_pause() -> Duration {
    rand::rng().random_range(RETRY_MIN..=RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// A broker that accepts and says nothing must leave neither a socket nor the library's thread behind.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_broker_is_left() {
        let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("amqp://{}", broker.local_addr().unwrap()));
        let opening =
            tokio::spawn(async move { Link::open_within(Duration::from_millis(300), &url, "test").await.err() });
        let (mut peer, _) = broker.accept().await.unwrap();
        let mut heard = Vec::new();
        let read = timeout(Duration::from_secs(10), peer.read_to_end(&mut heard)).await;
        assert_eq!(read.expect("the socket stayed open").unwrap(), heard.len());
        assert!(heard.starts_with(b"AMQP"), "{heard:?}");
        assert!(opening.await.unwrap().is_some_and(|failure| failure.tcp_connected));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn amqps_begins_with_tls() {
        let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("amqps://{}", broker.local_addr().unwrap()));
        let opening = tokio::spawn(async move { Link::open(&url, "test").await.err() });
        let (mut peer, _) = timeout(Duration::from_secs(10), broker.accept()).await.unwrap().unwrap();
        let mut record = [0; 3];
        peer.read_exact(&mut record).await.unwrap();
        assert_eq!(record, [22, 3, 1], "a TLS handshake");
        drop(peer);
        assert!(opening.await.unwrap().is_some_and(|failure| failure.tcp_connected));
    }

    #[tokio::test]
    async fn an_absent_broker_is_told_from_a_silent_one() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let url = Secret::new(format!("amqp://127.0.0.1:{port}"));
        let failure = Link::open(&url, "test").await.err().expect("nothing listens");
        assert!(!failure.tcp_connected, "{failure:?}");
    }

    #[test]
    fn reads_urls_as_they_are_meant() -> Result<(), ConfigError> {
        let parsed =
            |url: &str| parse(&Secret::new(url)).map(|uri| (uri.authority.host, uri.authority.port, uri.vhost));
        assert_eq!(parsed("amqp://localhost")?, ("localhost".into(), 5672, "/".into()));
        assert_eq!(parsed("amqps://broker.example/")?, ("broker.example".into(), 5671, "/".into()));
        assert_eq!(parsed("amqp://u:p@[::1]:5673/%2fcalls")?, ("::1".into(), 5673, "/calls".into()));
        Ok(())
    }
}
