//! A TCP proxy that cuts connections, or lets them fall silent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

pub struct Proxy {
    pub address: SocketAddr,
    connections: Arc<Mutex<Connections>>,
    _accepting: DropGuard,
}

/// What happens to all connections of a time.
#[derive(Clone, Default)]
struct Connections {
    cut: CancellationToken,
    silence: CancellationToken,
}

impl Proxy {
    /// Forwards to `host:port`.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Connections::default()));
        let (accepting, current) = (CancellationToken::new(), Arc::clone(&connections));
        let accept = async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let connections = current.lock().unwrap().clone();
                tokio::spawn(forward(client, target.clone(), connections));
            }
        };
        tokio::spawn(accepting.clone().run_until_cancelled_owned(accept));
        Self { address, connections, _accepting: accepting.drop_guard() }
    }

    /// Cuts every connection there is. New ones are accepted.
    pub fn cut(&self) {
        std::mem::take(&mut *self.connections.lock().unwrap()).cut.cancel();
    }

    /// Every connection there is stays open, and nothing travels over it any more. New ones work.
    pub fn silence(&self) {
        std::mem::take(&mut *self.connections.lock().unwrap()).silence.cancel();
    }
}

async fn forward(mut client: TcpStream, target: String, connections: Connections) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // An end of either side ends the other.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = connections.cut.cancelled() => {}
        () = connections.silence.cancelled() => connections.cut.cancelled().await,
    }
}
