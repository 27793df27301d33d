//! Calling a service: behind the wire, or in this process, where nothing is encoded.

use crate::services::{ClientStreaming, Method, ServerStreaming, Unary};
use crate::wire::MAX_MESSAGE;
use crate::{Caller, LatestChange, Meta, Replies, Services};
use callfairy_core::Problem;
use futures_util::{Stream, StreamExt};
use http::uri::PathAndQuery;
use proto::Rpc;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Where the services of this process put themselves when they are ready.
#[derive(Clone, Default)]
pub struct LocalSlot(Arc<OnceLock<Arc<Services>>>);

impl LocalSlot {
    /// From now on calls reach these services. Later fillings change nothing.
    pub fn fill(&self, services: Arc<Services>) {
        let _ = self.0.set(services);
    }
}

/// One service, wherever it is. Cheap to clone.
#[derive(Clone)]
pub enum Client {
    Wire(Wire),
    Local(LocalSlot),
}

/// Where a service is, and the connection to it.
#[derive(Clone)]
pub struct Wire {
    endpoint: Arc<Endpoint>,
    channel: Channel,
    latest_change: LatestChange,
}

impl Client {
    /// Connects when it is first used, and again whenever that is needed; the runtime that this is called in drives the
    /// connection. `latest_change` is the process's.
    pub fn wire(endpoint: impl Into<Arc<Endpoint>>, latest_change: LatestChange) -> Self {
        let endpoint = endpoint.into();
        let channel = endpoint.connect_lazy();
        Self::Wire(Wire { endpoint, channel, latest_change })
    }

    /// The same service by a connection that the runtime of this call drives: a thread with a runtime of its own then
    /// waits for no other thread.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        match self {
            Self::Wire(wire) => Self::wire(wire.endpoint.clone(), wire.latest_change.clone()),
            Self::Local(slot) => Self::Local(slot.clone()),
        }
    }

    /// Whether what is called runs in this process.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    pub async fn unary<R: Rpc>(&self, meta: &Meta, request: R::Request) -> Result<R::Response, Problem> {
        match self {
            Self::Wire(wire) => {
                let mut request = wire.request(meta, request);
                request.set_timeout(meta.time_left());
                let answer = wire.ready().await?.unary(request, path::<R>(), codec::<R>()).await;
                Ok(wire.hear(answer)?.into_inner())
            }
            Self::Local(slot) => {
                let (services, caller) = local::<R>(slot, meta).await?;
                let run = typed::<Unary<R>>(services.method(R::GRPC_PATH)?)?;
                run.run(caller, meta.clone(), request).await
            }
        }
    }

    pub async fn server_streaming<R: Rpc>(
        &self,
        meta: &Meta,
        request: R::Request,
    ) -> Result<Replies<R::Response>, Problem> {
        match self {
            Self::Wire(wire) => {
                let request = wire.request(meta, request);
                let answer = wire.ready().await?.server_streaming(request, path::<R>(), codec::<R>()).await;
                let replies = wire.hear(answer)?.into_inner();
                Ok(Box::pin(replies.map(|reply| reply.map_err(|status| proto::problem(&status)))))
            }
            Self::Local(slot) => {
                let (services, caller) = local::<R>(slot, meta).await?;
                let run = typed::<ServerStreaming<R>>(services.method(R::GRPC_PATH)?)?;
                run.run(caller, meta.clone(), request).await
            }
        }
    }

    /// The stream is read only as fast as the other side takes it. When the other side answers early, the rest is
    /// not read.
    pub async fn client_streaming<R: Rpc>(
        &self,
        meta: &Meta,
        requests: impl Stream<Item = R::Request> + Send + 'static,
    ) -> Result<R::Response, Problem> {
        match self {
            Self::Wire(wire) => {
                let request = wire.request(meta, requests);
                let answer = wire.ready().await?.client_streaming(request, path::<R>(), codec::<R>()).await;
                Ok(wire.hear(answer)?.into_inner())
            }
            Self::Local(slot) => {
                let (services, caller) = local::<R>(slot, meta).await?;
                let run = typed::<ClientStreaming<R>>(services.method(R::GRPC_PATH)?)?;
                run.run(caller, meta.clone(), Box::pin(requests.map(Ok))).await
            }
        }
    }
}

impl Wire {
    async fn ready(&self) -> Result<Grpc<Channel>, Problem> {
        let grpc = Grpc::new(self.channel.clone());
        let mut grpc = grpc.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        grpc.ready().await.map_err(|error| {
            tracing::warn!(%error, "a service is out of reach");
            proto::problem(&Status::unavailable("not connected"))
        })?;
        Ok(grpc)
    }

    fn request<T>(&self, meta: &Meta, message: T) -> Request<T> {
        let mut request = Request::new(message);
        meta.write(request.metadata_mut());
        self.latest_change.tell(request.metadata_mut().as_mut());
        request
    }

    fn hear<T>(&self, answer: Result<Response<T>, Status>) -> Result<Response<T>, Problem> {
        match answer {
            Ok(answer) => {
                self.latest_change.hear(answer.metadata().as_ref());
                Ok(answer)
            }
            Err(status) => {
                self.latest_change.hear(status.metadata().as_ref());
                Err(proto::problem(&status))
            }
        }
    }
}

async fn local<R: Rpc>(slot: &LocalSlot, meta: &Meta) -> Result<(Arc<Services>, Caller), Problem> {
    let services = slot.0.get().ok_or_else(|| Problem::unavailable("a service"))?.clone();
    let caller = services.guard().identify(R::GRPC_PATH, R::ACCESS, meta).await?;
    Ok((services, caller))
}

fn typed<T: Clone + 'static>(method: &Method) -> Result<T, Problem> {
    method.local.downcast_ref::<T>().cloned().ok_or_else(|| {
        tracing::error!("an RPC is mounted with another shape than its own");
        Problem::internal()
    })
}

fn path<R: Rpc>() -> PathAndQuery {
    PathAndQuery::from_static(R::GRPC_PATH)
}

fn codec<R: Rpc>() -> ProstCodec<R::Request, R::Response> {
    ProstCodec::default()
}

impl fmt::Debug for LocalSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalSlot")
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire(_) => "Client::Wire",
            Self::Local(_) => "Client::Local",
        })
    }
}
