//! All that differs between RPCs, once for each by its types; everything else is compiled once.

use crate::input::{Fields, Value};
use access::{Client, MAX_REQUEST_TIME, Meta, Replies};
use bytes::{Buf, Bytes};
use callfairy_core::{ErrorCode, Problem};
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt, stream};
use prost::encoding::encode_varint;
use prost::{DecodeError, Message};
use proto::Rpc;
use proto::types::Download;
use serde::Serialize;
use std::any::Any;
use std::future;
use tokio::sync::mpsc;

/// Calls one RPC: its fields in, its answer out.
type Run<T> = for<'a> fn(&'a Client, &'a Meta, Fields<'a>) -> LocalBoxFuture<'a, Result<T, Problem>>;
type RunUpload =
    for<'a> fn(&'a Client, &'a Meta, Fields<'a>, mpsc::Receiver<Piece>) -> LocalBoxFuture<'a, Result<Vec<u8>, Problem>>;

/// How an RPC is called.
#[derive(Clone, Copy)]
pub enum Call {
    /// Answers JSON.
    Unary(Run<Vec<u8>>),
    /// Answers messages, each as JSON.
    Events(Run<Replies<Vec<u8>>>),
    Download(Run<Replies<Download>>),
    Upload(RunUpload),
}

/// What comes of an uploaded file.
#[derive(Debug)]
pub enum Piece {
    Data(Bytes),
    /// All of it has come. A channel that closes without this says that the upload broke off.
    End,
}

pub fn unary<'a, R: Rpc>(
    client: &'a Client,
    meta: &'a Meta,
    fields: Fields<'a>,
) -> LocalBoxFuture<'a, Result<Vec<u8>, Problem>> {
    let request = fields.read::<R::Request>();
    Box::pin(async move { json(&client.unary::<R>(meta, request?).await?) })
}

pub fn events<'a, R: Rpc>(
    client: &'a Client,
    meta: &'a Meta,
    fields: Fields<'a>,
) -> LocalBoxFuture<'a, Result<Replies<Vec<u8>>, Problem>> {
    let request = fields.read::<R::Request>();
    Box::pin(async move {
        let replies = in_time(client.server_streaming::<R>(meta, request?)).await?;
        let replies: Replies<Vec<u8>> = Box::pin(replies.map(|reply| json(&reply?)));
        Ok(replies)
    })
}

pub fn download<'a, R: Rpc>(
    client: &'a Client,
    meta: &'a Meta,
    fields: Fields<'a>,
) -> LocalBoxFuture<'a, Result<Replies<Download>, Problem>> {
    let request = fields.read::<R::Request>();
    Box::pin(async move {
        let replies = in_time(client.server_streaming::<R>(meta, request?)).await?;
        // The contract gives this kind of answer only to RPCs whose response is a `Download`.
        let replies: Box<dyn Any> = Box::new(replies);
        replies.downcast::<Replies<Download>>().map(|replies| *replies).map_err(|_| defect(R::GRPC_PATH))
    })
}

/// The first message carries the fields, each one after it a piece of the file. Dropped before it is done, it tells the
/// service that the upload broke off; the stream itself ends only after [`Piece::End`].
pub fn upload<'a, R: Rpc>(
    client: &'a Client,
    meta: &'a Meta,
    fields: Fields<'a>,
    pieces: mpsc::Receiver<Piece>,
) -> LocalBoxFuture<'a, Result<Vec<u8>, Problem>> {
    let first = fields.read::<R::Request>();
    Box::pin(async move {
        let first = first?;
        let key = data_key::<R>().ok_or_else(|| defect(R::GRPC_PATH))?;
        let rest = stream::unfold(pieces, move |mut pieces| {
            let key = key.clone();
            async move {
                match pieces.recv().await {
                    Some(Piece::Data(data)) => match piece::<R>(&key, data) {
                        Ok(message) => Some((message, pieces)),
                        Err(error) => {
                            tracing::error!(%error, "a piece of a file does not fit its message");
                            future::pending().await
                        }
                    },
                    Some(Piece::End) => None,
                    None => future::pending().await,
                }
            }
        });
        json(&client.client_streaming::<R>(meta, stream::iter([first]).chain(rest)).await?)
    })
}

/// The key of the request's field `data` on the wire, by writing one that has nothing else.
fn data_key<R: Rpc>() -> Option<Vec<u8>> {
    let mut fields = Fields::default();
    fields.add("data", Value::Text("AA==".into()));
    let mut wire = fields.read::<R::Request>().ok()?.encode_to_vec();
    (wire.pop() == Some(0) && wire.pop() == Some(1)).then_some(wire)
}

/// A request with `data` alone: read from its wire form, which is the bytes themselves, where JSON would need base64.
fn piece<R: Rpc>(key: &[u8], data: Bytes) -> Result<R::Request, DecodeError> {
    let mut head = key.to_vec();
    encode_varint(data.len() as u64, &mut head);
    R::Request::decode(head.chain(data))
}

fn json(message: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(message).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Problem::internal()
    })
}

/// A stream may take as long as it likes, but not to begin.
pub async fn in_time<T>(begin: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || Problem::new(ErrorCode::DeadlineExceeded, "the request's time ran out");
    tokio::time::timeout(MAX_REQUEST_TIME, begin).await.unwrap_or_else(|_| Err(late()))
}

fn defect(path: &str) -> Problem {
    tracing::error!(rpc = path, "the RPC's messages do not fit its route");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::rpc::imports::CreateImport;

    #[test]
    fn a_piece_carries_its_bytes_and_nothing_else() {
        let key = data_key::<CreateImport>().unwrap();
        for length in [0, 1, 127, 128, 300_000] {
            let data: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
            let expected = proto::telephony::CreateImportRequest { data: data.clone(), ..Default::default() };
            assert_eq!(piece::<CreateImport>(&key, data.into()), Ok(expected));
        }
    }
}
