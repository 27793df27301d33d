//! A TCP proxy that cuts connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

pub struct Proxy {
    pub address: SocketAddr,
    connections: Arc<Mutex<CancellationToken>>,
    _accepting: DropGuard,
}

impl Proxy {
    /// Forwards to `host:port`.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(CancellationToken::new()));
        let (accepting, current) = (CancellationToken::new(), Arc::clone(&connections));
        let accept = async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (target, cut) = (target.clone(), current.lock().unwrap().clone());
                tokio::spawn(cut.run_until_cancelled_owned(async move {
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        // An end of either side ends the other.
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                }));
            }
        };
        tokio::spawn(accepting.clone().run_until_cancelled_owned(accept));
        Self { address, connections, _accepting: accepting.drop_guard() }
    }

    /// Cuts every connection there is. New ones are accepted.
    pub fn cut(&self) {
        std::mem::take(&mut *self.connections.lock().unwrap()).cancel();
    }
}
