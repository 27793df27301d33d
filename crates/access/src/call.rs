//! A request whose access rule has passed.

use crate::{Caller, OrgScope, Origin, Snapshot, User};
use callfairy_core::{ErrorCode, OnceKey, OrganisationId, Problem};
use futures_util::Stream;
use prost::Message;
use proto::{Permission, Rpc};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::pin::Pin;

/// Messages of a stream, each as it comes.
pub type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Problem>> + Send>>;

/// RPCs whose request names an organisation that the caller has access to.
pub trait Scoped: Rpc {}
/// RPCs that only somebody who has signed in can call.
pub trait SignedIn: Rpc {}

/// A request whose access rule has passed and whose fields are valid. Only the guard makes one.
pub struct Call<R: Rpc> {
    pub request: R::Request,
    passed: Passed,
}

/// A stream of requests whose access rule has passed for the first; the first names the organisation.
pub struct StreamCall<R: Rpc> {
    pub call: Call<R>,
    /// The requests after the first, as they come: what they hold beyond the first, the handler checks.
    pub rest: Replies<R::Request>,
}

/// What the guard found out.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub caller: Caller,
    pub scope: Option<OrgScope>,
    pub snapshot: Option<Snapshot>,
    pub idempotency_key: Option<String>,
    pub request_id: Option<String>,
    pub trace: BTreeMap<String, String>,
    pub origin: Origin,
}

impl<R: Rpc> Call<R> {
    pub(crate) fn new(request: R::Request, passed: Passed) -> Self {
        Self { request, passed }
    }

    /// Who calls, and in which organisation, for what is told after the call is gone.
    pub(crate) fn who(&self) -> (Caller, Option<OrganisationId>) {
        (self.passed.caller.clone(), self.passed.scope.map(|scope| scope.organisation_id()))
    }

    pub fn caller(&self) -> &Caller {
        &self.passed.caller
    }

    /// Whether the caller also has this permission in the request's organisation.
    pub fn can(&self, permission: Permission) -> bool {
        self.passed.snapshot.is_some_and(|s| s.is_superadmin || s.permissions.contains(permission))
    }

    pub fn is_superadmin(&self) -> bool {
        self.passed.snapshot.is_some_and(|s| s.is_superadmin)
    }

    /// The client's idempotency key.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.passed.idempotency_key.as_deref()
    }

    /// The request's id, for logs.
    pub fn request_id(&self) -> Option<&str> {
        self.passed.request_id.as_deref()
    }

    /// W3C trace context, to go along with the work that this request causes.
    pub fn trace(&self) -> &BTreeMap<String, String> {
        &self.passed.trace
    }

    /// Where the request comes from, as the gateway saw it: nothing when it did not come through the gateway.
    pub fn origin(&self) -> &Origin {
        &self.passed.origin
    }
}

impl<R: Scoped> Call<R> {
    /// The organisation that the caller may act in.
    #[allow(clippy::expect_used)] // the guard sets it for every scoped RPC, and nothing else makes a `Call`
    pub fn scope(&self) -> &OrgScope {
        self.passed.scope.as_ref().expect("a scoped call has its scope")
    }
}

impl<R: SignedIn> Call<R> {
    /// Who calls.
    pub fn user(&self) -> Result<User, Problem> {
        match &self.passed.caller {
            Caller::User(user) => Ok(*user),
            Caller::ApiKey(_) => {
                Err(Problem::new(ErrorCode::PermissionDenied, "this is for people who signed in, not for API keys"))
            }
            Caller::Anonymous | Caller::Service(_) => Err(Problem::unauthenticated("this is for people who signed in")),
        }
    }

    /// What makes this request the same as an earlier one: the caller's own key, for this method in this organisation.
    pub fn once_key(&self) -> OnceKey
    where
        R::Request: Message,
    {
        self.once_key_of(Sha256::digest(self.request.encode_to_vec()).into())
    }

    /// For a request whose content is not all in its message.
    pub fn once_key_of(&self, request_hash: [u8; 32]) -> OnceKey {
        let caller = match &self.passed.caller {
            Caller::User(user) => user.id.to_string(),
            Caller::ApiKey(key) => format!("key {}", key.id),
            Caller::Service(name) => name.to_string(),
            Caller::Anonymous => String::new(),
        };
        let organisation = self.passed.scope.map(|scope| scope.organisation_id().to_string()).unwrap_or_default();
        OnceKey {
            scope: format!("{caller}/{organisation}{}", R::GRPC_PATH),
            key: self.passed.idempotency_key.clone(),
            request_hash,
        }
    }
}

impl<R: Rpc> std::fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(R::GRPC_PATH).field("request", &self.request).field("passed", &self.passed).finish()
    }
}

impl<R: Rpc> std::fmt::Debug for StreamCall<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StreamCall").field(&self.call).finish()
    }
}
