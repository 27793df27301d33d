//! Serving RPCs over gRPC, in this process, or both.

use crate::{BoxError, Shutdown};
use access::{LocalSlot, Services, WireServices};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Streams that one connection may have open.
const MAX_STREAMS: u32 = 1_000;
/// A connection that is silent for this long is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Where a service is reached. In one process it is reached without a socket; a service's own binary, and the tests,
/// use TCP.
#[derive(Debug, Default)]
pub struct Listener {
    tcp: Option<TcpListener>,
    local: Option<LocalSlot>,
}

impl Listener {
    /// Listens at `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, BoxError> {
        let bound = TcpListener::bind(address).await;
        let tcp = bound.map_err(|error| format!("cannot listen at {address}: {error}"))?;
        Ok(Self { tcp: Some(tcp), local: None })
    }

    /// Reached by calls in this process.
    pub fn local(slot: LocalSlot) -> Self {
        Self { tcp: None, local: Some(slot) }
    }

    /// The address that TCP clients use.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }
}

/// Serves until the shutdown; then takes no more requests and finishes those that run. Meanwhile what the services'
/// guard knows of its callers is kept fresh.
pub async fn serve_grpc(listener: Listener, services: Services, shutdown: Shutdown) -> Result<(), BoxError> {
    let guard = services.guard().clone();
    tokio::select! {
        served = serve(listener, Arc::new(services), shutdown) => served,
        never = guard.follow_changes() => match never {},
    }
}

async fn serve(listener: Listener, services: Arc<Services>, shutdown: Shutdown) -> Result<(), BoxError> {
    if let Some(slot) = &listener.local {
        slot.fill(services.clone());
    }
    let Some(tcp) = listener.tcp else {
        shutdown.wait().await;
        return Ok(());
    };
    // tonic routes by service; ours are routed by method, behind one guard.
    let routes = Routes::default().into_axum_router().fallback_service(WireServices::new(services));
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(Some(MAX_STREAMS))
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(TcpIncoming::from(tcp).with_nodelay(Some(true)), shutdown.wait())
        .await?;
    Ok(())
}
