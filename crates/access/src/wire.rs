//! The same RPCs over gRPC: decoding, streaming and statuses, by tonic.

use crate::services::{ClientStreaming, ServerStreaming, Unary, WireFn};
use crate::{Caller, Meta, Replies, Services};
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt, stream};
use proto::Rpc;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::server::{ClientStreamingService, Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Bytes of one message. Uploads and batches travel in pieces below it.
pub(crate) const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// A handler with what is known of its request before it is decoded.
struct Handler<F> {
    run: F,
    /// Taken by the one request that comes.
    caller: Option<(Caller, Meta)>,
}

impl<F> Handler<F> {
    fn take(&mut self) -> Result<(Caller, Meta), Status> {
        self.caller.take().ok_or_else(|| Status::internal("one handler, two requests"))
    }
}

type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl<R: Rpc> UnaryService<R::Request> for Handler<Unary<R>> {
    type Response = R::Response;
    type Future = BoxFuture<'static, Result<Response<R::Response>, Status>>;

    fn call(&mut self, request: Request<R::Request>) -> Self::Future {
        let (taken, run) = (self.take(), self.run.clone());
        Box::pin(async move {
            let (caller, meta) = taken?;
            let answer = run.run(caller, meta, request.into_inner()).await;
            answer.map(Response::new).map_err(|problem| proto::status(&problem))
        })
    }
}

impl<R: Rpc> ServerStreamingService<R::Request> for Handler<ServerStreaming<R>> {
    type Response = R::Response;
    type ResponseStream = BoxStream<R::Response>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<R::Request>) -> Self::Future {
        let (taken, run) = (self.take(), self.run.clone());
        Box::pin(async move {
            let (caller, meta) = taken?;
            let replies =
                run.run(caller, meta, request.into_inner()).await.map_err(|problem| proto::status(&problem))?;
            let stream: BoxStream<_> = Box::pin(replies.map(|reply| reply.map_err(|problem| proto::status(&problem))));
            Ok(Response::new(stream))
        })
    }
}

impl<R: Rpc> ClientStreamingService<R::Request> for Handler<ClientStreaming<R>> {
    type Response = R::Response;
    type Future = BoxFuture<'static, Result<Response<R::Response>, Status>>;

    fn call(&mut self, requests: Request<Streaming<R::Request>>) -> Self::Future {
        let (taken, run) = (self.take(), self.run.clone());
        Box::pin(async move {
            let (caller, meta) = taken?;
            let reset = requests.extensions().get::<Reset>().cloned().unwrap_or_default();
            let requests = requests.into_inner().map(|request| request.map_err(|status| proto::problem(&status)));
            let end = stream::once(async move { reset.error() }).filter_map(async |error| error.map(Err));
            let requests: Replies<R::Request> = Box::pin(requests.chain(end));
            let answer = run.run(caller, meta, requests).await;
            answer.map(Response::new).map_err(|problem| proto::status(&problem))
        })
    }
}

fn handler<F>(run: F, caller: Caller, meta: Meta) -> Handler<F> {
    Handler { run, caller: Some((caller, meta)) }
}

fn grpc<R: Rpc>() -> Grpc<ProstCodec<R::Response, R::Request>> {
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE)
}

pub(crate) fn unary<R: Rpc>(run: Unary<R>) -> WireFn {
    Box::new(move |caller, meta, request| {
        let handler = handler(run.clone(), caller, meta);
        Box::pin(async move { grpc::<R>().unary(handler, request).await })
    })
}

pub(crate) fn server_streaming<R: Rpc>(run: ServerStreaming<R>) -> WireFn {
    Box::new(move |caller, meta, request| {
        let handler = handler(run.clone(), caller, meta);
        Box::pin(async move { grpc::<R>().server_streaming(handler, request).await })
    })
}

pub(crate) fn client_streaming<R: Rpc>(run: ClientStreaming<R>) -> WireFn {
    Box::new(move |caller, meta, request| {
        let handler = handler(run.clone(), caller, meta);
        let reset = Reset::default();
        let mut request = request.map(|body| Body::new(Watched { body, reset: reset.clone() }));
        request.extensions_mut().insert(reset);
        Box::pin(async move { grpc::<R>().client_streaming(handler, request).await })
    })
}

/// Whether the client broke its stream off. tonic takes that for the end of the stream; half an upload must not pass
/// for a whole one, so this comes after the last request: nothing, or the error that tonic swallowed.
#[derive(Debug, Clone, Default)]
struct Reset(Arc<AtomicBool>);

impl Reset {
    fn error(&self) -> Option<Problem> {
        let broken_off = || Problem::new(ErrorCode::InvalidArgument, "the stream broke off");
        self.0.load(Ordering::Relaxed).then(broken_off)
    }
}

/// A body that notes its failure.
struct Watched {
    body: Body,
    reset: Reset,
}

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = &frame {
            self.reset.0.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// The services as tower and tonic see them.
#[derive(Debug, Clone)]
pub struct WireServices(Arc<Services>);

impl WireServices {
    pub fn new(services: Arc<Services>) -> Self {
        Self(services)
    }
}

impl<B> tower::Service<http::Request<B>> for WireServices
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let services = self.0.clone();
        Box::pin(async move {
            let answer = async {
                let method = services.method(request.uri().path())?;
                let meta = Meta::read(request.headers());
                // Who calls, and may they at all, before anything is decoded.
                let caller = services.guard().identify(method.path, method.access, &meta).await?;
                Ok((method.wire)(caller, meta, request.map(Body::new)).await)
            };
            let mut answer = answer.await.unwrap_or_else(|problem: Problem| proto::status(&problem).into_http());
            // What the request changed, and what else was heard of by now.
            services.guard().latest_change().tell(answer.headers_mut());
            Ok(answer)
        })
    }
}
