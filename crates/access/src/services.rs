//! The RPCs that a process serves, each behind the guard, reached over the wire or in this process.

use crate::{Call, Caller, Guard, Meta, Replies, StreamCall};
use callfairy_core::{ErrorCode, Problem};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use proto::{Access, Rpc};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tonic::body::Body;

/// RPCs by their gRPC paths. The generated methods, one for each gRPC service, mount handlers; see a service's
/// `serve`.
pub struct Services {
    guard: Guard,
    methods: HashMap<&'static str, Method>,
}

/// One RPC, twice: typed for calls in this process, and as bytes for the wire.
pub(crate) struct Method {
    pub path: &'static str,
    pub access: Access,
    pub wire: WireFn,
    /// A `Unary<R>`, `ServerStreaming<R>` or `ClientStreaming<R>`.
    pub local: Box<dyn Any + Send + Sync>,
}

/// A handler behind its guard. A type of its own, not an alias: the compiler cannot prove a future `Send` that holds
/// the bare `dyn Fn` across an await.
macro_rules! run {
    ($name:ident, $takes:ty, $gives:ty) => {
        pub(crate) struct $name<R: Rpc>(
            Arc<dyn Fn(Caller, Meta, $takes) -> BoxFuture<'static, Result<$gives, Problem>> + Send + Sync>,
        );

        impl<R: Rpc> $name<R> {
            pub(crate) fn run(
                &self,
                caller: Caller,
                meta: Meta,
                input: $takes,
            ) -> BoxFuture<'static, Result<$gives, Problem>> {
                (self.0)(caller, meta, input)
            }
        }

        impl<R: Rpc> Clone for $name<R> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }
    };
}
run!(Unary, R::Request, R::Response);
run!(ServerStreaming, R::Request, Replies<R::Response>);
run!(ClientStreaming, Replies<R::Request>, R::Response);

impl Services {
    pub fn new(guard: Guard) -> Self {
        Self { guard, methods: HashMap::new() }
    }

    /// The gRPC paths that are served.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.methods.keys().copied()
    }

    /// What stands before all of them.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(crate) fn method(&self, path: &str) -> Result<&Method, Problem> {
        let unknown = || Problem::new(ErrorCode::Unimplemented, "this is not available here");
        self.methods.get(path).ok_or_else(unknown)
    }

    pub(crate) fn unary<R: Rpc, F>(self, handler: impl Fn(Call<R>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<R::Response, Problem>> + Send + 'static,
    {
        let (guard, handler) = (self.guard.clone(), Arc::new(handler));
        let run = Unary::<R>(Arc::new(move |caller, meta, request| {
            let (guard, handler) = (guard.clone(), handler.clone());
            Box::pin(in_time(meta.time_left(), async move {
                let call = guard.admit::<R>(caller, &meta, request).await?;
                let who = call.who();
                handler(call).await.inspect_err(|problem| guard.note_of_handler::<R>(&who, &meta, problem))
            }))
        }));
        self.add::<R>(crate::wire::unary::<R>(run.clone()), Box::new(run))
    }

    pub(crate) fn server_streaming<R: Rpc, F>(self, handler: impl Fn(Call<R>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Replies<R::Response>, Problem>> + Send + 'static,
    {
        let (guard, handler) = (self.guard.clone(), Arc::new(handler));
        let run = ServerStreaming::<R>(Arc::new(move |caller, meta, request| {
            let (guard, handler) = (guard.clone(), handler.clone());
            Box::pin(in_time(meta.time_left(), async move {
                let call = guard.admit::<R>(caller, &meta, request).await?;
                let who = call.who();
                handler(call).await.inspect_err(|problem| guard.note_of_handler::<R>(&who, &meta, problem))
            }))
        }));
        self.add::<R>(crate::wire::server_streaming::<R>(run.clone()), Box::new(run))
    }

    pub(crate) fn client_streaming<R: Rpc, F>(
        self,
        handler: impl Fn(StreamCall<R>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<R::Response, Problem>> + Send + 'static,
    {
        let (guard, handler) = (self.guard.clone(), Arc::new(handler));
        let run = ClientStreaming::<R>(Arc::new(move |caller, meta, mut requests| {
            let (guard, handler) = (guard.clone(), handler.clone());
            Box::pin(async move {
                let first = in_time(meta.time_left(), async { requests.next().await.transpose() }).await?;
                let first = first.ok_or_else(|| Problem::new(ErrorCode::InvalidArgument, "nothing was sent"))?;
                let call = guard.admit::<R>(caller, &meta, first).await?;
                let who = call.who();
                let answer = handler(StreamCall { call, rest: requests }).await;
                answer.inspect_err(|problem| guard.note_of_handler::<R>(&who, &meta, problem))
            })
        }));
        self.add::<R>(crate::wire::client_streaming::<R>(run.clone()), Box::new(run))
    }

    fn add<R: Rpc>(mut self, wire: WireFn, local: Box<dyn Any + Send + Sync>) -> Self {
        self.methods.insert(R::GRPC_PATH, Method { path: R::GRPC_PATH, access: R::ACCESS, wire, local });
        self
    }
}

pub(crate) type WireFn =
    Box<dyn Fn(Caller, Meta, http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;

async fn in_time<T>(limit: std::time::Duration, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || Problem::new(ErrorCode::DeadlineExceeded, "the request's time ran out");
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.methods.keys()).finish()
    }
}
